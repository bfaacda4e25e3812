"""Where the expensive parts of a Newton step are computed: on the host's cores, or on a CUDA device.

They are the factorisation with its inverse and the products with a dense W. Everything else is sparse, cheap, or goes one
entry after the other, and stays on the host. ``CUDA_VISIBLE_DEVICES=`` hides the devices there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import numpy as np

from glasso_cli.linalg import cholesky, elimination, pages
from glasso_cli.linalg.cholesky import Inverse
from glasso_cli.solvers.newton.free_set import Symmetric

Times = Callable[[np.ndarray], np.ndarray]  # W V, of V (p, k) float32: what Products.times is

_SMALLEST = 1024  # neurons from which a device is worth its transfers
_DRIVERS = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg")  # the last one is that of WSL


class Factor(Protocol):
    """A Cholesky factor; the inverse can be asked for once."""

    @property
    def log_det(self) -> float:
        """Of the matrix that was factorised."""

    def inverse(self) -> Inverse:
        """Of the matrix that was factorised."""


class Products(Protocol):
    """Products with one dense W that the directions of a Newton step need."""

    def load(self, inverse: Inverse) -> np.ndarray:
        """Go on with this W; returns it as ``(p, p)`` float32, row-major."""

    def add_low_rank(self, left: np.ndarray, right: np.ndarray) -> None:
        """Add ``left right'``, of ``(p, k)`` factors, to W."""

    def times(self, vectors: np.ndarray) -> np.ndarray:
        """W V, ``(p, k)`` float32, for V ``(p, k)`` float32."""

    def product(self, pattern: Symmetric, rows: np.ndarray, cols: np.ndarray, values: np.ndarray) -> np.ndarray:
        """W D W on entries ``(m,)`` in the order of rows, for the D that has ``values`` on ``pattern``."""

    def surplus(self, pattern: Symmetric, rows: np.ndarray, cols: np.ndarray, values: np.ndarray) -> np.ndarray | None:
        """By how much W D W is more than :meth:`product` there; None where it is not."""


class Place(Protocol):
    """Where to factorise and to multiply."""

    def errors(self, p: int) -> AbstractContextManager[None]:
        """Within it, what goes wrong at the place with a problem of p neurons is one of our errors."""

    def isolated(self, p: int) -> Inverse:
        """That of the identity ``(p, p)``."""

    def factorise(self, matrix: np.ndarray, dtype: type[np.floating]) -> Factor | None:
        """The Cholesky factor of a symmetric ``(p, p)`` matrix in that precision or a higher one.

        None if it is not positive definite.
        """

    def products(self, p: int) -> Products:
        """Room for products with matrices ``(p, p)``."""


class Host:
    """LAPACK, and the compiled panels of :mod:`glasso_cli.solvers.newton.products`."""

    def errors(self, p: int) -> AbstractContextManager[None]:
        """See :class:`Place`."""
        return nullcontext()

    def isolated(self, p: int) -> Inverse:
        """See :class:`Place`."""
        return Inverse(pages.identity(p, np.float32), 0.0)

    def factorise(self, matrix: np.ndarray, dtype: type[np.floating]) -> Factor | None:
        """See :class:`Place`."""
        order = elimination.order_of(matrix)
        return cholesky.factorise(matrix, dtype) if order is None else elimination.factorise(matrix, order, dtype)

    def products(self, p: int) -> Products:
        """See :class:`Place`."""
        from glasso_cli.solvers.newton.products import Panels

        return Panels(p)


def place_for(p: int) -> Place:
    """A CUDA device where there is one and p is large, the host otherwise.

    torch is not even imported where no driver is installed.
    """
    if p >= _SMALLEST and any(map(os.path.exists, _DRIVERS)):
        from glasso_cli.solvers.newton.device import cuda

        return cuda(p) or Host()
    return Host()
