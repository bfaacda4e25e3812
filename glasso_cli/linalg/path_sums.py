"""Sums over all paths through a graph without circles, by the number of edges: powers of its matrix."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array


def path_sums(B: csr_array, start: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """B x, B² x, … for ``start`` x ``(p,)`` or ``(p, n)``, and beside each \\|B\\|ᵏ \\|x\\|, until no path is left.

    ``B (p, p)`` has the weights of edges, targets in rows, or sources in rows for paths backwards from ``start``. The k-th pair
    is of paths of k edges: the sums of their products, and of the absolute values of their products. B must be without circles,
    such as that of a graph across layers; with one, there is no end.
    """
    signed, absolute, sizes = start.astype(float), np.abs(start).astype(float), abs(B)
    while (absolute := sizes @ absolute).any():
        signed = B @ signed
        yield signed, absolute
