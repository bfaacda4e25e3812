"""Sentences and labels for what fits and comparisons found."""
