"""The ordered graph of a corpus, which `fit` writes beside its path with ``fit.order: layers``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glasso_cli.artifacts.manifest import verified_content
from glasso_cli.config import Config


def ordered_graph(config: Config, corpus: str) -> Path | None:
    """Where it is; None where the configuration has none."""
    return config.folder / "fit" / f"{corpus}.ordered.npz" if config.fit.order == "layers" else None


def pin_ordered(config: Config, corpus: str) -> dict[str, Any]:
    """Its digest, for a stage that reads it: the digest of a fit does not cover the files beside it."""
    path = ordered_graph(config, corpus)
    return {} if path is None else {"ordered": verified_content(path)}
