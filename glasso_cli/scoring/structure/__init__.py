"""Scores of neurons that follow from the graph and the statistics alone: no model is needed."""
