"""The list of compiled kernels is what a fit calls, and the process that compiles them leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from multiprocessing import active_children
from pathlib import Path

import psutil
import pytest

from glasso_cli.engine import kernels
from glasso_cli.engine.kernels import compile_kernels, compiled_beside, known

# Fits a corpus in a file by both estimates, of all neurons and of some, and lays its graph out: what it calls goes to stdout.
FITS = """
import sys
from pathlib import Path
import numpy as np
from numba.core.dispatcher import Dispatcher
from glasso_cli.artifacts import ActivationStats
from glasso_cli.config import FitSection
from glasso_cli.engine.kernels import used
from glasso_cli.fitting.run import fit_corpus
from glasso_cli.report.explorer.layout import lay_out
from support.planted_corpora import statistics, tokens_of

p = 300
precision = np.eye(p) + 0.3 * (np.eye(p, k=1) + np.eye(p, k=-1))
path = Path(sys.argv[1]) / "stats.npz"
statistics(tokens_of(precision, 32, 80, 0)).save(path)
stats = ActivationStats.load(path)
for neurons in ("all", 280):
    for estimate in ("inverse", "lasso"):
        section = FitSection(alpha=(0.3, 0.02), neurons=neurons, estimate=estimate, half_samples=2, workers=1)
        fit = fit_corpus(stats, section)
part = fit.drawn()
lay_out(len(fit.neuron_ids), fit.rows[part], fit.cols[part], np.abs(fit.values[part]), fit.communities)
print("\\n".join(used()))
missed = [
    f"{name}.{kernel}"
    for name, module in list(sys.modules.items())
    if name.startswith("glasso_cli.")
    for kernel, value in vars(module).items()
    if isinstance(value, Dispatcher) and value.stats.cache_misses
]
print(missed, file=sys.stderr)
"""

# Solves one problem.
SOLVES = """
import sys
from glasso_cli.solvers.registry import SOLVERS
from support.glasso_problems import neuron_like
sys.stdout.buffer.write(SOLVERS["newton"](neuron_like(90), 0.05, tol=1e-9).precision.tobytes())
"""

# Holds the process that compiles until it is killed; the first word on stdout is its number.
HOLDS = """
import multiprocessing, time
from glasso_cli.engine.kernels import compiled_beside

if __name__ == "__main__":
    with compiled_beside():
        print(multiprocessing.active_children()[0].pid, flush=True)
        time.sleep(60)
"""


def _environment(folder: Path) -> dict[str, str]:
    """What processes are to see: two threads, and nothing compiled."""
    return {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "GLASSO_CACHE_DIR": str(folder),
        "NUMBA_CACHE_DIR": str(folder / "numba"),
        "OMP_NUM_THREADS": "2",
    }


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A folder with caches of all kernels, and what the process gave that compiled the first of them."""
    folder = tmp_path_factory.mktemp("compiled")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _environment(folder).items():
            patch.setenv(name, value)
        solved = _solved()
        with compiled_beside():
            (process,) = active_children()
            process.join(600)
            assert process.exitcode == 0
    return folder, solved


def _solved() -> bytes:
    """The bytes of a solution, from a process of its own."""
    return subprocess.run([sys.executable, "-c", SOLVES], capture_output=True, check=True).stdout


@pytest.fixture
def there(compiled: tuple[Path, bytes], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the compiled kernels, which processes use."""
    folder, _ = compiled
    for name, value in _environment(folder).items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.mark.slow
@pytest.mark.usefixtures("there")
def test_the_process_that_compiles_gives_the_same_bytes_as_those_after_it(compiled: tuple[Path, bytes]) -> None:
    _, first = compiled
    assert len(first) == 8 * 90**2
    assert _solved() == first


@pytest.mark.slow
def test_a_fit_calls_kernels_of_the_list_and_compiles_none_after_the_process(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.run([sys.executable, "-c", FITS, str(there)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    used = set(done.stdout.splitlines())
    assert len(used) > 30
    assert used - set(known()) == set(), "add these lines to glasso_cli/engine/kernels.txt"
    assert done.stderr.splitlines()[-1] == "[]", "compiled although they are in the list"
    with compiled_beside():  # all is compiled
        assert not active_children()
    monkeypatch.setattr(kernels, "known", lambda: [*known(), known()[0]])
    assert not kernels._are_compiled()


def test_the_list_names_kernels_that_there_are_each_once() -> None:
    assert len(set(known())) == len(known())
    for line in known():
        name, *words = line.split(" ")
        module, _, kernel = name.rpartition(".")
        imported = __import__(f"glasso_cli.{module}", fromlist=[kernel])
        types = tuple(map(kernels._type_of, words))
        assert kernels._line(name, types) == line
        assert len(getattr(imported, kernel).py_func.__annotations__) - 1 == len(types)


def test_a_kernel_of_the_list_is_compiled_for_its_types() -> None:
    from glasso_cli.linalg.mirror import mirror

    line = "linalg.mirror.mirror float32/2C"
    assert line in known()
    compile_kernels([line])
    assert line in {kernels._line("linalg.mirror.mirror", types) for types in mirror.signatures}


def test_one_thread_has_other_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSO_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with compiled_beside():
        assert not active_children()


def test_the_process_ends_with_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(KeyboardInterrupt), compiled_beside():
        (process,) = active_children()
        raise KeyboardInterrupt
    assert process.exitcode == -signal.SIGKILL  # it was waited for
    assert not active_children()


def test_a_stamp_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSO_CACHE_DIR", str(tmp_path / "file" / "folder"))
    (tmp_path / "file").write_text("where a folder should be")
    kernels._write_stamp()
    assert not kernels._are_compiled()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_process_ends_with_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "holds.py"
    script.write_text(HOLDS)
    command = [sys.executable, str(script)]
    environment = os.environ | _environment(tmp_path)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(number)
    psutil.wait_procs([child], timeout=60)
    assert (
        not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    )  # whoever took it over may not have looked yet
