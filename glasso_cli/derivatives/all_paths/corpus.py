"""Influence along all paths on a corpus of texts, and on one of images, sequences or rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from glasso_cli.collection.modules.positions import CHECKED, spread
from glasso_cli.collection.modules.windows import batch_of
from glasso_cli.collection.texts.reading import texts_reading
from glasso_cli.derivatives.all_paths.run import influence_along_all_paths
from glasso_cli.errors import InputError
from glasso_cli.hooks import record
from glasso_cli.intervention.feed import array_feed, feed_of_texts
from glasso_cli.intervention.study import run_order
from glasso_cli.models.loaded import encode

if TYPE_CHECKING:
    from glasso_cli.artifacts import ActivationStats, Influence
    from glasso_cli.config import CollectSection, InfluenceSection
    from glasso_cli.console import Reporter
    from glasso_cli.corpora.arrays import ArrayCorpus
    from glasso_cli.models.loaded import LoadedModel
    from glasso_cli.models.modules.network import ModuleNetwork


def influence_of_texts(
    loaded: LoadedModel,
    texts: Iterable[str],
    stats: ActivationStats,
    collect: CollectSection,
    section: InfluenceSection,
    pieces: Path,
    *,
    name: str,
    seed: int,
    reporter: Reporter,
) -> Influence:
    """As :func:`glasso_cli.derivatives.all_paths.run.influence_along_all_paths`, for a language model and the documents of ``stats``."""
    ids = encode(loaded, ["Nobody answered."])[0][None].to(loaded.device)
    with (
        texts_reading(
            loaded, texts, collect.hook_points, collect, name=name, reporter=reporter, stage="influence"
        ) as reading,
        record(loaded.model, []) as recorder,
    ):
        feed = feed_of_texts(loaded, reading, recorder)
        order = run_order(loaded.model, lambda: loaded.model(input_ids=ids), reading.points)
        return influence_along_all_paths(
            feed, order, stats, collect, section, pieces, name=name, seed=seed, reporter=reporter
        )


def influence_of_arrays(
    network: ModuleNetwork,
    corpus: ArrayCorpus,
    stats: ActivationStats,
    collect: CollectSection,
    section: InfluenceSection,
    pieces: Path,
    *,
    name: str,
    seed: int,
    reporter: Reporter,
) -> Influence:
    """The same for any other network and the items of ``corpus``; raises :class:`InputError` for statistics of means over positions."""
    from glasso_cli.hooks.modules.resolve import resolve_module_points

    if collect.positions == "mean":
        raise InputError(
            "collect.positions: mean gives the spread of means, and influence is of single positions.",
            "Set collect.positions: each, and run collect again.",
        )
    probe = batch_of(spread(corpus, CHECKED))
    points = resolve_module_points(network, collect.hook_points, probe, collect.axes)
    order = run_order(network.module, lambda: network.run(probe), points)
    with array_feed(network, points, corpus, collect, seed) as feed:
        return influence_along_all_paths(
            feed, order, stats, collect, section, pieces, name=name, seed=seed, reporter=reporter
        )
