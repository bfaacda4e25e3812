"""Interventions in any torch module: the arrays that are read, and the hook points that are changed and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli.artifacts import ActivationStats, Interventions, PrecisionPath
from glasso_cli.collection.modules.positions import CHECKED, spread
from glasso_cli.collection.modules.windows import batch_of, require_one_length
from glasso_cli.collection.reading import windows_within
from glasso_cli.config import CollectSection, InterveneSection
from glasso_cli.console import Reporter
from glasso_cli.corpora.arrays import ArrayCorpus
from glasso_cli.errors import InputError
from glasso_cli.intervention.feed import Feed, array_feed
from glasso_cli.intervention.run import Texts, intervene
from glasso_cli.intervention.sources import Disagreements
from glasso_cli.intervention.study import choose_points, run_order

if TYPE_CHECKING:
    from glasso_cli.hooks import HookPoint
    from glasso_cli.models.modules.network import ModuleNetwork


def intervene_arrays(
    network: ModuleNetwork,
    corpus: ArrayCorpus,
    stats: ActivationStats,
    fit: PrecisionPath | None,
    collect: CollectSection,
    section: InterveneSection,
    pieces: Path,
    *,
    read: str,
    disagreements: Disagreements | None = None,
    name: str,
    seed: int,
    reporter: Reporter,
) -> Interventions:
    """As :func:`glasso_cli.intervention.texts.intervene_texts`, for the items of the corpus ``read``.

    Documents that `collect` did not read are taken where they have enough samples. Raises :class:`InputError` for statistics of the
    mean over positions.
    """
    from glasso_cli.hooks.modules.resolve import resolve_module_points

    if collect.positions == "mean":
        raise InputError(
            "collect.positions: mean gives the spread of means, and intervene changes and measures single positions.",
            "Set collect.positions: each, and run collect again.",
        )
    probe = batch_of(spread(corpus, CHECKED))

    def resolve(patterns: Sequence[str]) -> Sequence[HookPoint]:
        return resolve_module_points(network, tuple(patterns), probe, collect.axes)

    collected = resolve(collect.hook_points)
    order = run_order(network.module, lambda: network.run(probe), collected)
    source, targets = choose_points(collected, order, resolve, section)
    before = [point for point in collected if order.index(point.name) < order.index(source.name)]
    first, held_out = (0, True) if read != name else first_document(corpus, stats, section)
    everything = collect.model_copy(update={"max_tokens": None})
    with array_feed(network, [source, *targets], corpus, everything, seed) as feed:
        feed = up_to(feed, first, section.tokens)
        if not stats.metrics.invariants["mixed_lengths"]:
            windows: Sequence[Any] = feed.reading.windows
            require_one_length(windows, corpus.lengths)
        return intervene(
            feed,
            source,
            targets,
            max(before, key=lambda point: order.index(point.name), default=None),
            stats,
            fit,
            section,
            pieces,
            Texts(read, corpus, held_out),
            disagreements=disagreements,
            name=name,
            seed=seed,
            reporter=reporter,
        )


def first_document(corpus: ArrayCorpus, stats: ActivationStats, section: InterveneSection) -> tuple[int, bool]:
    """The first document to read, and whether none from it on was read by `collect`: if they have enough samples."""
    done = stats.metrics.documents.read
    each = stats.metrics.tokens.read / done
    left = corpus.n_documents - done
    return (done, True) if left > 0 and left * each >= section.tokens else (0, False)


def up_to(feed: Feed, first: int, samples: int) -> Feed:
    """``feed`` with the documents from number ``first`` on, up to and including the one that reaches ``samples``."""
    windows: Sequence[Any] = feed.reading.windows
    within = windows_within([window for window in windows if window.document >= first], samples)
    return replace(feed, reading=replace(feed.reading, windows=within))
