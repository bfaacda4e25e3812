"""A process beside this one: its environment, Ctrl-C, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from support.calls import alive, hears
from support.divided import plain_environment, python_with
from support.waiting import until

from glasso_cli.engine.processes import started

pytestmark = pytest.mark.slow

# Two processes that never end; each says its number in a file.
DRIVER = """
from pathlib import Path
from support.calls import waits
from glasso_cli.engine.pool import Pool

if __name__ == "__main__":
    list(Pool.of(2).run(waits, Path("."), [(0,), (1,)]))
"""


def test_it_has_its_variables_and_does_not_hear_interrupts(tmp_path: Path) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    process = started(hears, tmp_path / "heard", environment={"GLASSO_TEST_PLACE": "a"})
    process.join()
    assert (tmp_path / "heard").read_text() == "a, deaf to interrupts"
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    assert "GLASSO_TEST_PLACE" not in os.environ


# Run before anything else in a process: one that another starts says its number and waits until it is released.
SLOW_TO_START = """
import os, sys
if "spawn_main" in " ".join(sys.orig_argv):
    import threading
    open(f"starts-{os.getpid()}", "w").close()
    while not os.path.exists("released"):
        threading.Event().wait(0.01)
"""


def driver_in(folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    """The driver, in a group of its own."""
    (folder / "driver.py").write_text(DRIVER)
    command = [sys.executable, "driver.py"]
    return subprocess.Popen(
        command, env=environment, text=True, cwd=folder, stderr=subprocess.PIPE, start_new_session=True
    )


def numbers(folder: Path, what: str) -> set[int]:
    """The processes that have said so."""
    return {int(path.name.removeprefix(what)) for path in folder.glob(f"{what}*")}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_processes_end_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    """SIGINT goes to the whole group, as Ctrl-C does; the parent alone says so."""
    driver = driver_in(tmp_path, plain_environment())
    until(lambda: len(numbers(tmp_path, "pid-")) == 2, driver)
    pids = numbers(tmp_path, "pid-")
    assert all(alive(pid) for pid in pids)
    if number == signal.SIGINT:
        os.killpg(driver.pid, number)
    else:
        driver.send_signal(number)
    _, said = driver.communicate()
    psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=30)
    assert not any(alive(pid) for pid in pids)
    assert said.count("Traceback") == (1 if number == signal.SIGINT else 0), said


def test_processes_that_start_do_not_hear_interrupts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    driver = driver_in(tmp_path, python_with(SLOW_TO_START))
    try:
        until(lambda: len(numbers(tmp_path, "starts-")) == 2, driver)
        starting = numbers(tmp_path, "starts-")
        for pid in starting:
            os.kill(pid, signal.SIGINT)
        Path("released").touch()
        until(lambda: numbers(tmp_path, "pid-") == starting, driver)
    finally:
        driver.kill()
    assert driver.communicate()[1] == ""
