"""The expensive parts of a Newton step on a torch device: dense, where the host's are sparse.

A device multiplies dense matrices faster than it follows a sparse pattern. So D is scattered into a dense matrix, W D W
takes two plain products, and its entries are gathered. Only entries travel in an iteration of conjugate gradients;
Theta and its inverse W travel once a step. What is sparse throughout, the preconditioner, stays on the host. Nothing is
summed in an order that may change: the same device gives the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.errors import ServiceError
from glasso_cli.linalg.cholesky import Inverse
from glasso_cli.solvers.newton.free_set import Symmetric

if TYPE_CHECKING:
    import torch

_BUFFERS = 8  # (p, p) float64 on the device at its peak, with room to spare
_KNOWN = 8  # patterns and places of entries that stay on the device


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
    """A torch device as a :class:`glasso_cli.solvers.newton.place.Place`."""

    device: torch.device

    @contextmanager
    def errors(self, p: int) -> Iterator[None]:
        """See :class:`glasso_cli.solvers.newton.place.Place`: another process may have taken the room that was counted on."""
        import torch

        try:
            yield
        except torch.OutOfMemoryError as error:
            raise ServiceError(
                f"The GPU has no room left to fit {p:,} neurons.",
                "Free its memory, or set CUDA_VISIBLE_DEVICES= to fit on the CPU.",
            ) from error

    def isolated(self, p: int) -> Inverse:
        """That of the identity ``(p, p)``."""
        return Inverse(np.eye(p), 0.0)

    def factorise(self, matrix: np.ndarray, dtype: type[np.floating] = np.float64) -> DeviceFactor | None:
        """The Cholesky factor in that precision; None if it is not positive definite."""
        import torch

        precision = torch.float32 if dtype == np.float32 else torch.float64
        there = torch.as_tensor(matrix).to(precision).to(self.device)  # converted here: half as much travels
        lower, failed = torch.linalg.cholesky_ex(there)
        diagonal = lower.diagonal()
        if failed.item() or not diagonal.isfinite().all().item():
            return None
        return DeviceFactor(lower, 2.0 * float(diagonal.double().log().sum().item()))

    def products(self, p: int) -> DenseProducts:
        """Products with matrices ``(p, p)``."""
        return DenseProducts(self.device, p)


@dataclass(frozen=True, eq=False)
class DeviceInverse(Inverse):
    """An inverse that is on the device too."""

    there: torch.Tensor  # (p, p), equal to the matrix


@dataclass(frozen=True, eq=False)
class DeviceFactor:
    """A Cholesky factor that is on the device."""

    lower: torch.Tensor  # (p, p) float32 or float64
    log_det: float  # of the matrix that was factorised

    def inverse(self) -> DeviceInverse:
        """The inverse of the matrix, exactly symmetric."""
        import torch

        inverse = torch.cholesky_inverse(self.lower).tril_()
        inverse += inverse.tril(-1).T
        if not inverse.is_contiguous():  # column-major, as LAPACK has it: the host reads rows
            inverse = inverse.T
        return DeviceInverse(inverse.cpu().numpy(), self.log_det, inverse)


class DenseProducts:
    """Products in float32, as :class:`glasso_cli.solvers.newton.place.Products`.

    Patterns travel once: an array of a pattern must not be changed.
    """

    def __init__(self, device: torch.device, p: int) -> None:
        self._device, self._p = device, p
        self._W: torch.Tensor
        self._known: deque[tuple[tuple[np.ndarray, ...], torch.Tensor]] = deque(maxlen=_KNOWN)

    def load(self, inverse: Inverse) -> np.ndarray:
        """See :class:`glasso_cli.solvers.newton.place.Products`."""
        rows = np.ascontiguousarray(inverse.matrix, dtype=np.float32)
        self._W = inverse.there.float() if isinstance(inverse, DeviceInverse) else self._there(rows)
        return rows

    def add_low_rank(self, left: np.ndarray, right: np.ndarray) -> None:
        """Add ``left right'``, of ``(p, k)`` factors, to W."""
        self._W = self._W.addmm(self._there(left), self._there(right).T)  # not in place: it may be the caller's

    def times(self, vectors: np.ndarray) -> np.ndarray:
        """W V, ``(p, k)`` float32."""
        return (self._W @ self._there(vectors)).cpu().numpy()

    def product(self, pattern: Symmetric, rows: np.ndarray, cols: np.ndarray, values: np.ndarray) -> np.ndarray:
        """W D W on entries ``(m,)``, for the D that has ``values`` on ``pattern``."""
        import torch

        where = self._once(self._places_in_rows, pattern.indptr, pattern.indices)
        entries = self._there(values).float()[self._once(self._there, pattern.entry)]
        D = torch.zeros(self._p**2, device=self._device).scatter_(0, where, entries).view(self._p, self._p)
        return self._entries(self._W @ (D @ self._W), rows, cols)

    def surplus(self, pattern: Symmetric, rows: np.ndarray, cols: np.ndarray, values: np.ndarray) -> None:
        """None: see :class:`glasso_cli.solvers.newton.place.Products`."""

    # -- between the host's patterns and dense matrices there -----------------------------------------------

    def _entries(self, matrix: torch.Tensor, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        return matrix.take(self._once(self._places, rows, cols)).cpu().numpy().astype(np.float64)

    def _places_in_rows(self, indptr: np.ndarray, indices: np.ndarray) -> torch.Tensor:
        """Where the entries of a CSR matrix are in a dense one."""
        import torch

        rows = torch.arange(self._p, device=self._device).repeat_interleave(self._there(np.diff(indptr)))
        return rows * self._p + self._there(indices)

    def _places(self, rows: np.ndarray, cols: np.ndarray) -> torch.Tensor:
        """Where entries are in a dense matrix."""
        return self._there(rows).long() * self._p + self._there(cols)

    def _once(self, make: Callable[..., torch.Tensor], *arrays: np.ndarray) -> torch.Tensor:
        """What is made of arrays; of those met last it is there already."""
        for met, made in self._known:
            if len(met) == len(arrays) and all(a is b for a, b in zip(met, arrays)):
                return made
        self._known.append((arrays, make(*arrays)))
        return self._known[-1][1]

    def _there(self, array: np.ndarray) -> torch.Tensor:
        import torch

        return torch.as_tensor(array, device=self._device)
