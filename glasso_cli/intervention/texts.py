"""Interventions in a language model: the texts that are read, and the hook points that are changed and measured."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from glasso_cli.artifacts import ActivationStats, Interventions, PrecisionPath
from glasso_cli.config import CollectSection, InterveneSection
from glasso_cli.console import Reporter
from glasso_cli.corpora.windows import TokenizedCorpus, tokenize
from glasso_cli.errors import InputError
from glasso_cli.hooks import resolve_hook_points
from glasso_cli.hooks.parts import patterns_in_part
from glasso_cli.intervention.feed import text_feed
from glasso_cli.intervention.run import Texts, intervene
from glasso_cli.intervention.sources import Disagreements
from glasso_cli.intervention.study import choose_points, run_order
from glasso_cli.models.forward import longest_window
from glasso_cli.models.loaded import LoadedModel, encode

if TYPE_CHECKING:
    from glasso_cli.hooks import HookPoint


def choose_texts(
    loaded: LoadedModel,
    read: Callable[[], Iterable[str]],
    stats: ActivationStats | None,
    collect: CollectSection,
    section: InterveneSection,
    *,
    name: str,
) -> Texts:
    """The windows of the documents that ``read()`` gives, up to ``section.tokens``.

    ``stats`` are those of the same corpus: then the documents are taken that `collect` did not read, if they have enough
    tokens, and else the first ones. Raises :class:`InputError` for texts without a token.
    """
    limit = longest_window(loaded.model)
    length = collect.max_length if limit is None else min(limit, collect.max_length)

    def windows(skip: int) -> TokenizedCorpus:
        texts = itertools.islice(read(), skip, None)
        return tokenize(texts, loaded.tokenizer, max_length=length, max_tokens=section.tokens)

    if stats is None:
        return Texts(name, windows(0), True)
    documents = stats.metrics.documents
    with suppress(InputError):  # where no document is left
        left = windows(documents.read + documents.empty)
        if left.n_tokens >= section.tokens:
            return Texts(name, left, True)
    return Texts(name, windows(0), False)


def intervene_texts(
    loaded: LoadedModel,
    texts: Texts,
    stats: ActivationStats,
    fit: PrecisionPath | None,
    collect: CollectSection,
    section: InterveneSection,
    pieces: Path,
    *,
    disagreements: Disagreements | None = None,
    name: str,
    seed: int,
    reporter: Reporter,
) -> Interventions:
    """The effects that ``section`` asks for, between hook points that ``collect`` names.

    ``stats`` are of the neurons there; ``fit`` is needed where degrees or communities decide on the sources, and
    ``disagreements`` where they do. Raises :class:`InputError` as :func:`glasso_cli.intervention.run.intervene` does, and for hook points that are not collected or do not run
    one after the other.
    """

    def resolve(patterns: Sequence[str]) -> Sequence[HookPoint]:
        return resolve_hook_points(loaded.model, patterns_in_part(loaded.kind, tuple(patterns)))

    collected = resolve(collect.hook_points)
    ids = encode(loaded, ["Nobody answered."])[0][None].to(loaded.device)
    order = run_order(loaded.model, lambda: loaded.model(input_ids=ids), collected)
    source, targets = choose_points(collected, order, resolve, section)
    with text_feed(loaded, [source, *targets], texts.corpus, collect, reporter) as feed:
        return intervene(
            feed,
            source,
            targets,
            _earlier(collected, order, source, resolve),
            stats,
            fit,
            section,
            pieces,
            texts,
            disagreements=disagreements,
            name=name,
            seed=seed,
            reporter=reporter,
        )


def _earlier(
    collected: Sequence[HookPoint],
    order: Sequence[str],
    source: HookPoint,
    resolve: Callable[[Sequence[str]], Sequence[HookPoint]],
) -> HookPoint | None:
    """A hook point that runs before the source: a collected one, or the residual stream after the layer before; None without one."""
    before = [point for point in collected if order.index(point.name) < order.index(source.name)]
    if before:
        return max(before, key=lambda point: order.index(point.name))
    if not source.layer:
        return None
    with suppress(InputError):
        return resolve([f"resid.{source.layer - 1}"])[0]
    return None
