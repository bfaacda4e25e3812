"""Scores of neurons: what they are in the graph, what depends on them, and the paths between them."""
