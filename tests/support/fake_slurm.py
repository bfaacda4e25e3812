"""Programs in the place of Slurm's: a Slurm that keeps books alone, and one that runs jobs as processes of this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

# A job is a file with its state and the reason. A file `refuse` says why no job is accepted.
BOOKS = {
    "sbatch": """
        if [ -e "$FAKE_SLURM/refuse" ]; then cat "$FAKE_SLURM/refuse" >&2; exit 1; fi
        echo x >> "$FAKE_SLURM/submitted"
        number=$(wc -l < "$FAKE_SLURM/submitted")
        echo "PENDING Priority" > "$FAKE_SLURM/jobs/$((number))"
        echo "$((number))"
    """,
    "squeue": """
        echo "$* $SQUEUE_STATES" >> "$FAKE_SLURM/squeue"
        if [ -e "$FAKE_SLURM/deaf" ]; then echo "slurm_load_jobs error: Socket timed out" >&2; exit 1; fi
        for job in "$FAKE_SLURM"/jobs/*; do
            if [ -e "$job" ]; then echo "${job##*/} $(cat "$job")"; fi
        done
    """,
    "scancel": """
        echo "$*" >> "$FAKE_SLURM/cancelled"
        for job; do rm -f "$FAKE_SLURM/jobs/$job"; done
    """,
}

# The number of a job is that of its process, which leads a group of processes.
RUNS = {
    "sbatch": """
        log=$(sed -n 's/^#SBATCH -e //p' "$2")
        cp "$2" "$FAKE_SLURM/script-$$"
        setsid bash -c 'export SLURM_JOB_ID=$$; exec bash "$0" > "${1//%J/$$}" 2>&1' "$FAKE_SLURM/script-$$" "$log" &
        touch "$FAKE_SLURM/jobs/$!"
        echo "$!"
    """,
    "squeue": """
        for job in "$FAKE_SLURM"/jobs/*; do
            { read -r _ _ state _ < "/proc/${job##*/}/stat"; } 2> /dev/null || continue
            if [ "$state" != Z ]; then echo "${job##*/} RUNNING None"; fi
        done
    """,
    "scancel": """
        for job; do kill -KILL -- "-$job" 2> /dev/null; done
        exit 0
    """,
}


@dataclass(frozen=True)
class FakeSlurm:
    """A folder with a file for every job."""

    folder: Path

    @classmethod
    def installed(cls, programs: Mapping[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
        """Put ``programs`` before all others of the same names, until the test ends."""
        (folder / "bin").mkdir(parents=True)
        (folder / "jobs").mkdir()
        for name, script in programs.items():
            (folder / "bin" / name).write_text(f"#!/bin/bash\n{script}")
            (folder / "bin" / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("FAKE_SLURM", str(folder))
        return cls(folder)

    @classmethod
    def here(cls) -> FakeSlurm:
        """The one that this process, or a job, was told to use."""
        return cls(Path(os.environ["FAKE_SLURM"]))

    @property
    def jobs(self) -> list[int]:
        """The numbers of the jobs that have a file."""
        return sorted(int(path.name) for path in (self.folder / "jobs").iterdir())

    @property
    def submitted(self) -> int:
        """How many jobs the Slurm that keeps books has accepted."""
        path = self.folder / "submitted"
        return len(path.read_text().split()) if path.exists() else 0

    def end(self, *numbers: int) -> None:
        """Jobs of the Slurm that keeps books have ended."""
        for number in numbers:
            (self.folder / "jobs" / str(number)).unlink()

    def kill(self, *numbers: int) -> None:
        """Kill running jobs with all their processes."""
        for number in numbers:
            with suppress(ProcessLookupError):
                os.killpg(number, signal.SIGKILL)

    def wait(self) -> None:
        """Return when no job runs any more."""
        left = [psutil.Process(number) for number in self.jobs if psutil.pid_exists(number)]
        assert not psutil.wait_procs(left, timeout=60)[1]
