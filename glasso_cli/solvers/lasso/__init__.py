"""Sparse regressions of the neurons of each layer on all neurons of earlier layers."""
