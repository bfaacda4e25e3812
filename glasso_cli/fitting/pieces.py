"""Where the finished parts of a fit are kept while it runs, so that an interrupted fit goes on where it was."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from glasso_cli.artifacts import ActivationStats
from glasso_cli.engine.pool import Pool


@dataclass(frozen=True, eq=False)
class Pieces:
    """A folder for finished parts, and what the parts of one problem are told by."""

    folder: Path
    problem: str  # the digest of all that determines a point; see :func:`finished_points.problem_of`
    statistics: Path | ActivationStats | None  # what processes beside this one read; None where there are none
    previous: Path | None = None  # an earlier fit to go on from
    team: Pool | None = None  # processes to go on with


@contextmanager
def pieces_in_memory(stats: ActivationStats | None = None) -> Iterator[Pieces]:
    """Pieces of a fit that nobody goes on with: a temporary folder, and the statistics as they are."""
    with tempfile.TemporaryDirectory(prefix="glasso-") as folder:
        yield Pieces(Path(folder) / "fit-memory", problem="memory", statistics=stats)
