"""What a stage is given to do its work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from glasso_cli.artifacts import Artifact
from glasso_cli.artifacts.manifest import write_manifest
from glasso_cli.artifacts.npz import Chunked
from glasso_cli.config import Config
from glasso_cli.console import Console
from glasso_cli.digests import State, refuse_changed
from glasso_cli.errors import InputError
from glasso_cli.files import sha256_of
from glasso_cli.pipeline import cache
from glasso_cli.pipeline.shared import Shared


@dataclass(frozen=True)
class Job:
    """All that ``make`` needs: the configuration, the target, the paths upstream, and a place for pieces.

    The paths are found by stage, or by ``stage/corpus`` where the artifact read is of another name than the target.
    ``previous`` is where the artifact to be replaced may stand, for a stage that can go on from it; None if all
    is to be done anew.
    """

    config: Config
    corpus: str
    target: cache.Target
    upstream: dict[str, Path]
    pieces: Path
    console: Console
    previous: Path | None = None
    states: dict[Path, State] = field(default_factory=dict)  # of the files read, when their digests were taken
    shared: Shared = field(default_factory=Shared)  # by all jobs of one run

    def meta(self, metrics: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The meta of the artifact: what it was made from, and ``metrics``.

        ``below`` among ``more`` says which target was missed.
        """
        return {
            "key": self.target.key,
            "material": self.target.material,
            "corpus": self.corpus,
            "experiment": self.config.name,
            "metrics": metrics,
            **more,
        }

    def save(self, artifact: Artifact, **streamed: Chunked) -> None:
        """Write ``artifact``, the last of its files; its meta gets the digests of its companions.

        Raises :class:`InputError`, and leaves no artifact, when a file that was read has changed since.
        """
        with self._of_unchanged_files():
            meta = {**artifact.meta, "companions": self._digests(self.target.companions)}
            replace(artifact, meta=meta).save(self.target.path, **streamed)

    def save_manifest(self, meta: dict[str, Any], files: Iterable[Path]) -> None:
        """Write ``meta``, the manifest of ``files``, as :meth:`save` does."""
        with self._of_unchanged_files():
            write_manifest(self.target.path, {**meta, "companions": self._digests(files)})

    @contextmanager
    def _of_unchanged_files(self) -> Iterator[None]:
        refuse_changed(self.states)
        yield
        try:
            refuse_changed(self.states)  # parts of an artifact are read while it is written
        except InputError:
            self.target.path.unlink(missing_ok=True)
            raise

    @staticmethod
    def _digests(files: Iterable[Path]) -> dict[str, str]:
        files = sorted(files)
        return dict(zip([path.name for path in files], map(sha256_of, files)))
