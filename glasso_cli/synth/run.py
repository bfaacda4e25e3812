"""The texts of one topic: the package's passages, or what a language model writes to a plan."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from glasso_cli.config import SynthSection
from glasso_cli.console import PythonWarnings, Reporter
from glasso_cli.corpora import topics
from glasso_cli.corpora.near_duplicates import mean_similarity
from glasso_cli.errors import BelowBar
from glasso_cli.synth.answers import Answers
from glasso_cli.synth.prompts import plan
from glasso_cli.synth.spending import Spending
from glasso_cli.synth.writers import answers_folder, writer_for
from glasso_cli.synth.writing import TextWriting

FAULTS = ("near duplicate", "cut off", "broken off", "filtered", "empty")
_WHY = {
    "unanswered": "{n} had no answer in all tries",
    "budget": "synth.budget_usd left no room for {n}",
    "unusable": "no draw of {n} could be used",
    "package": "the package has no more",
}


@dataclass(frozen=True, eq=False)
class Texts:
    """The texts of a topic, one row each, and what is known about how they came to be."""

    rows: list[dict[str, Any]]  # id, topic, attributes, text, request_key
    metrics: dict[str, Any]
    run: dict[str, int] = field(default_factory=dict)  # what this run took: answers asked for, retries

    def shortfall(self, name: str, section: SynthSection) -> str:
        """Why there are fewer texts than asked for, in a sentence; empty when there are enough."""
        if not self.metrics["left"]:
            return ""
        why = "; ".join(_WHY[reason].format(n=count) for reason, count in self.metrics["left"].items())
        return f"{name}: {len(self.rows)} of the {section.examples} texts asked for ({why})"


def texts_on(
    topic: str,
    section: SynthSection,
    *,
    name: str = "corpus",
    seed: int = 0,
    device: str = "auto",
    reporter: Reporter | None = None,
) -> Texts:
    """The texts on ``topic`` as ``section`` says; ``seed`` decides the plan and every draw.

    ``name`` begins the ids of the texts. ``device`` is that of a local model. Answers of models are kept in the folder of
    answers, so that none is asked for twice. Raises :class:`BelowBar` when there is not one text, and
    :class:`ServiceError` as the writer does.
    """
    reporter = reporter or PythonWarnings()
    if section.provider == "builtin":
        return _passages(topic, section)
    return _written(topic, section, name, seed, device, reporter)


def _passages(topic: str, section: SynthSection) -> Texts:
    rows = [
        {
            "id": passage["id"],
            "topic": topic,
            "attributes": {"genre": passage["genre"]},
            "text": passage["text"],
            "request_key": None,
        }
        for passage in topics.rows(topic)[: section.examples]
    ]
    missing = section.examples - len(rows)
    return Texts(rows, {"texts": len(rows), "left": {"package": missing} if missing else {}, "budget_usd": None})


def _written(topic: str, section: SynthSection, name: str, seed: int, device: str, reporter: Reporter) -> Texts:
    spending = Spending(section.price if section.provider == "openai" else None, section.budget_usd)
    writer = writer_for(section, spending, device, reporter.note)
    answers = Answers(answers_folder(section))
    answers.drop_leftovers()
    desk = TextWriting(name, section, writer, answers, spending, reporter)
    try:
        written = desk.write(plan(topic, section.attributes, section.examples, seed))
    except BaseException:
        reporter.note(f"synth {name}: what arrived is kept in {answers_folder(section)}")
        raise
    left = {reason: count for reason, count in written.left.items() if count}
    if not written.texts:
        raise _no_text(name, section, written.faults, left)
    rows = [
        {
            "id": f"{name}-{item.brief.index + 1:04d}",
            "topic": item.brief.topic,
            "attributes": dict(item.brief.attributes),
            "text": item.text,
            "request_key": item.request_key,
        }
        for item in written.texts
    ]
    metrics = {
        "texts": len(rows),
        "left": left,
        "drawn_again": {fault: written.faults[fault] for fault in FAULTS if written.faults[fault]},
        "mean_similarity": mean_similarity([item.text for item in written.texts]),
        "tokens": {"prompts": written.tokens[0], "answers": written.tokens[1]} if written.tokens_known else None,
        "cost_usd": spending.spent if spending.price else None,
        "budget_usd": section.budget_usd,
    }
    return Texts(rows, metrics, {"asked": written.asked, **writer.counts})


def _no_text(name: str, section: SynthSection, faults: Counter[str], left: dict[str, int]) -> BelowBar:
    if left.get("budget"):
        return BelowBar(
            f"{name}: synth.budget_usd {section.budget_usd:g} leaves no room for one text.",
            "Raise it, or lower synth.max_tokens.",
        )
    counts = ", ".join(f"{faults[fault]} {fault}" for fault in FAULTS if faults[fault])
    return BelowBar(
        f"{name}: not one answer can be used ({counts}).",
        "Answers that are cut off need a larger synth.max_tokens; filtered ones another topic or synth.model.",
    )
