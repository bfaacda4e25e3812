"""What a stage is given to do its work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glasso_cli.config import Config
from glasso_cli.console import Console
from glasso_cli.pipeline import cache


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

    def meta(self, metrics: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The meta of the artifact: what it was made from, and ``metrics``.

        ``below`` among ``more`` says which target was missed, ``files`` what a manifest names beside itself.
        """
        return {
            "key": self.target.key,
            "material": self.target.material,
            "corpus": self.corpus,
            "experiment": self.config.name,
            "metrics": metrics,
            **more,
        }
