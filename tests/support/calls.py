"""Functions that tests call in other processes."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import psutil

from glasso_cli.engine.lifetime import dask_setup
from glasso_cli.engine.shares import ATTEMPTS
from glasso_cli.engine.tasks import Engine
from glasso_cli.errors import DiskError, InputError, ServiceError
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


def hears(path: Path) -> None:
    """Write a variable of the environment to ``path``, and whether Ctrl-C would be heard in the own process."""
    deaf = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    path.write_text(os.environ["GLASSO_TEST_PLACE"] + ", deaf to interrupts" * deaf)


def refused(folder: Path, item: int) -> int:
    """Half of an even number; counts the attempts.

    A multiple of 3 finds the disk full, a multiple of 7 a service that is down, and other odd numbers are wrong.
    """
    (folder / f"tried-{item}-{len(list(folder.glob(f'tried-{item}-*')))}").touch()
    if item % 3 == 0:
        raise DiskError("The disk is full.", "Free some space.")
    if item % 7 == 0:
        raise ServiceError("The hub does not answer.", "Try again later.")
    if item % 2:
        raise InputError(f"{item} is odd.", "Give an even number.")
    return item // 2


def told_or_tried_again(engine: Engine, folder: Path) -> None:
    """Check that ``engine`` calls again where that can help, and lets no error of a call end the others."""
    outcomes = {o.item[0]: o for o in engine.run(refused, folder, [(n,) for n in (2, 3, 4, 5, 7)])}
    assert (outcomes[2].value, outcomes[4].value) == (1, 2)
    assert [type(outcomes[n].error) for n in (3, 5, 7)] == [DiskError, InputError, ServiceError]
    assert len(list(folder.glob("tried-*"))) == 4 + ATTEMPTS


def unreadable(shared: None, item: int) -> Any:
    """A value that no other process can read, for item 0."""
    return item or threading.Lock()


def waits_or_not(shared: None, item: int) -> int:
    """The number of the process; does not end for item 0."""
    if item == 0:
        signal.pause()
    return os.getpid()


class Counted:
    """Counts how often it is sent to other processes."""

    def __init__(self) -> None:
        self.times = 0

    def __reduce__(self) -> tuple[Any, ...]:
        self.times += 1
        return Counted, ()


class KillsItsReader:
    """Becomes ``value`` in another process, which is killed the first ``times`` that it reads this one."""

    def __init__(self, value: Any, folder: Path, times: int) -> None:
        self.value, self.folder, self.times = value, folder, times

    def __reduce__(self) -> tuple[Any, ...]:
        return killed_or, (self.value, self.folder, self.times)


def killed_or(value: Any, folder: Path, times: int) -> Any:
    """``value``; kill the own process at the first ``times`` calls, unless no other process started it."""
    if parent_process() is not None:
        killed(folder, 0, times)
    return value


def process_of(shared: Any, item: int) -> int:
    """The number of the process."""
    return os.getpid()


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
