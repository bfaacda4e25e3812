"""Paths through the graph across layers: how much of an effect goes along which neurons."""
