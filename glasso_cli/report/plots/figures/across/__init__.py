"""The figures of edges across layers."""
