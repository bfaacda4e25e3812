"""Streaming statistics of activations: torch tensors in, sums that add up over blocks out."""
