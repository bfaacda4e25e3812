"""The network and the documents that `intervene` read, once more, for a clean pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from glasso_cli.artifacts import ActivationStats, Interventions
from glasso_cli.auditing.run import Network, predictors_of
from glasso_cli.collection.modules.positions import CHECKED, spread
from glasso_cli.collection.modules.windows import batch_of
from glasso_cli.config import CollectSection, InterveneSection
from glasso_cli.console import Reporter
from glasso_cli.corpora.arrays import ArrayCorpus
from glasso_cli.hooks.parts import patterns_in_part
from glasso_cli.intervention.arrays import first_document, up_to
from glasso_cli.intervention.feed import array_feed, text_feed
from glasso_cli.intervention.run import Texts

if TYPE_CHECKING:
    from glasso_cli.models.loaded import LoadedModel
    from glasso_cli.models.modules.network import ModuleNetwork


def points_read(stats: ActivationStats, made: Interventions) -> tuple[str, ...]:
    """The hook points of all sources, predictors and targets."""
    needed = {made.metrics.source, *made.metrics.targets}
    for target in made.metrics.targets:
        layers = set(stats.layers[predictors_of(stats, made.metrics.source, target)].tolist())
        needed |= {point.label for point in stats.metrics.hook_points if point.layer in layers}
    return tuple(point.name for point in stats.metrics.hook_points if point.label in needed)


@contextmanager
def network_of_texts(
    loaded: LoadedModel,
    texts: Texts,
    stats: ActivationStats,
    made: Interventions,
    collect: CollectSection,
    reporter: Reporter,
) -> Iterator[Network]:
    """A language model with the windows of ``texts``."""
    from glasso_cli.hooks import resolve_hook_points

    points = resolve_hook_points(loaded.model, patterns_in_part(loaded.kind, points_read(stats, made)))
    with text_feed(loaded, points, texts.corpus, collect, reporter) as feed:
        yield Network(feed, loaded)


@contextmanager
def network_of_items(
    network: ModuleNetwork,
    corpus: ArrayCorpus,
    stats: ActivationStats,
    made: Interventions,
    collect: CollectSection,
    section: InterveneSection,
    *,
    own: bool,
    seed: int,
) -> Iterator[Network]:
    """Any torch module with the items of ``corpus``; ``own`` where it is the corpus of the statistics."""
    from glasso_cli.hooks.modules.resolve import resolve_module_points

    probe = batch_of(spread(corpus, CHECKED))
    points = resolve_module_points(network, points_read(stats, made), probe, collect.axes)
    first = first_document(corpus, stats, section)[0] if own else 0
    everything = collect.model_copy(update={"max_tokens": None})
    with array_feed(network, points, corpus, everything, seed) as feed:
        yield Network(up_to(feed, first, section.tokens), None)
