"""From topics to texts: the passages of the package, or what a language model writes to a plan.

The texts of a topic are ``synth/<corpus>.jsonl``, one JSON object a line, and ``synth/<corpus>.json`` says what they
were made from. Answers are kept one by one outside, so an interrupted run goes on and none is paid for twice.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

from glasso_cli.artifacts.manifest import write_manifest
from glasso_cli.config import Config, public_fields
from glasso_cli.config.sections.prices import dollars
from glasso_cli.corpora import topics
from glasso_cli.errors import BelowBar
from glasso_cli.files import atomic_write, sha256_of
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.stage import Stage
from glasso_cli.synth.prompts import TEMPLATE, plan

_FAULTS = ("near duplicate", "cut off", "filtered", "empty")
_WHY = {
    "unanswered": "{n} had no answer in all tries",
    "budget": "synth.budget_usd left no room for {n}",
    "unusable": "no draw of {n} could be used",
    "package": "the package has no more",
}


def targets(config: Config) -> list[str]:
    """The corpora that are topics."""
    return [name for name, corpus in config.corpora.items() if corpus.topic is not None]


def settings(config: Config, corpus: str) -> dict[str, Any]:
    """What of the configuration decides the texts."""
    section = public_fields(config.synth)
    if config.synth.provider == "local" and Path(config.synth.model or "").is_dir():
        section["model"] = "a local folder"
    return {"topic": config.corpora[corpus].topic, "synth": section, "seed": config.seed, "template": TEMPLATE}


def pins(config: Config, corpus: str) -> dict[str, Any]:
    """The digest of the package's passages, or of the model that writes here."""
    from glasso_cli.models.source import model_digest
    from glasso_cli.synth.writers import local_model

    if config.synth.provider == "builtin":
        return {"passages": hashlib.sha256(topics.source(_topic(config, corpus))).hexdigest()}
    if config.synth.provider == "local":
        return {"model": model_digest(local_model(config.synth), config.synth.revision)}
    return {}


def paths(config: Config, corpus: str) -> tuple[Path, tuple[Path, ...]]:
    """The manifest, and the texts beside it."""
    manifest = config.folder / "synth" / f"{corpus}.json"
    return manifest, (manifest.with_suffix(".jsonl"),)


def unfinished(config: Config, meta: dict[str, Any]) -> str:
    """Why to go on with texts that are up to date: some had no answer, or the budget has been raised since."""
    left = meta["metrics"]["left"]
    if left.get("unanswered"):
        return f"{left['unanswered']} texts had no answer"
    budget, before = config.synth.budget_usd, meta["metrics"]["budget_usd"]
    if left.get("budget") and before is not None and (budget is None or budget > before):
        return f"{left['budget']} texts were over the budget"
    return ""


def make(job: Job) -> str:
    """Write the texts of one topic; raises :class:`BelowBar` when there is not one."""
    if job.config.synth.provider == "builtin":
        return _take_passages(job)
    return _write_texts(job)


# -- the package's passages -------------------------------------------------------------------------------


def _take_passages(job: Job) -> str:
    topic = _topic(job.config, job.corpus)
    passages = topics.rows(topic)[: job.config.synth.examples]
    rows = [
        {
            "id": passage["id"],
            "topic": topic,
            "attributes": {"genre": passage["genre"]},
            "text": passage["text"],
            "request_key": None,
        }
        for passage in passages
    ]
    missing = job.config.synth.examples - len(rows)
    metrics = {"texts": len(rows), "left": {"package": missing} if missing else {}, "budget_usd": None}
    _save(job, rows, metrics)
    return f"{len(rows)} passages of the package"


# -- a model's texts --------------------------------------------------------------------------------------


def _write_texts(job: Job) -> str:
    from glasso_cli.synth.answers import Answers
    from glasso_cli.synth.near_duplicates import mean_similarity
    from glasso_cli.synth.spending import Spending
    from glasso_cli.synth.writers import answers_folder, writer_for
    from glasso_cli.synth.writing import Desk

    section = job.config.synth
    spending = Spending(section.price if section.provider == "openai" else None, section.budget_usd)
    writer = writer_for(section, spending, job.config.model.device, job.console.note)
    desk = Desk(job.corpus, section, writer, Answers(answers_folder(section)), spending, job.console)
    briefs = plan(_topic(job.config, job.corpus), section.attributes, section.examples, job.config.seed)
    try:
        written = desk.write(briefs)
    except BaseException:
        job.console.note(f"synth {job.corpus}: what arrived is kept in {answers_folder(section)}")
        raise
    left = {name: count for name, count in written.left.items() if count}
    if not written.texts:
        raise _no_text(job, written.faults, left)
    rows = [
        {
            "id": f"{job.corpus}-{item.brief.index + 1:04d}",
            "topic": item.brief.topic,
            "attributes": dict(item.brief.attributes),
            "text": item.text,
            "request_key": item.request_key,
        }
        for item in written.texts
    ]
    counts = dict(getattr(writer, "counts", {}))
    metrics = {
        "texts": len(rows),
        "left": left,
        "drawn_again": {name: written.faults[name] for name in _FAULTS if written.faults[name]},
        "mean_similarity": mean_similarity([item.text for item in written.texts]),
        "tokens": {"prompts": written.tokens[0], "answers": written.tokens[1]} if written.tokens_known else None,
        "cost_usd": spending.spent if spending.price else None,
        "budget_usd": section.budget_usd,
        "last_run": {"asked": written.asked, **counts},
    }
    _save(job, rows, metrics)
    return _summary(metrics, section.provider)


def _no_text(job: Job, faults: Counter[str], left: dict[str, int]) -> BelowBar:
    if left.get("budget"):
        return BelowBar(
            f"{job.corpus}: synth.budget_usd {job.config.synth.budget_usd:g} leaves no room for one text.",
            "Raise it, or lower synth.max_tokens.",
        )
    found = ", ".join(f"{faults[name]} {name}" for name in _FAULTS if faults[name])
    return BelowBar(
        f"{job.corpus}: not one answer can be used ({found}).",
        "Answers that are cut off need a larger synth.max_tokens; filtered ones another topic or synth.model.",
    )


def _summary(metrics: dict[str, Any], provider: str) -> str:
    """What came of a plan, in a line."""
    run = dict(metrics["last_run"])
    parts = [f"{metrics['texts']:,} texts", f"{run.pop('asked'):,} answers asked for"]
    parts.append(f"{sum(metrics['tokens'].values()):,} tokens" if metrics["tokens"] else "tokens unknown")
    parts.append(f"mean similarity {metrics['mean_similarity']:.3f}")
    parts += [f"{count:,} {name} drawn again" for name, count in metrics["drawn_again"].items()]
    parts += [f"{count:,} {name.replace('_', ' ')}" for name, count in run.items() if count]
    if provider == "openai":
        parts.append(dollars(metrics["cost_usd"]))
    return ", ".join(parts)


def _save(job: Job, rows: list[dict[str, Any]], metrics: dict[str, Any]) -> None:
    """Write the texts, then the manifest that makes them count."""
    (texts,) = job.target.companions
    with atomic_write(texts, "w") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    more = {}
    if metrics["left"]:
        why = "; ".join(_WHY[name].format(n=count) for name, count in metrics["left"].items())
        more["below"] = f"{job.corpus}: {len(rows)} of the {job.config.synth.examples} texts asked for ({why})"
    write_manifest(job.target.path, job.meta(metrics, kind="texts", schema=1, content=sha256_of(texts), **more))


def _topic(config: Config, corpus: str) -> str:
    return str(config.corpora[corpus].topic)


# -- what would be asked ----------------------------------------------------------------------------------


def preview(config: Config, corpus: str) -> list[str]:
    """The counts of a plan, what it may cost, and two of its prompts."""
    section = config.synth
    topic = _topic(config, corpus)
    if section.provider == "builtin":
        return [
            f"{min(section.examples, len(topics.rows(topic)))} passages of the package on {topic!r}; nobody is asked"
        ]
    from glasso_cli.synth.answers import Answers
    from glasso_cli.synth.spending import Spending
    from glasso_cli.synth.writers import answers_folder, writer_for
    from glasso_cli.synth.writing import preview_lines

    briefs = plan(topic, section.attributes, section.examples, config.seed)
    writer = writer_for(section, Spending(), config.model.device)
    return preview_lines(briefs, section, writer, Answers(answers_folder(section)))


STAGE = Stage(
    version=1,
    sections=("corpora", "synth"),
    settings=settings,
    pins=pins,
    paths=paths,
    make=make,
    targets=targets,
    no_targets=(
        "No corpus of this configuration is a topic.",
        "Give one as `topic: climate change`; files and datasets need no synth.",
    ),
    unfinished=unfinished,
    preview=preview,
)
