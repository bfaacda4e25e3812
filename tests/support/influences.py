"""The influence measured on sentences of a small language model, and its columns by the names of neurons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli.artifacts import ActivationStats, Influence
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.collection.run import collect_corpus
from glasso_cli.config import CollectSection, InfluenceSection
from glasso_cli.console import PythonWarnings
from glasso_cli.derivatives.run import influence_of_corpus
from glasso_cli.models.loaded import LoadedModel
from support.tiny_models import TEXT

COLLECT: dict[str, Any] = {
    "hook_points": ("mlp.0", "mlp.1", "mlp.2"),
    "max_length": 32,
    "lags": 4,
    "blocks": 6,
    "contexts": False,
}


def sentences(count: int) -> list[str]:
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(TEXT.split(), length)) for length in rng.integers(3, 30, count)]


def collected(loaded: LoadedModel, texts: list[str], **settings: Any) -> ActivationStats:
    return collect_corpus(loaded, texts, CollectSection(**(COLLECT | settings)))


def measured(
    loaded: LoadedModel,
    texts: list[str],
    folder: Path,
    *,
    stats: ActivationStats | None = None,
    collect: dict[str, Any] | None = None,
    **settings: Any,
) -> Influence:
    section = CollectSection(**(COLLECT | (collect or {})))
    return influence_of_corpus(
        loaded,
        texts,
        stats or collected(loaded, texts, **(collect or {})),
        section,
        InfluenceSection(**settings),
        folder,
        name="words",
        seed=0,
        reporter=PythonWarnings(),
    )


def by_name(influence: Influence, column: str = "mean", names: dict[str, str] | None = None) -> dict[Any, float]:
    """A column by source and target, with oriented signs."""
    ids = [(names or {}).get(name, name) for name in influence.neuron_ids.tolist()]
    turned = oriented(influence)
    pairs = zip(turned.sources.tolist(), turned.targets.tolist(), getattr(turned, column).tolist())
    return {(ids[source], ids[target]): value for source, target, value in pairs}


def assert_close(one: dict[Any, float], other: dict[Any, float], rtol: float = 1e-3, atol: float = 1e-4) -> None:
    assert set(one) == set(other)
    keys = sorted(one)
    np.testing.assert_allclose([one[key] for key in keys], [other[key] for key in keys], rtol=rtol, atol=atol)
