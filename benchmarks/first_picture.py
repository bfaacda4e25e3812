"""How long a newcomer waits: from the command to the first explorer, and to the end of the run.

    python benchmarks/first_picture.py
    python benchmarks/first_picture.py --runs 3 --config configs/demo.yaml --threads 2

Runs ``glasso run`` in a process of its own with nothing kept from before: numba has no compiled kernels, the user's cache is
empty, so that the built-in model is unpacked again, and matplotlib has no list of fonts. What stays warm is what an install leaves:
bytecode, and the files in the memory of the system. Then it runs the same again with the caches of the first run, into another
folder: the difference is what a fresh install costs. Seconds are wall time, and processor time is that of all processes.
An artifact counts from when the one before it was written, so the sum of the stages is the whole run but for its start.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from machine import described

PAGE = "explorer"
_CACHES = {"NUMBA_CACHE_DIR": "numba", "GLASSO_CACHE_DIR": "glasso", "MPLCONFIGDIR": "matplotlib"}


@dataclass(frozen=True)
class Made:
    """One artifact: when it was written, in seconds after the command, and how long it took."""

    stage: str
    corpus: str
    at: float
    seconds: float


@dataclass(frozen=True)
class Run:
    """One run of a configuration; ``whole`` and ``processor`` are seconds."""

    made: tuple[Made, ...]
    whole: float
    processor: float

    @property
    def first_page(self) -> float:
        """Seconds until the first explorer; nan where there is none."""
        return next((made.at for made in self.made if made.stage == PAGE), float("nan"))

    def of_stage(self, stage: str) -> float:
        """Seconds of all artifacts of a stage."""
        return sum(made.seconds for made in self.made if made.stage == stage)


def artifacts(lines: Iterable[tuple[float, str]]) -> Iterator[Made]:
    """The artifacts in the records of ``glasso run --json``, each line with its time; every file of one has a record."""
    before, seen = 0.0, set()
    for at, line in lines:
        record = json.loads(line)
        name = (record["stage"], record["corpus"])
        if name not in seen:
            seen.add(name)
            yield Made(*name, at, at - before)
            before = at


def measured(config: Path, out: Path, caches: Path, options: Sequence[str]) -> Run:
    """One run into ``out``, with the folders of ``caches`` as the caches."""
    environment = {**os.environ, **{name: str(caches / folder) for name, folder in _CACHES.items()}}
    command = [sys.executable, "-m", "glasso_cli", "run", str(config), "--json", "--set", f"out={out}", *options]
    before, start = _processor(), time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [(time.perf_counter() - start, line) for line in process.stdout]
    whole = time.perf_counter() - start
    if process.returncode not in (0, 5):  # 5: done, but a target of the configuration was missed
        raise SystemExit(f"glasso run ended with exit code {process.returncode}")
    return Run(tuple(artifacts(lines)), whole, _processor() - before)


def _processor() -> float:
    """Seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(fresh: Run, warm: Run) -> Iterator[str]:
    """Both runs side by side, in Markdown."""
    yield "| | fresh caches | kept caches |"
    yield "| --- | --- | --- |"
    rows = [("until the first explorer", fresh.first_page, warm.first_page), ("whole run", fresh.whole, warm.whole)]
    rows += [("processor time", fresh.processor, warm.processor)]
    rows += [(f"`{s}`", fresh.of_stage(s), warm.of_stage(s)) for s in dict.fromkeys(made.stage for made in fresh.made)]
    for name, first, second in rows:
        yield f"| {name} | {first:.1f} s | {second:.1f} s |"


def middle(runs: Sequence[Run]) -> Run:
    """The run whose first explorer came neither early nor late."""
    return sorted(runs, key=lambda run: run.first_page)[len(runs) // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/demo.yaml"))
    parser.add_argument("--runs", type=int, default=1, help="of each kind; the middle one by first explorer is shown")
    parser.add_argument("--threads", type=int, help="as for glasso run; all cores by default")
    arguments = parser.parse_args()
    options = [] if arguments.threads is None else ["--threads", str(arguments.threads)]
    for name, value in described().items():
        print(f"{name}: {value}")
    fresh: list[Run] = []
    warm: list[Run] = []
    for number in range(arguments.runs):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            for kind, runs in (("fresh", fresh), ("kept", warm)):
                runs.append(measured(arguments.config, place / kind, place / "caches", options))
                print(
                    f"run {number + 1}, {kind} caches: {runs[-1].first_page:.1f} s, {runs[-1].whole:.1f} s",
                    file=sys.stderr,
                )
    print()
    print("\n".join(table(middle(fresh), middle(warm))))
    print()
    for made in middle(fresh).made:
        print(f"{made.at:7.1f} s  {made.stage} {made.corpus} ({made.seconds:.1f} s)")


if __name__ == "__main__":
    main()
