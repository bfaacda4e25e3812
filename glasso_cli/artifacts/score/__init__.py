"""Scores of neurons by what the output loses without them."""
