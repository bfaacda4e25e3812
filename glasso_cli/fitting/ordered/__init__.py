"""Regressions of the neurons of every layer on those of earlier layers, as one artifact."""
