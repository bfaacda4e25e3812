"""Scores of tiny models, in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glasso_cli.artifacts import Scores
from glasso_cli.collection.reading import Reader
from glasso_cli.config import CollectSection, ScoreSection
from glasso_cli.console import PythonWarnings
from glasso_cli.corpora.windows import tokenize
from glasso_cli.hooks import resolve_hook_points
from glasso_cli.intervention.feed import Feed, text_feed
from glasso_cli.intervention.outputs import outputs_of
from glasso_cli.models.loaded import LoadedModel
from glasso_cli.scoring.assemble import Known
from glasso_cli.scoring.clean import Neurons, Row, layouts, measured
from glasso_cli.scoring.replaced import Replacement
from glasso_cli.scoring.scalar import Scalar
from glasso_cli.scoring.texts import score_texts
from support.interventions import collect_section, texts

NOTHING = Known({}, {})


def scored(
    model: LoadedModel,
    *points: str,
    documents: list[str] | None = None,
    known: Known = NOTHING,
    folder: Path | None = None,
    seed: int = 0,
    **section: Any,
) -> Scores:
    """The scores of the neurons at ``points`` on ``documents``."""
    settings = {"tokens": 120, "held_out": 80, "top": 4, "sample": 6, "draws": 1, "shares": [0.02, 0.1, 0.5, 1.0]}
    asked = ScoreSection.model_validate(settings | section)
    collect = collect_section(*(points or ("mlp.0", "mlp.1")))
    with tempfile.TemporaryDirectory() as temporary:
        return score_texts(
            model,
            documents or texts(40),
            collect,
            asked,
            known,
            folder or Path(temporary),
            name="words",
            seed=seed,
            reporter=PythonWarnings(),
        )


class Bench:
    """The pieces of a run, to try one by one."""

    def __init__(self, feed: Feed, collect: CollectSection, section: ScoreSection, points: Any) -> None:
        self.feed = feed
        self.reader: Reader = feed.reading.reader()
        batches = list(feed.reading.batches(feed.reading.windows, 64))
        self.rows: list[Row] = layouts(feed, batches, self.reader)
        self.neurons: Neurons = Neurons.of(points, **measured(feed, points, batches, self.reader))
        self.scalar = Scalar(feed, outputs_of(section, feed.reading.network, "score.scalar"))
        self.replacement = Replacement(self.neurons, feed.reading.device)


@contextmanager
def bench(model: LoadedModel, *points: str, documents: list[str] | None = None, **section: Any) -> Iterator[Bench]:
    """A model at ``points`` with a few documents."""
    collect = collect_section(*points)
    hooks = resolve_hook_points(model.model, points)
    corpus = tokenize(documents or texts(6), model.tokenizer, max_length=32, max_tokens=None)
    with text_feed(model, hooks, corpus, collect, PythonWarnings()) as feed:
        yield Bench(feed, collect, ScoreSection.model_validate(section), hooks)
