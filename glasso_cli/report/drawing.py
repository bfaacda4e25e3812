"""Pictures drawn in processes side by side, each of which reads the artifacts by itself."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from glasso_cli.console import Reporter
from glasso_cli.engine.processes import Workers
from glasso_cli.engine.threads import allowed
from glasso_cli.errors import GlassoError, ServiceError
from glasso_cli.report import plots
from glasso_cli.report.plots import Drawn, Subject


class Files(Protocol):
    """What a subject is read from, in any process: it has a hash, and goes through a pickle."""

    def __hash__(self) -> int: ...

    def read(self) -> Subject:
        """The subject; raises :class:`InputError` for a file that is damaged."""


MOST_PROCESSES = 8  # a figure takes a second, and a process half a gigabyte
_SLOW = (
    "card",
    "network",
    "heatmap",
    "maps",
    "rewired",
    "shifted",
)  # are begun first, so that all processes end together


def workers() -> Workers:
    """The processes that draw: one for every core that may be used, up to :data:`MOST_PROCESSES`."""
    return Workers(min(allowed(), MOST_PROCESSES))


def draw_all(files: Files, folder: Path, drawing: Workers, reporter: Reporter) -> list[Path]:
    """The files of all pictures of what ``files`` holds, written into ``folder`` by the processes ``drawing``.

    A picture that a bug keeps from being drawn keeps no other from it; the error is raised when the others are done. Raises
    :class:`ServiceError` when a process is ended from outside, and what it says of the disk at once.
    """
    subject = files.read()
    parts = sorted(plots.parts_of(subject), key=_is_quick)
    drawn: dict[str, Drawn] = {}
    failed: dict[str, Exception] = {}
    try:
        with reporter.progress("drawing", len(parts), "figures") as advance:
            for place, outcome in drawing.outcomes(_draw, [(files, part, folder) for part in parts]):
                advance(1)
                part = parts[place]
                if isinstance(outcome, GlassoError):
                    raise outcome
                if isinstance(outcome, Exception):
                    failed[part] = outcome
                    reporter.warn(f"the figure '{part}' cannot be drawn ({type(outcome).__name__}); the others are")
                else:
                    drawn[part] = outcome
                    reporter.detail(", ".join(path.name for path in outcome.files))
    except BrokenProcessPool:
        raise ServiceError(
            "A process that drew figures was ended from outside, most likely for want of memory.",
            "Run the same command again with --threads 1, so that one process draws them all.",
        ) from None
    for error in failed.values():
        raise error
    in_order = [drawn[part] for part in plots.parts_of(subject)]
    return [*(path for part in in_order for path in part.files), plots.finish(subject, folder, in_order)]


def _is_quick(part: str) -> bool:
    return not part.startswith(_SLOW)


@lru_cache(maxsize=1)
def _subject(files: Files) -> Subject:
    """What a process draws one part of after the other."""
    return files.read()


def _draw(files: Files, part: str, folder: Path) -> Drawn:
    return plots.draw_part(_subject(files), part, folder)
