"""Which neurons of a network depend on which others: sparse precision matrices over activations."""

import os

__version__ = "0.1.0"

# OpenBLAS's workers spin for 2^26 cycles after every call, on cores that its other copy (NumPy and SciPy each bring one) and
# the solvers' kernels want: an inverse of 100 neurons took 8 ms on two cores, and takes 0.2. Read when NumPy is loaded.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "12")
