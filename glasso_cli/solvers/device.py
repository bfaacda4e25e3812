"""The expensive parts of a Newton step on a torch device: dense, where the host's are sparse.

A device multiplies dense matrices faster than it follows a sparse pattern. So D is scattered into a dense matrix, W D W
takes two plain products, and its entries are gathered. Only patterns and entries travel in an iteration of conjugate
gradients; W travels once a step. Nothing is summed in an order that may change: the same device gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.errors import ServiceError
from glasso_cli.solvers.cholesky import Inverse
from glasso_cli.solvers.free_set import Symmetric

if TYPE_CHECKING:
    import torch

_BUFFERS = 8  # (p, p) float64 on the device at its peak, with room to spare


def cuda(p: int) -> Device | None:
    """The first CUDA device if it has room for problems of p neurons."""
    import torch

    if _cuda_memory() < 8 * _BUFFERS * p**2:
        return None
    return Device(torch.device("cuda", 0))


@cache
def _cuda_memory() -> int:
    """Bytes of the first CUDA device, 0 if there is none.

    All of them, whoever uses them now: where a problem is solved must not depend on the moment.
    """
    import torch

    return torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else 0


@dataclass(frozen=True)
class Device:
    """A torch device as a :class:`glasso_cli.solvers.place.Place`."""

    device: torch.device

    @contextmanager
    def errors(self, p: int) -> Iterator[None]:
        """See :class:`glasso_cli.solvers.place.Place`: another process may have taken the room that was counted on."""
        import torch

        try:
            yield
        except torch.OutOfMemoryError as error:
            raise ServiceError(
                f"The GPU has no room left to fit {p:,} neurons.",
                "Free its memory, or set CUDA_VISIBLE_DEVICES= to fit on the CPU.",
            ) from error

    def factorise(self, matrix: np.ndarray, dtype: type[np.floating] = np.float64) -> DeviceFactor | None:
        """The Cholesky factor, in float64 whatever is asked for; None if it is not positive definite."""
        import torch

        lower, failed = torch.linalg.cholesky_ex(torch.as_tensor(matrix, dtype=torch.float64, device=self.device))
        diagonal = lower.diagonal()
        if failed.item() or not diagonal.isfinite().all().item():
            return None
        return DeviceFactor(lower, 2.0 * float(diagonal.log().sum().item()))

    def products(self, p: int) -> DenseProducts:
        """Products with matrices ``(p, p)``."""
        return DenseProducts(self.device, p)


@dataclass(frozen=True, eq=False)
class DeviceFactor:
    """A Cholesky factor that is on the device."""

    lower: torch.Tensor  # (p, p) float64
    log_det: float  # of the matrix that was factorised

    def inverse(self) -> Inverse:
        """The inverse of the matrix, on the host, exactly symmetric."""
        import torch

        inverse = torch.cholesky_inverse(self.lower).tril_()
        inverse += inverse.tril(-1).T
        return Inverse(inverse.cpu().numpy(), self.log_det)


class DenseProducts:
    """Products in the precision of the W loaded, as :class:`glasso_cli.solvers.place.Products`."""

    def __init__(self, device: torch.device, p: int) -> None:
        self.swept = np.empty((p, p), dtype=np.float32)
        self._device = device
        self._W: torch.Tensor

    def load(self, W: np.ndarray) -> None:
        """Go on with this ``W (p, p)``, float32 or float64."""
        self._W = self._there(W)

    def add_low_rank(self, left: np.ndarray, right: np.ndarray) -> None:
        """Add ``left right'``, of ``(p, k)`` factors, to W."""
        self._W = self._W.addmm(self._there(left), self._there(right).T)  # not in place: on a CPU it is the caller's

    def after_sweep(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """W D W on entries ``(m,)``, for the D whose product with W is in ``swept``."""
        return self._entries(self._W @ self._there(self.swept), rows, cols)

    def product(self, pattern: Symmetric, rows: np.ndarray, cols: np.ndarray, values: np.ndarray) -> np.ndarray:
        """W D W on entries ``(m,)``, for the D that has ``values`` on ``pattern``."""
        D = self._dense(pattern.indptr, pattern.indices, values[pattern.entry], self._W.dtype)
        return self._entries(self._W @ (D @ self._W), rows, cols)

    def sandwich(
        self, Theta: csr_array, pattern: Symmetric, rows: np.ndarray, cols: np.ndarray, values: np.ndarray
    ) -> np.ndarray:
        """Theta X Theta on entries ``(m,)``, for the X that has ``values`` on ``pattern``."""
        outer = self._dense(Theta.indptr, Theta.indices, Theta.data)
        X = self._dense(pattern.indptr, pattern.indices, values[pattern.entry], outer.dtype)
        return self._entries(outer @ (X @ outer), rows, cols)

    def _there(self, array: np.ndarray, dtype: torch.dtype | None = None) -> torch.Tensor:
        import torch

        return torch.as_tensor(array, dtype=dtype, device=self._device)

    def _dense(
        self, indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, dtype: torch.dtype | None = None
    ) -> torch.Tensor:
        """A matrix ``(p, p)`` given in CSR form."""
        import torch

        p = len(indptr) - 1
        entries = self._there(data, dtype)
        rows = torch.arange(p, device=self._device).repeat_interleave(self._there(np.diff(indptr)))
        out = torch.zeros((p, p), dtype=entries.dtype, device=self._device)
        out[rows, self._there(indices, torch.int64)] = entries
        return out

    def _entries(self, matrix: torch.Tensor, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        import torch

        some = matrix[self._there(rows, torch.int64), self._there(cols, torch.int64)]
        return some.double().cpu().numpy()
