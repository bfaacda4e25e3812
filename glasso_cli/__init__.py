"""Which neurons of a network depend on which others: sparse precision matrices over activations."""

__version__ = "0.1.0"
