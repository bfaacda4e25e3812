"""Jobs of Slurm with one worker of a cluster each: submitted, replaced where they have ended, and cancelled at the end.

Slurm says which jobs are there. A job that waits in the queue is there, however long it waits, so it is not submitted twice.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glasso_cli.engine import lifetime, threads
from glasso_cli.engine.machine import ALLOCATOR
from glasso_cli.errors import ConfigError, ServiceError

RENEW_SECONDS = 60.0  # between two questions to Slurm which jobs are there
FAILURES = 3  # times in a row that jobs may end without a worker, or are not accepted

_COMMANDS = ("sbatch", "squeue", "scancel")
_COMMAND_SECONDS = 300  # a busy Slurm answers late
_LOG_LINES, _LOG_WIDTH = 5, 300  # of a job that failed, in a message
_WORKER = "glasso-{}"  # the name of the worker of a job, by the number of the job


@dataclass(frozen=True)
class Slurm:
    """What a job is like, and how many run at a time; times in seconds."""

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
        """What ``dask_jobqueue.SLURMCluster`` is given, to write the script of a job."""
        end = {lifetime.VARIABLE: f"$(($(date +%s) + {self.lifetime}))"}
        variables = threads.variables(self.cpus) | ALLOCATOR | end
        return {
            "queue": self.queue,
            "cores": 1,  # calls at a time; a call uses the cores of the job
            "processes": 1,
            "job_cpu": self.cpus,
            "memory": self.memory,
            "walltime": self.walltime,
            "job_name": "glasso",
            "job_extra_directives": [*([f"--gres=gpu:{self.gpus}"] if self.gpus else []), *self.directives],
            "job_script_prologue": [f"export {name}={value}" for name, value in variables.items()],
            "worker_extra_args": ["--preload", lifetime.__name__],
            "python": sys.executable,
            "log_directory": str(self.logs),
        }


@dataclass(eq=False)
class _Job:
    number: str
    cluster: str  # of several Slurm clusters; empty for the one of this machine
    had_worker: bool = False

    @property
    def worker(self) -> str:
        return _WORKER.format(self.number)


@dataclass(eq=False)
class Jobs:
    """The jobs that this process has submitted. ``tell`` hears what goes wrong and is tried again."""

    settings: Slurm
    tell: Callable[[str], None]
    _script: Path = field(init=False)
    _present: list[_Job] = field(default_factory=list)  # as far as it is known
    _states: dict[str, tuple[str, str]] = field(default_factory=dict)  # and reasons, by the numbers of jobs
    _failures: int = 0  # in a row
    _problem: str = ""  # the last failure, in words
    _said: str = ""  # the problem that was told
    _unknown: str = ""  # why Slurm did not say which jobs are there
    _asked: float | None = None  # when Slurm was last asked

    def __post_init__(self) -> None:
        missing = [command for command in _COMMANDS if shutil.which(command) is None]
        if missing:
            raise ConfigError(
                f"engine.slurm needs {missing[0]}, which this machine does not have.",
                "Run the command on a login node of a Slurm cluster, or delete engine.slurm.",
            )
        self._script = self.settings.logs / "job.sh"

    def begin(self, script_for: Callable[[str], str]) -> None:
        """Submit all jobs. ``script_for`` gives the script of a job whose worker has a name.

        Raises :class:`ServiceError` where Slurm accepts none.
        """
        self.settings.logs.mkdir(parents=True, exist_ok=True)
        self._script.write_text(script_for(_WORKER.format("$SLURM_JOB_ID")), encoding="utf-8")
        self._submit(self.settings.jobs)
        if not self._present:
            raise self._given_up()
        self._say_problem()
        self._asked = time.monotonic()

    def keep(self, wanted: int, workers: Collection[str]) -> None:
        """Submit jobs in the place of those that have ended, up to ``wanted``; ``workers`` are the names of those at work.

        Slurm is asked once in :data:`RENEW_SECONDS`. After a failure, one job is tried at a time, until a worker comes or a
        job that had one ends. Raises :class:`ServiceError` where no job is left after :data:`FAILURES` in a row.
        """
        for job in self._present:
            if not job.had_worker and job.worker in workers:
                job.had_worker, self._failures = True, 0
        now = time.monotonic()
        if self._asked is not None and now < self._asked + RENEW_SECONDS:
            return
        self._asked = now
        self._drop_ended(workers)
        if self._failures < FAILURES:
            missing = min(wanted, self.settings.jobs) - len(self._present)
            untried = sum(not job.had_worker for job in self._present)
            self._submit(missing if self._failures == 0 else min(missing, 1 - untried))
        if self._failures >= FAILURES and not self._present:
            raise self._given_up()
        self._say_problem()

    def state(self) -> str:
        """How many jobs wait and run, in words."""
        if self._unknown:
            return f"Slurm does not say which jobs are there ({self._unknown})"
        if not self._states:
            return f"{len(self._present)} jobs are submitted"
        reasons = [reason for state, reason in self._states.values() if state == "PENDING"]
        waiting = f"{len(reasons)} of {len(self._present)} jobs wait in the queue of Slurm"
        common = Counter(reason for reason in reasons if reason not in ("", "None")).most_common(1)
        return f"{waiting} ({common[0][0]})" if common else waiting

    def cancel(self) -> str:
        """Cancel the jobs that are there; the value says what went wrong, and is empty if nothing did."""
        numbers = [job.number for job in self._present]
        if not numbers:
            return ""
        try:
            self._slurm("scancel", *numbers)
        except _Failed as error:
            return f"{error}; jobs {', '.join(numbers)} end by themselves a minute after they start"
        self._present.clear()
        return ""

    def _submit(self, count: int) -> None:
        for _ in range(count):
            try:
                said = self._slurm("sbatch", "--parsable", str(self._script))
                found = re.findall(r"^(\d+)(?:;(\S+))?$", said, re.MULTILINE)
                if not found:
                    raise _Failed(f"sbatch gave no number of a job, but {_shortened(said.strip() or 'nothing')}")
            except _Failed as error:
                self._failures, self._problem = self._failures + 1, str(error)
                return
            self._present.append(_Job(*found[-1]))

    def _say_problem(self) -> None:
        if self._problem != self._said:
            self._said = self._problem
            self.tell(f"engine: {self._problem}\n  {len(self._present)} jobs are there; more are tried later")

    def _drop_ended(self, workers: Collection[str]) -> None:
        """Forget jobs that Slurm does not know any more, and count the times that they had no worker."""
        try:
            said = self._slurm("squeue", "--noheader", f"--user={os.getuid()}", "--format=%A %T %r")
        except _Failed as error:
            self._unknown = str(error)
            return
        self._unknown = ""
        rows = [line.split(maxsplit=2) for line in said.splitlines()]
        listed = {row[0]: (row[1], row[2] if len(row) > 2 else "") for row in rows if len(row) > 1}
        ended = [job for job in self._present if job.number not in listed and job.worker not in workers]
        self._present = [job for job in self._present if job not in ended]
        self._states = {job.number: listed[job.number] for job in self._present if job.number in listed}
        if any(job.had_worker for job in ended):
            self._failures = 0
        elif ended:
            self._failures += 1
            self._problem = self._last_words(ended[-1])

    def _slurm(self, command: str, *words: str) -> str:
        """What a command of Slurm prints; raises :class:`_Failed`."""
        clusters = sorted({job.cluster for job in self._present} - {""}) if command != "sbatch" else []
        chosen = [f"--clusters={','.join(clusters)}"] if clusters else []
        # Variables such as SQUEUE_STATES would hide jobs.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SQUEUE_")}
        try:
            done = subprocess.run(
                [command, *chosen, *words],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_COMMAND_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise _Failed(f"{command} did not answer within {_COMMAND_SECONDS} s") from None
        except OSError as error:
            raise _Failed(f"{command} cannot be run ({error.strerror})") from None
        if done.returncode != 0:
            why = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
            raise _Failed(f"{command} failed ({_shortened(why)})")
        return done.stdout

    def _last_words(self, job: _Job) -> str:
        """How the log of a job ends."""
        logs = self.settings.logs
        for path in [*sorted(logs.glob(f"*-{job.number}*.err")), *sorted(logs.glob(f"*-{job.number}*.out"))]:
            with suppress(OSError):
                lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
                if last := [_shortened(line) for line in lines if line][-_LOG_LINES:]:
                    return "\n    ".join([f"job {job.number} had no worker, and {path} ends with:", *last])
        return f"job {job.number} had no worker, and left no log in {logs}"

    def _given_up(self) -> ServiceError:
        times = f" {self._failures} times in a row" if self._failures > 1 else ""
        return ServiceError(
            f"Slurm gave no worker{times}: {self._problem}",
            f"Correct engine.slurm or the environment of the jobs, whose script is {self._script}, and run the same command "
            "again; finished work is kept.",
        )


class _Failed(Exception):  # noqa: N818 - never leaves this module
    """What a command of Slurm says went wrong."""


def _shortened(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _LOG_WIDTH else one_line[: _LOG_WIDTH - 1] + "…"
