"""Interventions on tiny models, in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli.artifacts import ActivationStats, Interventions, PrecisionPath
from glasso_cli.collection.run import collect_corpus
from glasso_cli.config import CollectSection, InterveneSection
from glasso_cli.console import PythonWarnings
from glasso_cli.intervention.run import Texts
from glasso_cli.intervention.texts import choose_texts, intervene_texts
from glasso_cli.models.loaded import LoadedModel
from support.tiny_models import TEXT


def texts(count: int = 12, seed: int = 0) -> list[str]:
    """Short documents of different lengths."""
    rng = np.random.default_rng(seed)
    words = TEXT.split()
    return [" ".join(rng.choice(words, int(length))) for length in rng.integers(4, 20, count)]


def collect_section(*hook_points: str, **more: Any) -> CollectSection:
    """All tokens count, but the special ones and the first."""
    settings = {"hook_points": hook_points or ("mlp.0", "mlp.1"), "blocks": 4, "lags": 4, "max_length": 32}
    return CollectSection.model_validate(settings | {"mask": {"massive": None}} | more)


def statistics(model: LoadedModel, section: CollectSection, documents: list[str] | None = None) -> ActivationStats:
    """The statistics of :func:`texts`."""
    return collect_corpus(model, documents or texts(), section, reporter=PythonWarnings())


def measure(
    model: LoadedModel,
    stats: ActivationStats,
    collect: CollectSection,
    *,
    documents: list[str] | None = None,
    fit: PrecisionPath | None = None,
    folder: Path | None = None,
    seed: int = 0,
    **section: Any,
) -> Interventions:
    """The interventions of a section on ``documents``, which are held out."""
    asked = InterveneSection.model_validate({"stratify": [], "tokens": 100_000} | section)
    read: Texts = choose_texts(model, lambda: documents or texts(), None, collect, asked, name="words")
    with tempfile.TemporaryDirectory() as temporary:
        return intervene_texts(
            model,
            read,
            stats,
            fit,
            collect,
            asked,
            folder or Path(temporary),
            name="words",
            seed=seed,
            reporter=PythonWarnings(),
        )
