"""Edges across layers in one table: association, influence and measured effects, and how to read them together."""
