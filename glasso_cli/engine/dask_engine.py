"""Calls on a cluster of Dask: one that runs somewhere, processes of this machine, or jobs of Slurm.

Dask hands out the calls and says which ended. What was made is in files, so that nothing is lost with the scheduler but the
calls that were under way.
"""

from __future__ import annotations

import logging
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli.engine import threads
from glasso_cli.engine.shares import ATTEMPTS, is_worth_another
from glasso_cli.engine.tasks import Call, CallFailed, Function, Item, Outcome, clean_up, perform, portable
from glasso_cli.errors import ConfigError, ServiceError

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 30
RENEW_SECONDS = 60.0  # between two looks whether jobs of Slurm have ended and new ones must be submitted

_QUIET = logging.CRITICAL  # what Dask says of its own processes
_NO_PAGES = {"dashboard": False, "dashboard_address": ":0"}  # of a scheduler: any free port, which nobody opens
_SETTINGS = {
    "distributed.scheduler.allowed-failures": ATTEMPTS - 1,  # processes that may end under one call
    "distributed.scheduler.worker-saturation": 1.0,  # a call waits at the scheduler, so that it is not blamed for a process's end
    "distributed.scheduler.worker-ttl": "60 minutes",  # a long call may keep a process from saying that it lives
    "distributed.comm.timeouts.connect": CONNECT_SECONDS,
    "distributed.worker.multiprocessing-method": "spawn",
}


@dataclass(frozen=True)
class Slurm:
    """Jobs of Slurm with one process each; times in seconds."""

    jobs: int
    gpus: int
    cpus: int
    memory: str
    walltime: str
    lifetime: int
    queue: str | None
    directives: Sequence[str]
    logs: Path

    def options(self) -> dict[str, Any]:
        """What ``dask_jobqueue.SLURMCluster`` is given."""
        return {
            "queue": self.queue,
            "cores": 1,  # calls at a time; a call uses the cores of the job
            "processes": 1,
            "job_cpu": self.cpus,
            "memory": self.memory,
            "walltime": self.walltime,
            "job_extra_directives": [*([f"--gres=gpu:{self.gpus}"] if self.gpus else []), *self.directives],
            "job_script_prologue": [f"export {name}={value}" for name, value in threads.variables(self.cpus).items()],
            "worker_extra_args": ["--lifetime", f"{self.lifetime}s", "--lifetime-stagger", "60s"],
            "python": sys.executable,
            "log_directory": str(self.logs),
            "scheduler_options": _NO_PAGES,
        }


@dataclass(eq=False)
class DaskEngine:
    """A cluster of Dask, found or started with the first call.

    ``address`` is that of a running scheduler. Without one, a process of this machine is started for each of the
    ``environments``, or jobs of ``slurm``. ``tell`` hears where the cluster is.
    """

    address: str | None = None
    slurm: Slurm | None = None
    environments: Sequence[Mapping[str, str]] = ()
    tell: Callable[[str], None] = lambda text: None
    _client: Client | None = None
    _cluster: Any = None
    _is_lost: bool = False  # whether the scheduler is gone
    _closed: threading.Event = field(default_factory=threading.Event)

    @property
    def size(self) -> int:
        """How many processes are wanted; those of a running scheduler are not known before."""
        return self.slurm.jobs if self.slurm is not None else len(self.environments)

    def run(
        self, function: Function, shared: Any, work: Sequence[Item], n_threads: int | None = None
    ) -> Iterator[Outcome]:
        """As :class:`glasso_cli.engine.tasks.Engine` says; raises :class:`ServiceError` where the scheduler is lost.

        Dask blames the end of a process on every call that it had been given. So these calls are made again one by one, and
        each answers for itself.
        """
        call, suspects = Call.of(function, shared, n_threads), list[int]()
        for index, value, error in self._outcomes(call, work, range(len(work))):
            if isinstance(error, _Ended) and len(work) > 1:
                suspects.append(index)
            else:
                yield Outcome(work[index], value, error)
        for suspect in suspects:
            for index, value, error in self._outcomes(call, work, [suspect]):
                yield Outcome(work[index], value, error)

    def _outcomes(
        self, call: Call, work: Sequence[Item], indices: Sequence[int]
    ) -> Iterator[tuple[int, Any, BaseException | None]]:
        """The index of every call that has ended, with what it gave or its error."""
        from distributed import as_completed

        client = self._connected()
        attempts = [0] * len(work)
        running: dict[Future[Any], int] = {}

        def submit(index: int) -> Future[Any]:
            future = client.submit(_answer, call, work[index], pure=False, retries=0)
            running[future] = index
            return future

        ended = as_completed([submit(index) for index in indices], loop=client.loop)
        try:
            for future in ended:
                index = running.pop(future)
                value, error = self._result(future)
                attempts[index] += 1
                if isinstance(error, ConfigError | ServiceError):
                    raise error
                if error is not None and is_worth_another(error, attempts[index]) and not isinstance(error, _Ended):
                    ended.add(submit(index))
                else:
                    yield index, value, error
        finally:
            with suppress(Exception):
                client.cancel(list(running))

    def close(self) -> None:
        """Leave the cluster; end it if it was started here."""
        self._closed.set()
        if self._client is not None and self.address is not None and not self._is_lost:
            with suppress(Exception):  # the scheduler may be gone
                self._client.run(clean_up, on_error="ignore")
        for part in (self._client, self._cluster):
            if part is not None:
                with suppress(Exception):  # it may be gone already
                    part.close(timeout=10)
        self._client = self._cluster = None

    def _result(self, future: Future[Any]) -> tuple[Any, BaseException | None]:
        from distributed import KilledWorker

        if future.status in ("cancelled", "lost"):
            raise self._lost()
        try:
            error = future.exception()
            if isinstance(error, KilledWorker):
                return None, _Ended(
                    f"the process was ended from outside {ATTEMPTS} times, most likely for want of memory"
                )
            if error is not None:
                return None, portable(error)
            value, error = future.result()
        except (OSError, CancelledError):  # the value is fetched through the scheduler; what a call raises is a value
            raise self._lost() from None
        return value, error

    def _lost(self) -> ServiceError:
        self._is_lost = True
        where = f" at {self.address}" if self.address else ""
        return ServiceError(
            f"The Dask scheduler{where} was lost.",
            "Start it again if it is yours, and run the same command again; finished work is kept.",
        )

    def _connected(self) -> Client:
        if self._client is not None:
            return self._client
        import dask
        from distributed import Client

        dask.config.set(_SETTINGS)
        if self.address is None:
            self._cluster = self._of_slurm(self.slurm) if self.slurm is not None else self._of_this_machine()
        try:
            self._client = Client(self.address or self._cluster, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise ServiceError(
                f"No Dask scheduler answers at {self.address} ({error}).",
                "Start one with `dask scheduler`, or correct engine.address.",
            ) from None
        self.tell(f"engine: Dask at {self._client.scheduler_info(n_workers=0)['address']}")
        return self._client

    def _of_this_machine(self) -> Any:
        from distributed import Nanny, Scheduler, SpecCluster

        workers = {
            place: {
                "cls": Nanny,
                "options": {"nthreads": 1, "memory_limit": 0, "env": dict(environment), "silence_logs": _QUIET},
            }
            for place, environment in enumerate(self.environments)
        }
        # Dask sets one thread before it starts a process, unless the environment of this one says something else.
        common = dict(set.intersection(*(set(environment.items()) for environment in self.environments)))
        with threads.environment(common):
            return SpecCluster(
                workers=workers,
                scheduler={"cls": Scheduler, "options": {"host": "127.0.0.1", "port": 0, **_NO_PAGES}},
                silence_logs=_QUIET,
            )

    def _of_slurm(self, slurm: Slurm) -> Any:
        from dask_jobqueue import SLURMCluster

        if shutil.which("sbatch") is None:
            raise ConfigError(
                "engine.slurm submits jobs with sbatch, which this machine does not have.",
                "Run the command on a login node of a Slurm cluster, or delete engine.slurm.",
            )
        slurm.logs.mkdir(parents=True, exist_ok=True)
        cluster = SLURMCluster(**slurm.options())
        cluster.scale(jobs=slurm.jobs)
        threading.Thread(target=self._renew, args=(cluster, slurm.jobs), daemon=True).start()
        return cluster

    def _renew(self, cluster: Any, jobs: int) -> None:
        """Submit jobs in the place of those that have ended: dask-jobqueue does not (issue 691)."""
        while not self._closed.wait(RENEW_SECONDS):
            with suppress(Exception):  # the cluster may be closing
                cluster.scale(jobs=jobs)


class _Ended(CallFailed):
    """The process was ended as often as the scheduler allows."""


def _answer(call: Call, item: Item) -> tuple[Any, BaseException | None]:
    """What a call gave, or its error as another process can read it."""
    try:
        return perform(call, item), None
    except Exception as error:
        return None, portable(error)
