"""Functions that tests call in other processes."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import psutil

from glasso_cli.engine.lifetime import dask_setup
from support.fake_slurm import FakeSlurm
from support.waiting import until


def own_variable(name: str, item: int) -> tuple[str | None, int]:
    """A variable of the environment, and the number of the process."""
    return os.environ.get(name), os.getpid()


def killed(folder: Path, item: int, times: int) -> None:
    """Kill the own process at the first ``times`` calls."""
    before = len(list(folder.glob(f"tried-{item}-*")))
    (folder / f"tried-{item}-{before}").touch()
    if before < times:
        os.kill(os.getpid(), signal.SIGKILL)


class StrangeError(Exception):
    """Cannot be made from its own arguments, so that no other process can read it."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first}\n{second}")


def poison(folder: Path, item: int) -> int:
    """Fail for item 0, and keep count."""
    if item == 0:
        (folder / f"poison-{len(remember(folder))}").touch()
        raise StrangeError("no", "such thing")
    return item


def remember(folder: Path) -> list[Path]:
    """A file for every failure of :func:`poison`."""
    return sorted(folder.glob("poison-*"))


def kills_all_jobs(folder: Path, item: int) -> None:
    """Kill all jobs of the fake Slurm, that of this process as well, at the first call of all."""
    if _is_first(folder / "killed-all"):
        slurm = FakeSlurm.here()
        own = int(os.environ["SLURM_JOB_ID"])
        slurm.kill(*(number for number in slurm.jobs if number != own), own)


def kills_own_job(folder: Path, item: int) -> None:
    """Kill the job of this process at the first call for an item."""
    if _is_first(folder / f"killed-{item}"):
        FakeSlurm.here().kill(int(os.environ["SLURM_JOB_ID"]))


def ends_own_worker(folder: Path, item: int) -> None:
    """Note that the call began; the first call of all tells its worker, in this process, that its lifetime is over."""
    from distributed import get_worker

    (folder / f"began-{item}-{len(list(folder.glob(f'began-{item}-*')))}").touch()
    if _is_first(folder / "lifetime-over"):
        worker = get_worker()
        worker.loop.add_callback(dask_setup, worker)
        until(lambda: worker.status.name == "closing_gracefully")
        threading.Event().wait(1.5)


def _is_first(mark: Path) -> bool:
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def waits(folder: Path, item: int) -> None:
    """Say the number of the process, and never end."""
    (folder / f"pid-{os.getpid()}").touch()
    threading.Event().wait()


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def note_item(folder: Path, item: int) -> None:
    """Write a file of the name of the item, which must not be there."""
    with open(folder / str(item), "x"):
        pass
