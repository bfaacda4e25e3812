"""The section `engine`: which processes and machines do the work. It never changes a result."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import field_validator, model_validator

from glasso_cli.config.sections.section import Section, runtime
from glasso_cli.config.sections.values import Strings, Text

_WAIT = 600  # seconds, where the workers do not come from a queue
_LEAST_LIFETIME = 60  # seconds
_TIME = re.compile(r"(?:(\d+)-)?(\d{1,3}):([0-5]\d):([0-5]\d)")


def seconds_of(text: str) -> int:
    """The seconds of a time such as ``04:00:00`` or ``1-12:00:00``; raises :class:`ValueError` for anything else."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time; give hours, minutes and seconds in quotes, such as '04:00:00'")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


class SlurmSection(Section):
    """Jobs of Slurm, each with one process."""

    jobs: int = runtime(1, "Number of jobs that run at a time, one process each.", ge=1, le=10_000)
    gpus: int = runtime(0, "Number of GPUs of each job.", ge=0, le=64)
    cpus: int = runtime(4, "Number of cores of each job.", ge=1, le=1_024)
    memory: Text = runtime("32GB", "Memory of each job, such as 64GB.")
    walltime: Text = runtime("04:00:00", "Time limit of each job, in quotes: 'HH:MM:SS' or 'D-HH:MM:SS'.")
    lifetime: Text | None = runtime(
        None,
        "Time after which a job takes no new block, and ends with the one at hand; null sets it to 95 % of walltime.",
    )
    queue: Text | None = runtime(None, "Partition to submit to; null takes the default partition.")
    directives: Strings = runtime((), "More options of sbatch, such as --account=name.")

    @field_validator("walltime", "lifetime")
    @classmethod
    def _times(cls, value: str | None) -> str | None:
        if value is not None:
            seconds_of(value)
        return value

    @field_validator("memory")
    @classmethod
    def _bytes(cls, value: str) -> str:
        if not re.fullmatch(r"\d+(\.\d+)? ?[kKMGT]i?B", value):
            raise ValueError(f"{value!r} is no size; give one such as 64GB")
        return value

    @model_validator(mode="after")
    def _ends_before_it_is_killed(self) -> SlurmSection:
        if self.lifetime is not None and seconds_of(self.lifetime) >= seconds_of(self.walltime):
            raise ValueError(f"lifetime {self.lifetime} is not below walltime {self.walltime}; lower lifetime")
        if self.lifetime_seconds < _LEAST_LIFETIME:
            raise ValueError(
                f"a job takes blocks for {self.lifetime_seconds} s, which is below the minute in which it starts; raise "
                f"{'walltime' if self.lifetime is None else 'lifetime'}"
            )
        return self

    @property
    def lifetime_seconds(self) -> int:
        """After how many seconds a job ends by itself."""
        return seconds_of(self.lifetime) if self.lifetime is not None else seconds_of(self.walltime) * 95 // 100


class EngineSection(Section):
    """Which processes and machines do the work."""

    kind: Literal["none", "processes", "dask"] = runtime(
        "none",
        "none works in one process. processes starts more of them on this machine, for collect, influence, score, intervene, the subsets "
        "of structure and the permutations of compare. dask sends these to a cluster of Dask (extra cluster), with the half-samples and "
        "folds of fit and the bootstraps of audit.",
    )
    workers: int | None = runtime(
        None,
        "Number of processes on this machine; null starts one per GPU, or two without GPUs. Not for address and slurm.",
        ge=1,
        le=10_000,
    )
    address: Text | None = runtime(
        None,
        "Address of a running Dask scheduler, such as tcp://10.0.0.5:8786; null starts one that ends with the command.",
    )
    wait: Text | None = runtime(
        None,
        "For kind dask: how long there may be no worker before the command ends, in quotes: 'HH:MM:SS' or 'D-HH:MM:SS'; null "
        "sets 10 minutes, and no limit with slurm, whose jobs may wait in a queue.",
    )
    slurm: SlurmSection = runtime(SlurmSection(), "Start the Dask workers as jobs of Slurm, if this section is given.")

    @field_validator("wait")
    @classmethod
    def _some_time(cls, value: str | None) -> str | None:
        if value is not None and seconds_of(value) == 0:
            raise ValueError(f"{value!r} leaves no time for a worker to start; give one such as '00:10:00'")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> EngineSection:
        given = self.model_fields_set
        if self.kind != "dask" and (only := sorted(given & {"address", "slurm", "wait"})):
            raise ValueError(f"{only[0]} has no effect with kind {self.kind}; set kind: dask, or delete {only[0]}")
        if self.kind == "none" and self.workers is not None:
            raise ValueError("workers has no effect with kind none; set kind: processes, or delete workers")
        if self.address is not None and "slurm" in given:
            raise ValueError("address and slurm exclude each other; delete one of them")
        if self.workers is not None and (other := "address" if self.address is not None else "slurm") in given:
            raise ValueError(f"workers has no effect with {other}; delete workers")
        return self

    @property
    def wait_seconds(self) -> int | None:
        """How long a cluster may have no worker; None sets no limit."""
        if self.wait is not None:
            return seconds_of(self.wait)
        return None if self.by_slurm else _WAIT

    @property
    def by_slurm(self) -> bool:
        """Whether workers are jobs of Slurm."""
        return "slurm" in self.model_fields_set
