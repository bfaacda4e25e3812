"""Log determinant and inverse of symmetric positive definite matrices, by LAPACK in place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from glasso_cli.linalg import large_cholesky, pages


@dataclass(frozen=True, eq=False)
class Inverse:
    """The inverse W of a positive definite matrix and the matrix's own log determinant."""

    matrix: np.ndarray  # (p, p) float64, or the precision asked for; exactly symmetric
    log_det: float  # log det of the matrix that was inverted

    @property
    def product_trace(self) -> float:
        """tr(Theta W) for the matrix Theta that the solvers go by, but for rounding."""
        return float(len(self.matrix))


@dataclass(frozen=True, eq=False)
class Factor:
    """A Cholesky factor, for a caller who wants the determinant first and the inverse only then."""

    lower: np.ndarray
    log_det: float  # of the matrix that was factorised

    def solve(self, right: np.ndarray) -> np.ndarray:
        """X ``(p, m)`` with A X = ``right``, for the matrix A that was factorised."""
        (potrs,) = lapack.get_lapack_funcs(("potrs",), (self.lower,))
        solved, _ = potrs(self.lower, right, lower=1)
        return np.asarray(solved)

    def last_of_inverse(self, m: int) -> np.ndarray:
        """The last m rows and columns ``(m, m)`` of the inverse, in float64: those of the factor alone decide them."""
        last = np.tril(self.lower[-m:, -m:]).astype(np.float64)
        (potri,) = lapack.get_lapack_funcs(("potri",), (last,))
        lower, _ = potri(last, lower=1)
        return np.asarray(np.tril(lower) + np.tril(lower, -1).T)

    def inverse(self) -> Inverse:
        """The inverse of the matrix; it takes the place of the factor, which can be used once."""
        from glasso_cli.linalg.mirror import mirror

        if len(self.lower) > large_cholesky.LARGEST:
            large_cholesky.invert(self.lower)
            upper = self.lower.T  # row-major this way round
        else:
            (potri,) = lapack.get_lapack_funcs(("potri",), (self.lower,))
            upper = potri(self.lower, lower=1, overwrite_c=1)[0].T
        mirror(upper)
        return Inverse(upper, self.log_det)


def log_det(matrix: np.ndarray, overwrite: bool = False) -> float:
    """log det of a symmetric matrix ``(p, p)``, or -inf if it is not positive definite.

    With ``overwrite`` a float64 matrix is destroyed instead of copied.
    """
    factor = factorise(matrix, overwrite=overwrite)
    return -np.inf if factor is None else factor.log_det


def invert(matrix: np.ndarray, overwrite: bool = False) -> Inverse | None:
    """The inverse and log determinant of a symmetric matrix, or None if it is not positive definite.

    A Cholesky factor and its inverse, p^3 flop: a general inverse takes nearly three times as long.
    With ``overwrite`` the inverse takes the place of a row-major float64 matrix.
    """
    factor = factorise(matrix, overwrite=overwrite)
    return None if factor is None else factor.inverse()


def factorise(
    matrix: np.ndarray, dtype: type[np.floating] = np.float64, overwrite: bool = False, clean: bool = False
) -> Factor | None:
    """The Cholesky factor of a symmetric matrix in that precision, or None if it is not positive definite.

    With ``overwrite`` the factor takes the place of a matrix that is row-major and of that precision already. A ``clean``
    one is zero above the diagonal, where others hold whatever the matrix did.
    """
    # a row-major symmetric matrix is column-major transposed: a plain copy, no reordering
    work = np.asarray(matrix.T, dtype=dtype, order="F") if overwrite else pages.copy(matrix, dtype).T
    if len(work) > large_cholesky.LARGEST:
        factor, failed = work, not large_cholesky.factorise(work)
        if clean:
            _clear_above_diagonal(factor)
    else:
        (potrf,) = lapack.get_lapack_funcs(("potrf",), (work,))
        factor, failed = potrf(work, lower=1, overwrite_a=1, clean=clean)
    diagonal = factor.diagonal()
    if failed or not np.isfinite(diagonal).all():
        return None
    return Factor(factor, 2.0 * float(np.log(diagonal, dtype=np.float64).sum()))


def _clear_above_diagonal(factor: np.ndarray) -> None:
    for col in range(1, len(factor)):
        factor[:col, col] = 0.0
