"""Cholesky factor and inverse of large matrices in place, by BLAS and LAPACK on parts of at most :data:`LARGEST` rows.

OpenBLAS, which comes with NumPy and SciPy, gives symmetric rank-k updates a buffer of fixed size. With two threads it writes
past its end from about 15,500 rows on, and the process dies (its issues 2562 and 2821; SciPy 1.17 has OpenBLAS 0.3.30).
So a matrix is halved until its parts are small. Products of different parts, and triangular ones, have no such limit.
SciPy's functions copy a part of a matrix. Here they are called by address, with the distance between columns.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

LARGEST = 8_192  # rows of a part; the limit is lower with other processors and numbers of threads than measured


def factorise(a: np.ndarray) -> bool:
    """The Cholesky factor in place of a matrix, by its lower triangle; False where it is not positive definite.

    ``a (p, p)`` is column-major, float32 or float64. What is above the diagonal stays.
    """
    return _factorise(_Part.whole(a))


def invert(lower: np.ndarray) -> None:
    """The lower triangle of the inverse of a matrix in place of its Cholesky factor ``lower (p, p)``, as above."""
    part = _Part.whole(lower)
    _invert_triangle(part)
    _square_triangle(part)


class _Part:
    """Some rows and columns of a column-major matrix."""

    def __init__(self, address: int, dtype: np.dtype[Any], rows: int, cols: int, step: int) -> None:
        self.address, self.dtype, self.rows, self.cols, self.step = address, dtype, rows, cols, step

    @classmethod
    def whole(cls, a: np.ndarray) -> _Part:
        """All of a square matrix."""
        if a.dtype not in (np.float32, np.float64) or not a.flags.f_contiguous or a.shape != (len(a), len(a)):
            raise ValueError(f"a {a.dtype} array of shape {a.shape} is not square, column-major, float32 or float64")
        return cls(a.ctypes.data, a.dtype, len(a), len(a), max(1, len(a)))

    def at(self, row: int, col: int, rows: int, cols: int) -> _Part:
        """The part that begins at a row and column of this one."""
        place = self.address + self.dtype.itemsize * (row + col * self.step)
        return _Part(place, self.dtype, rows, cols, self.step)

    def quarters(self) -> tuple[_Part, _Part, _Part]:
        """Of a square part: the upper left, the lower left and the lower right."""
        first = self.rows // 2
        rest = self.rows - first
        return self.at(0, 0, first, first), self.at(first, 0, rest, first), self.at(first, first, rest, rest)

    def halves_of_rows(self, first: int) -> tuple[_Part, _Part]:
        return self.at(0, 0, first, self.cols), self.at(first, 0, self.rows - first, self.cols)

    def halves_of_cols(self, first: int) -> tuple[_Part, _Part]:
        return self.at(0, 0, self.rows, first), self.at(0, first, self.rows, self.cols - first)


def _factorise(a: _Part) -> bool:
    if a.rows <= LARGEST:
        return _lapack("potrf", a, "L") == 0
    top, below, rest = a.quarters()
    if not _factorise(top):
        return False
    _call("trsm", a, "R", "L", "T", "N", below.rows, below.cols, 1.0, top, below)  # below L^-T
    _add_square(rest, below, -1.0, transposed=False)
    return _factorise(rest)


def _invert_triangle(lower: _Part) -> None:
    """L^-1 in the place of L."""
    if lower.rows <= LARGEST:
        _lapack("trtri", lower, "L", "N")
        return
    top, below, rest = lower.quarters()
    _call("trsm", lower, "L", "L", "N", "N", below.rows, below.cols, -1.0, rest, below)
    _call("trsm", lower, "R", "L", "N", "N", below.rows, below.cols, 1.0, top, below)
    _invert_triangle(top)
    _invert_triangle(rest)


def _square_triangle(lower: _Part) -> None:
    """The lower triangle of L' L in the place of L."""
    if lower.rows <= LARGEST:
        _lapack("lauum", lower, "L")
        return
    top, below, rest = lower.quarters()
    _square_triangle(top)
    _add_square(top, below, 1.0, transposed=True)
    _call("trmm", lower, "L", "L", "T", "N", below.rows, below.cols, 1.0, rest, below)
    _square_triangle(rest)


def _add_square(c: _Part, a: _Part, factor: float, transposed: bool) -> None:
    """Add ``factor`` times A A', or A' A where ``transposed``, to the lower triangle of C."""
    k = a.rows if transposed else a.cols
    if c.rows <= LARGEST:
        _call("syrk", c, "L", "T" if transposed else "N", c.rows, k, factor, a, 1.0, c)
        return
    top, below, rest = c.quarters()
    first, second = a.halves_of_cols(top.rows) if transposed else a.halves_of_rows(top.rows)
    _add_square(top, first, factor, transposed)
    ways = ("T", "N") if transposed else ("N", "T")
    _call("gemm", c, *ways, below.rows, below.cols, k, factor, second, first, 1.0, below)
    _add_square(rest, second, factor, transposed)


# -- calls by address ---------------------------------------------------------------------------------


def _call(name: str, kind: _Part, *arguments: str | int | float | _Part) -> None:
    """Call a function of BLAS for matrices of the type of ``kind``; a part stands for its address and its step."""
    scalar = ctypes.c_double if kind.dtype == np.float64 else ctypes.c_float
    passed: list[Any] = []
    for argument in arguments:
        if isinstance(argument, _Part):
            passed += [ctypes.c_void_p(argument.address), ctypes.byref(ctypes.c_int(argument.step))]
        elif isinstance(argument, str):
            passed.append(ctypes.c_char_p(argument.encode()))
        else:
            passed.append(ctypes.byref(ctypes.c_int(argument) if isinstance(argument, int) else scalar(argument)))
    _function("scipy.linalg.cython_blas", _typed(name, kind))(*passed)


def _lapack(name: str, part: _Part, *how: str) -> int:
    """Call a function of LAPACK on a square part; its ``info``."""
    info, size, step = ctypes.c_int(0), ctypes.c_int(part.rows), ctypes.c_int(part.step)
    function = _function("scipy.linalg.cython_lapack", _typed(name, part))
    words = [ctypes.c_char_p(word.encode()) for word in how]
    function(*words, ctypes.byref(size), ctypes.c_void_p(part.address), ctypes.byref(step), ctypes.byref(info))
    return info.value


def _typed(name: str, part: _Part) -> str:
    return ("d" if part.dtype == np.float64 else "s") + name


@cache
def _function(module: str, name: str) -> Callable[..., None]:
    from numba.extending import get_cython_function_address

    return ctypes.CFUNCTYPE(None)(get_cython_function_address(module, name))
