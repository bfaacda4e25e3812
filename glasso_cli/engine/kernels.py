"""The compiled kernels of a fit, compiled by a process beside this one while something else is going on.

numba compiles a kernel when it is first called, on one core, which adds up to half a minute after an install. Its cache on disk
then serves every later process. ``kernels.txt`` names each kernel with the types it is called with: first those that few fits
need, then the others in the order in which a run needs them. The process beside this one goes through them from the last
to the first. It is then never at work on the kernel that this process wants next, unless the two meet.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from glasso_cli.engine import threads
from glasso_cli.engine.processes import started
from glasso_cli.errors import ServiceError
from glasso_cli.files import atomic_write, user_cache

_LIST = Path(__file__).with_name("kernels.txt")
_PACKAGE = "glasso_cli."


@contextmanager
def compiled_beside() -> Iterator[None]:
    """Compile what is not in numba's cache yet, in a process that ends when the block does, or when this process is killed.

    There is none where all is compiled already, and none where one thread is allowed, which has other work.
    """
    if threads.allowed() < 2 or _are_compiled():
        yield
        return
    process = started(_compile_beside)
    try:
        yield
    finally:
        process.kill()  # numba's cache is written to temporary files that take their names when they are whole
        process.join()


def known() -> list[str]:
    """The lines of the list: a kernel and the types of its arguments."""
    return _LIST.read_text(encoding="utf-8").splitlines()


def used() -> list[str]:
    """The lines of the kernels that this process has called, or compiled for others that it called."""
    from numba.core.dispatcher import Dispatcher

    lines = []
    for name, module in list(sys.modules.items()):
        if name.startswith(_PACKAGE):
            for kernel, value in vars(module).items():
                if isinstance(value, Dispatcher) and value.__module__ == name:
                    lines += [_line(f"{name.removeprefix(_PACKAGE)}.{kernel}", types) for types in value.signatures]
    return sorted(lines)


def compile_kernels(lines: Iterable[str]) -> None:
    """Compile the kernels of ``lines``, or load them from numba's cache."""
    for line in lines:
        name, *words = line.split(" ")
        module, _, kernel = name.rpartition(".")
        getattr(importlib.import_module(_PACKAGE + module), kernel).compile(tuple(map(_type_of, words)))


# -- the process --------------------------------------------------------------------------------------


def _compile_beside() -> None:
    if hasattr(os, "nice"):
        os.nice(19)  # it takes what the parent leaves
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere), suppress(Exception):
        compile_kernels(reversed(known()))  # what goes wrong here shows when the parent compiles
        _write_stamp()


def _write_stamp() -> None:
    with suppress(ServiceError), atomic_write(_stamp(), "w") as file:  # the next process then looks again
        file.write(_state())


def _are_compiled() -> bool:
    """Whether a process went through all kernels as they are now."""
    try:
        return _stamp().read_text(encoding="utf-8") == _state()
    except OSError:
        return False


def _stamp() -> Path:
    """The file that says which kernels are compiled, for one cache of numba on one machine."""
    cache = os.environ.get("NUMBA_CACHE_DIR", "")
    place = hashlib.sha256("\n".join((platform.node(), str(_LIST), cache)).encode()).hexdigest()
    return user_cache() / "kernels" / f"{place[:16]}.txt"


def _state() -> str:
    """A digest of what numba goes by: the sources and versions."""
    parts = [version("numba"), version("llvmlite"), platform.python_version(), *known()]
    for module in sorted({line.split(" ")[0].rpartition(".")[0] for line in known()}):
        about = _LIST.parents[1].joinpath(*module.split(".")).with_suffix(".py").stat()
        parts.append(f"{module} {about.st_mtime_ns} {about.st_size}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


# -- types as words -----------------------------------------------------------------------------------


def _line(name: str, types: Iterable[Any]) -> str:
    return " ".join([name, *map(_word_of, types)])


def _word_of(type_: Any) -> str:
    """A type of numba as a word: ``int64``, or ``float32/2C`` for a matrix by rows; ``float64/2Ar`` is read-only."""
    from numba import types

    if not isinstance(type_, types.Array):
        return str(type_)
    return f"{type_.dtype}/{type_.ndim}{type_.layout}{'' if type_.mutable else 'r'}"


def _type_of(word: str) -> Any:
    from numba import types

    name, _, shape = word.partition("/")
    scalar: Any = getattr(types, name)
    layout: Any = shape[1:2]
    return types.Array(scalar, int(shape[0]), layout, readonly=shape.endswith("r")) if shape else scalar
