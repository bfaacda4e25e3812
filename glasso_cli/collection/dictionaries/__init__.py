"""Latents of a sparse dictionary in the place of neurons."""
