"""Scores of a language model: the texts that are read, and the hook points whose neurons are scored."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from glasso_cli.artifacts import Scores
from glasso_cli.config import CollectSection, ScoreSection
from glasso_cli.console import Reporter
from glasso_cli.corpora.windows import tokenize
from glasso_cli.errors import InputError
from glasso_cli.hooks import resolve_hook_points
from glasso_cli.hooks.parts import patterns_in_part
from glasso_cli.intervention.feed import text_feed
from glasso_cli.models.forward import longest_window
from glasso_cli.models.loaded import LoadedModel
from glasso_cli.scoring.assemble import Known
from glasso_cli.scoring.run import score


def score_texts(
    loaded: LoadedModel,
    texts: Iterable[str],
    collect: CollectSection,
    section: ScoreSection,
    known: Known,
    pieces: Path,
    *,
    name: str,
    seed: int,
    reporter: Reporter,
) -> Scores:
    """The scores that ``section`` asks for, over ``texts``, one document each; ``collect`` says how texts are cut and masked.

    Raises :class:`InputError` as :func:`glasso_cli.scoring.run.score` does, and for hook points that do not exist.
    """
    patterns = scored_points(collect, section)
    points = resolve_hook_points(loaded.model, patterns_in_part(loaded.kind, patterns))
    limit = longest_window(loaded.model)
    length = collect.max_length if limit is None else min(limit, collect.max_length)
    wanted = section.tokens + section.held_out
    corpus = tokenize(texts, loaded.tokenizer, max_length=length, max_tokens=wanted, start=loaded.start)
    held = resolve_hook_points(loaded.model, patterns_in_part(loaded.kind, section.held)) if section.held else []
    with text_feed(loaded, points, corpus, collect, reporter) as feed:
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


def scored_points(collect: CollectSection, section: ScoreSection) -> tuple[str, ...]:
    """The patterns of the hook points; raises :class:`InputError` where `collect` gives latents and nothing else is said."""
    patterns = section.hook_points or (() if collect.sae.file is not None else collect.hook_points)
    if not patterns:
        raise InputError(
            "The configuration collects latents of a dictionary, and score is of neurons.",
            "Give score.hook_points, such as [mlp.9].",
        )
    return patterns
