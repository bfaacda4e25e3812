"""Pictures drawn in processes side by side, each of which reads the artifacts by itself."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Protocol

from glasso_cli.console import Reporter
from glasso_cli.engine.pool import Pool
from glasso_cli.engine.shares import ATTEMPTS
from glasso_cli.engine.tasks import Engine, ProcessEnded, in_words
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


def workers() -> Pool:
    """The processes that draw: one for every core that may be used, up to :data:`MOST_PROCESSES`."""
    return Pool.of(min(allowed(), MOST_PROCESSES))


def draw_all(files: Files, folder: Path, drawing: Engine, reporter: Reporter) -> list[Path]:
    """The files of all pictures of what ``files`` holds, written into ``folder`` by the processes ``drawing``.

    A picture that a bug keeps from being drawn keeps no other from it; the error is raised when the others are done. So is
    :class:`ServiceError` for one whose process is ended again and again. What a user can fix is raised at once: a full disk, say.
    """
    subject = files.read()
    parts = sorted(plots.parts_of(subject), key=_is_quick)
    drawn: dict[str, Drawn] = {}
    failed: dict[str, BaseException] = {}
    with reporter.progress("drawing", len(parts), "figures") as advance:
        for outcome in drawing.run(_draw, (files, folder), [(part,) for part in parts]):
            advance(1)
            (part,) = outcome.item
            if isinstance(outcome.error, GlassoError):
                raise outcome.error
            if outcome.error is not None:
                failed[part] = outcome.error
                reporter.warn(f"the figure '{part}' cannot be drawn ({in_words(outcome.error)}); the others are")
            else:
                drawn[part] = outcome.value
                reporter.detail(", ".join(path.name for path in drawn[part].files))
    for part, error in failed.items():
        raise _told(part, error)
    in_order = [drawn[part] for part in plots.parts_of(subject)]
    return [*(path for part in in_order for path in part.files), plots.finish(subject, folder, in_order)]


def _told(part: str, error: BaseException) -> BaseException:
    """The error of a picture, with what to do where its process was ended."""
    if not isinstance(error, ProcessEnded):
        return error
    return ServiceError(
        f"Drawing the figure '{part}' failed {ATTEMPTS} times: {in_words(error)}.",
        "Run the same command again with --threads 1, so that one process draws them all.",
    )


def _is_quick(part: str) -> bool:
    return not part.startswith(_SLOW)


@lru_cache(maxsize=1)
def _subject(files: Files) -> Subject:
    """What a process draws one part of after the other."""
    return files.read()


def _draw(where: tuple[Files, Path], part: str) -> Drawn:
    files, folder = where
    return plots.draw_part(_subject(files), part, folder)
