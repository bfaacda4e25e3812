"""Sparse dictionaries (sparse autoencoders and transcoders) over a hook point: files, checks and moments of latents."""
