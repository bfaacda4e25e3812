"""How many threads compiled code may use: BLAS, torch and the solvers' own kernels alike.

``OMP_NUM_THREADS`` is the one place that says it. BLAS and torch read it when they are loaded; numba never does,
so the solvers run their kernels under :func:`numba_limited`. The number is part of no cache key.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

from glasso_cli.engine.machine import cores
from glasso_cli.errors import ConfigError

_OWN_NAMES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")  # they win over the common one
_NAMES = ("OMP_NUM_THREADS", *_OWN_NAMES)


def keep_workers_from_spinning() -> None:
    """Set ``OPENBLAS_THREAD_TIMEOUT`` and ``OMP_WAIT_POLICY`` unless they are set; only what is loaded after this call reads them.

    OpenBLAS's workers spin for 2^26 cycles after every call, on cores that its other copy (NumPy and SciPy each bring one)
    and the solvers' kernels want: an inverse of 100 neurons took 8 ms on two cores, and takes 0.2. OpenMP's, of torch and
    of the kernels, spin at every barrier for a thread that another process keeps waiting: beside other work, a fit of 2,048
    neurons on two threads took 9 s, and takes 4; alone it takes the same.
    """
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "12")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def allowed() -> int:
    """What ``OMP_NUM_THREADS`` says, or every core if it says nothing."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else cores()


def variables(threads: int) -> dict[str, str]:
    """What the environment of another process must say, so that compiled code there has this many threads."""
    return dict.fromkeys(_NAMES, str(threads))


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """Compiled code on ``threads`` threads, loaded by now or later; None leaves all as it is.

    Raises :class:`ConfigError` for a number below 1 or above that of the cores.
    """
    if threads is None:
        yield
        return
    _check(threads)
    with ExitStack() as stack:
        stack.enter_context(environment(variables(threads)))
        if "torch" in sys.modules:  # first: within the other, torch would say that it had as few threads before
            stack.enter_context(_torch(threads))
        if "numpy" in sys.modules:
            from threadpoolctl import threadpool_limits

            stack.enter_context(threadpool_limits(threads))
        yield


@contextmanager
def numba_limited() -> Iterator[None]:
    """Numba's kernels on the threads that are allowed, or on fewer if numba was told so."""
    import numba

    _start_numba()
    before = numba.get_num_threads()
    numba.set_num_threads(min(before, allowed()))
    try:
        yield
    finally:
        numba.set_num_threads(before)


@cache
def _start_numba() -> None:
    """Start numba's threads, which it does once in a process: that would leave OpenMP, and torch, on every core."""
    import numba
    from threadpoolctl import threadpool_limits

    with threadpool_limits(allowed(), user_api="openmp"):  # asks every library that is loaded: milliseconds
        numba.get_num_threads()


@contextmanager
def numpy_on_one_thread() -> Iterator[None]:
    """NumPy's own BLAS on one thread, while SciPy's LAPACK and numba keep theirs.

    The workers of a BLAS spin for a while after every call. Two of them and numba's threads on the same cores slow each
    other down: 5.2 s instead of 7.0 s for a layer of 2,048 neurons on two cores.
    """
    with _numpy_blas().limit(limits=1):
        yield


@cache
def _numpy_blas() -> Any:
    """The BLAS that came with NumPy; none where NumPy and SciPy share one."""
    from threadpoolctl import ThreadpoolController

    loaded = ThreadpoolController()
    own = [library["filepath"] for library in loaded.info() if "numpy.libs" in library["filepath"]]
    return loaded.select(filepath=own)


def _check(threads: int) -> None:
    most = cores()
    if threads < 1:
        problem = f"--threads {threads} is not a number of threads."
    elif threads > most:
        problem = f"--threads {threads} is more than this machine has: {most}."
    else:
        return
    raise ConfigError(problem, f"Give a number from 1 to {most}, or leave it out for all of them.")


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """The variables ``values`` in the environment of this process, and of those that it starts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _torch(threads: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
