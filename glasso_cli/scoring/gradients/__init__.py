"""Gradients of the scalar: attributions in several forms, what the frozen one holds, and slopes for paths that end in the scalar."""
