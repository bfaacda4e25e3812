"""Scores of any torch module: the arrays that are read, and the hook points whose units are scored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glasso_cli.artifacts import Scores
from glasso_cli.collection.modules.positions import CHECKED, spread
from glasso_cli.collection.modules.windows import batch_of
from glasso_cli.config import CollectSection, ScoreSection
from glasso_cli.console import Reporter
from glasso_cli.corpora.arrays import ArrayCorpus
from glasso_cli.errors import InputError
from glasso_cli.intervention.feed import array_feed
from glasso_cli.scoring.assemble import Known
from glasso_cli.scoring.run import score
from glasso_cli.scoring.texts import scored_points

if TYPE_CHECKING:
    from glasso_cli.models.modules.network import ModuleNetwork


def score_arrays(
    network: ModuleNetwork,
    corpus: ArrayCorpus,
    collect: CollectSection,
    section: ScoreSection,
    known: Known,
    pieces: Path,
    *,
    name: str,
    seed: int,
    reporter: Reporter,
) -> Scores:
    """As :func:`glasso_cli.scoring.texts.score_texts`, for the items of a corpus of arrays. Raises :class:`InputError` for means over positions."""
    from glasso_cli.hooks.modules.resolve import resolve_module_points

    if collect.positions == "mean":
        raise InputError(
            "collect.positions: mean gives one sample for each document, and score replaces units at single positions.",
            "Set collect.positions: each.",
        )
    sample = batch_of(spread(corpus, CHECKED))
    points = resolve_module_points(network, scored_points(collect, section), sample, collect.axes)
    held = resolve_module_points(network, section.held, sample, collect.axes) if section.held else []
    everything = collect.model_copy(update={"max_tokens": None})
    with array_feed(network, points, corpus, everything, seed) as feed:
        return score(
            feed,
            points,
            section,
            pieces,
            known,
            held=held,
            blocks=collect.blocks,
            name=name,
            seed=seed,
            reporter=reporter,
        )
