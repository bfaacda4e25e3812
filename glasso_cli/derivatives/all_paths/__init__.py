"""Derivatives of a network itself, along all paths: any hook point to any later one, in any network, with nothing held."""
