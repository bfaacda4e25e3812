"""Attacks on experiments, and what they come to."""
