"""Calls on a cluster of Dask: one that runs somewhere, processes of this machine, or jobs of Slurm.

Dask hands out the calls and says which ended. What was made is in files, so that nothing is lost with the scheduler but the
calls that were under way.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from glasso_cli.engine import threads
from glasso_cli.engine.machine import ALLOCATOR
from glasso_cli.engine.shares import ATTEMPTS, is_worth_another
from glasso_cli.engine.slurm import Jobs, Slurm
from glasso_cli.engine.tasks import Call, Function, Item, Outcome, ProcessEnded, clean_up, perform, portable
from glasso_cli.errors import ServiceError

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 30
LOOK_SECONDS = 2.0  # between two looks which workers are there
SAY_AFTER, SAY_EVERY = 10.0, 300.0  # seconds without a worker before it is said, and between repetitions

_QUIET = logging.CRITICAL  # what Dask says of its own processes
_SEE_ABOVE = "See what it printed above, or run the command with engine.kind: none; finished work is kept."
_NO_PAGES = {"dashboard": False, "dashboard_address": ":0"}  # of a scheduler: any free port, which nobody opens
_SETTINGS = {
    "distributed.scheduler.allowed-failures": ATTEMPTS - 1,  # processes that may end under one call
    "distributed.scheduler.worker-saturation": 1.0,  # a call waits at the scheduler, so that it is not blamed for a process's end
    "distributed.scheduler.worker-ttl": "60 minutes",  # a long call may keep a process from saying that it lives
    "distributed.comm.timeouts.connect": CONNECT_SECONDS,
    "distributed.worker.multiprocessing-method": "spawn",
    **{f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in ALLOCATOR.items()},
    "distributed.deploy.lost-worker-timeout": "10000 hours",  # a process that is slow to start again would be given up
}


@dataclass(eq=False)
class DaskEngine:
    """A cluster of Dask, found or started with the first call.

    ``address`` is that of a running scheduler. Without one, a process of this machine is started for each of the
    ``environments``, or jobs of ``slurm``. ``wait`` is how many seconds there may be no worker; None sets no limit. ``tell``
    hears where the cluster is, and that it has no worker.
    """

    address: str | None = None
    slurm: Slurm | None = None
    environments: Sequence[Mapping[str, str]] = ()
    wait: float | None = None
    tell: Callable[[str], None] = lambda text: None
    _client: Client | None = None
    _cluster: Any = None
    _jobs: Jobs | None = None
    _absence: _Absence | None = None  # of workers
    _looked: float = 0.0  # for workers; time.monotonic
    _answered: float = 0.0  # the same, when the scheduler last said which are there
    _is_lost: bool = False  # whether the scheduler is gone

    @property
    def size(self) -> int:
        """How many processes are wanted; those of a running scheduler are not known before."""
        return self.slurm.jobs if self.slurm is not None else len(self.environments)

    def run(
        self, function: Function, shared: Any, work: Sequence[Item], n_threads: int | None = None
    ) -> Iterator[Outcome]:
        """As :class:`glasso_cli.engine.tasks.Engine` says; raises :class:`ServiceError` where workers or the scheduler are lost.

        Dask blames the end of a process on every call that it had been given. So these calls are made again one by one, and
        each answers for itself.
        """
        call, suspects = Call.of(function, shared, n_threads), list[int]()
        for index, value, error in self._outcomes(call, work, range(len(work))):
            if isinstance(error, ProcessEnded) and len(work) > 1:
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
        client = self._connected()
        attempts = [0] * len(work)
        running: dict[Future[Any], int] = {}
        ended: SimpleQueue[Future[Any]] = SimpleQueue()

        def submit(index: int) -> None:
            future = client.submit(_answer, call, work[index], pure=False, retries=0)
            running[future] = index
            future.add_done_callback(ended.put)

        self._absence, self._answered = None, time.monotonic()
        try:
            for index in indices:
                submit(index)
            while running:
                future = self._next(ended, len(running))
                index = running.pop(future)
                if future.status == "lost":  # its worker ended before its value was read
                    submit(index)
                    continue
                value, error = self._result(future)
                attempts[index] += ATTEMPTS if isinstance(error, ProcessEnded) else 1
                if error is not None and is_worth_another(error, attempts[index]):
                    submit(index)
                else:
                    yield index, value, error
        finally:
            with suppress(Exception):
                client.cancel(list(running))

    def _next(self, ended: SimpleQueue[Future[Any]], n_running: int) -> Future[Any]:
        """The next call that has ended. Meanwhile, ended jobs are replaced, and the absence of workers is told."""
        while True:
            if time.monotonic() >= self._looked + LOOK_SECONDS:
                self._look(n_running)
                self._looked = time.monotonic()
            with suppress(Empty):
                return ended.get(timeout=LOOK_SECONDS)

    def _look(self, n_running: int) -> None:
        """See which workers are there; raises :class:`ServiceError` where none will come."""
        workers = self._workers()
        if workers is None:
            if self.wait is not None and time.monotonic() >= self._answered + self.wait:
                raise self._lost()
            return
        if self._jobs is not None:
            self._jobs.keep(n_running, workers)
        if workers:
            if self._absence is not None and self._absence.told:
                self.tell(f"engine: workers of the cluster: {len(workers)}")
            self._absence = None
            return
        if self._absence is None:
            self._absence = _Absence()
        if self._absence.is_to_tell:
            limit = "without a time limit" if self.wait is None else f"for up to {timedelta(seconds=int(self.wait))}"
            jobs = f"; {self._jobs.state()}" if self._jobs is not None else ""
            self.tell(
                f"engine: the cluster has had no worker since {self._absence.began:%H:%M:%S}; waiting {limit}{jobs}"
            )
        if self.wait is not None and self._absence.seconds >= self.wait:
            raise self._without_workers(self.wait)

    def _workers(self) -> set[str] | None:
        """The names of the workers that are there; None where the scheduler does not answer, since it is busy or gone."""
        client = self._client
        if client is None or client.scheduler is None:
            return None
        try:
            found = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=CONNECT_SECONDS)
        except (OSError, TimeoutError):
            return None
        self._answered = time.monotonic()
        return {str(worker["name"]) for worker in found["workers"].values()}

    def close(self) -> None:
        """Leave the cluster; end it if it was started here."""
        if self._client is not None and self.address is not None and not self._is_lost:
            with suppress(Exception):  # the scheduler may be gone
                self._client.run(clean_up, on_error="ignore")
        for part in (self._client, self._cluster):
            if part is not None:
                with suppress(Exception):  # it may be gone already
                    part.close(timeout=10)
        problem = self._jobs.cancel() if self._jobs is not None else ""
        self._client = self._cluster = self._jobs = None
        if problem:
            self.tell(f"engine: {problem}")

    def _result(self, future: Future[Any]) -> tuple[Any, BaseException | None]:
        from distributed import KilledWorker

        if future.status == "cancelled":
            raise self._lost()
        try:
            error = future.exception()
            if isinstance(error, KilledWorker):
                return None, ProcessEnded(
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

    def _without_workers(self, seconds: float) -> ServiceError:
        length = timedelta(seconds=int(seconds))
        if self.environments:
            return ServiceError(f"No process of Dask on this machine could start again for {length}.", _SEE_ABOVE)
        if self._jobs is not None:
            return ServiceError(
                f"The Dask cluster has had no worker for {length}; {self._jobs.state()}.",
                "Raise engine.wait, or delete it to wait without a limit; the same command goes on from finished work.",
            )
        return ServiceError(
            f"The Dask cluster at {self.address} has had no worker for {length}.",
            f"Start `dask worker {self.address}`, or raise engine.wait; the same command goes on from finished work.",
        )

    def _connected(self) -> Client:
        if self._client is not None:
            return self._client
        import dask
        from distributed import Client

        dask.config.set(_SETTINGS)
        if self.slurm is not None:
            self._start_jobs(self.slurm)
        elif self.address is None:
            self._cluster = self._of_this_machine()
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
        from distributed import Scheduler, SpecCluster

        from glasso_cli.engine.nanny import CleanNanny

        workers = {
            place: {
                "cls": CleanNanny,
                "options": {"nthreads": 1, "memory_limit": 0, "env": dict(environment), "silence_logs": _QUIET},
            }
            for place, environment in enumerate(self.environments)
        }
        # Dask sets one thread before it starts a process, unless the environment of this one says something else.
        common = dict(set.intersection(*(set(environment.items()) for environment in self.environments)))
        try:
            with threads.environment(common):
                return SpecCluster(
                    workers=workers,
                    scheduler={"cls": Scheduler, "options": {"host": "127.0.0.1", "port": 0, **_NO_PAGES}},
                    silence_logs=_QUIET,
                )
        except RuntimeError as error:
            raise ServiceError(
                f"A process of Dask on this machine ended as it started ({error}).", _SEE_ABOVE
            ) from error

    def _start_jobs(self, slurm: Slurm) -> None:
        """Start a scheduler, and submit jobs with workers for it.

        dask-jobqueue writes the script of the jobs, which are submitted here: it takes a job that has ended without a worker
        for one that waits, and never submits another (its issue 691).
        """
        from dask_jobqueue import SLURMCluster

        self._jobs = Jobs(slurm, self.tell)
        self._cluster = cluster = SLURMCluster(scheduler_options=_NO_PAGES, **slurm.options())
        (spec,) = cluster.new_worker_spec().values()

        def script_for(worker: str) -> str:
            return str(spec["cls"](cluster.scheduler_address, name=worker, **spec["options"]).job_script())

        self._jobs.begin(script_for)


@dataclass(eq=False)
class _Absence:
    """The time since which there is no worker."""

    began: datetime = field(default_factory=datetime.now)
    told: bool = False
    _began: float = field(default_factory=time.monotonic)
    _next: float = field(default_factory=lambda: SAY_AFTER)  # seconds after the beginning

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return time.monotonic() - self._began

    @property
    def is_to_tell(self) -> bool:
        """Whether it is time to say it, for the first time or again."""
        if self.seconds < self._next:
            return False
        self.told, self._next = True, self.seconds + SAY_EVERY
        return True


def _answer(call: Call, item: Item) -> tuple[Any, BaseException | None]:
    """What a call gave, or its error as another process can read it."""
    try:
        return perform(call, item), None
    except Exception as error:
        return None, portable(error)
