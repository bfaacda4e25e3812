"""What is drawn: the graphs of corpora and of comparisons, and the artifacts that each is made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glasso_cli.config import Config
from glasso_cli.pipeline.ordered import pin_ordered

# stages whose artifacts are shown where they are up to date
BESIDE = ("influence", "intervene", "audit", "structure", "score", "pathways")


def graphs(config: Config) -> list[str]:
    """Every corpus, and every comparison of two of them; joint fits are not drawn."""
    return [*config.corpora, *(config.comparisons if config.compare.method == "differential" else ())]


def is_optional(config: Config, name: str) -> bool:
    """Whether a graph is shown only where it was made: that of a comparison, and beside scores that of a corpus."""
    return name not in config.corpora or "score" in config.model_fields_set


def upstream(config: Config, name: str) -> list[tuple[str, str]]:
    """The statistics and the fit of a corpus, or the comparison with those of its two corpora."""
    if name in config.corpora:
        return [("collect", name), ("fit", name)]
    corpora = config.comparisons[name]
    return [("compare", name), *((stage, corpus) for corpus in corpora for stage in ("collect", "fit"))]


def pins(config: Config, name: str) -> dict[str, Any]:
    """The digest of the ordered graph of a corpus, if it has one."""
    return pin_ordered(config, name) if name in config.corpora else {}


def folder_of(config: Config, name: str) -> Path:
    """Where the pictures of ``name`` go."""
    return config.folder / "figures" / name


def model_title(config: Config) -> str:
    """What the model is called in titles."""
    return config.model.name.removeprefix("builtin:")
