"""Coefficients of neurons of earlier layers: estimates without bias, their errors and tests."""
