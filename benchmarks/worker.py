"""A solver in a process of its own: with so many threads, measured, and ended with all its children at the limit."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from scipy.sparse import csr_array, load_npz, save_npz

START = 600.0  # seconds that imports and compilation may take
GRACE = 10.0  # seconds that the way to a result and back may take
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMBA_NUM_THREADS")
WARM_UP = 100  # neurons


@dataclass(frozen=True)
class Answer:
    """What one solve came to: ``files`` hold a sparse precision matrix for every alpha."""

    seconds: float
    files: tuple[Path, ...] = ()
    peak: float = np.nan  # bytes resident at most, of this solve
    extra: float = np.nan  # of them, those not there before S was read
    trouble: str = ""  # why there are no files
    over_limit: bool = False

    def precisions(self) -> Iterator[np.ndarray]:
        return (load_npz(file).toarray() for file in self.files)


class Worker:
    """A process that answers one solve after another until it is over the limit or dies."""

    def __init__(self, solver: str, matrix: Path, alphas: Sequence[float], threads: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        context = multiprocessing.get_context("spawn")  # BLAS threads do not survive a fork
        self._pipe, other = context.Pipe()
        job = (other, solver, matrix, [float(alpha) for alpha in alphas], Path(self._folder.name))
        self._process = context.Process(target=_serve, args=job)
        with _limited(threads):
            self._process.start()
        other.close()

    def solve(self, setting: str, limit: float) -> Answer:
        started = time.perf_counter()
        try:
            if self._pipe.poll(START):
                self._pipe.recv()  # it is ready
                self._pipe.send(setting)
                started = time.perf_counter()
                if self._pipe.poll(limit + GRACE):
                    answer: Answer = self._pipe.recv()
                    return Answer(limit, over_limit=True) if answer.seconds > limit else answer
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._process.join(GRACE)
            return Answer(time.perf_counter() - started, trouble=f"died with status {self._process.exitcode}")
        self._end()
        return Answer(limit, over_limit=True)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()
        self._pipe.close()
        self._folder.cleanup()

    def _end(self) -> None:
        if self._process.pid is not None and self._process.is_alive():
            with suppress(ProcessLookupError):  # it may not lead its group yet
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
        self._process.join()


@contextmanager
def _limited(threads: int) -> Iterator[None]:
    """An environment for the next process: a library it loads later is limited too."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def write_matrix(S: np.ndarray, file: Path) -> Path:
    np.ascontiguousarray(S, dtype=np.float64).tofile(file)
    return file


# -- in the process -------------------------------------------------------------------------------


def _serve(pipe: Connection, solver: str, matrix: Path, alphas: list[float], folder: Path) -> None:
    os.setsid()  # its own children, Rscript among them, go with it
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)  # and what it leaves when it is ended goes with the folder
    solve = _solve_of(solver)
    S = np.fromfile(matrix)
    p = round(len(S) ** 0.5)
    _warm_up(solver, solve, S.reshape(p, p), alphas)
    before = _memory("VmRSS") - S.nbytes
    with suppress(EOFError):  # nothing more is asked
        for number in range(1000):
            pipe.send("ready")
            setting = pipe.recv()
            _forget_peak()
            pipe.send(_answer(solve, S.reshape(p, p), alphas, setting, folder / str(number), before))


def _solve_of(solver: str) -> Any:
    from peers import PEERS, unit

    return unit if solver == "unit" else PEERS[solver].solve


def _warm_up(solver: str, solve: Any, S: np.ndarray, alphas: list[float]) -> None:
    """Imports and compiles, on a small part of the problem."""
    from peers import PEERS

    if solver in PEERS and PEERS[solver].in_r:
        return
    ladder = PEERS[solver].ladder if solver in PEERS else ()
    some = np.ascontiguousarray(S[:WARM_UP, :WARM_UP])
    with suppress(Exception):  # what is wrong shows up in the solve itself
        solve(some, alphas, ladder[0] if ladder else "tol=1e-6")


def _answer(solve: Any, S: np.ndarray, alphas: list[float], setting: str, stem: Path, before: float) -> Answer:
    started = time.perf_counter()
    try:
        seconds, results = solve(S, alphas, setting)
    except Exception as error:
        trouble = traceback.format_exception_only(type(error), error)[-1].strip()
        return Answer(time.perf_counter() - started, trouble=trouble[:300])
    peak = _memory("VmHWM")
    files = []
    for index, result in enumerate(results):
        files.append(stem.with_name(f"{stem.name}-{index}.npz"))
        save_npz(files[-1], csr_array(result), compressed=False)
    return Answer(seconds, tuple(files), peak, peak - before)


def _memory(field: str) -> float:
    """Bytes, by Linux's account of this process; NaN elsewhere."""
    status = Path("/proc/self/status")
    if not status.exists():
        return np.nan
    line = next(line for line in status.read_text().splitlines() if line.startswith(field))
    return float(line.split()[1]) * 1024


def _forget_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
