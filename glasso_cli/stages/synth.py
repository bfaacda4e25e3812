"""From topics to texts: the passages of the package, or what a language model writes to a plan.

The texts of a topic are ``synth/<corpus>.jsonl``, one JSON object a line, and ``synth/<corpus>.json`` says what they
were made from. Answers are kept one by one outside, so an interrupted run goes on and none is paid for twice.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from glasso_cli.config import Config, public_fields
from glasso_cli.config.sections.prices import dollars
from glasso_cli.corpora import topics
from glasso_cli.files import atomic_write, sha256_of
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.stage import Stage
from glasso_cli.synth.prompts import TEMPLATE, plan


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
    from glasso_cli.synth.run import texts_on

    section = job.config.synth
    texts = texts_on(
        _topic(job.config, job.corpus),
        section,
        name=job.corpus,
        seed=job.config.seed,
        device=job.config.model.device,
        reporter=job.console,
    )
    (path,) = job.target.companions
    with atomic_write(path, "w", private=True) as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in texts.rows)
    below = texts.shortfall(job.corpus, section)
    more = {"below": below} if below else {}
    job.save_manifest(job.meta(texts.metrics, kind="texts", schema=1, content=sha256_of(path), **more), [path])
    if section.provider == "builtin":
        return f"{len(texts.rows)} passages of the package"
    return _summary(texts.metrics, texts.run, section.provider)


def _summary(metrics: dict[str, Any], counts: dict[str, int], provider: str) -> str:
    """What came of a plan, in a line."""
    run = dict(counts)
    parts = [f"{metrics['texts']:,} texts", f"{run.pop('asked'):,} answers asked for"]
    parts.append(f"{sum(metrics['tokens'].values()):,} tokens" if metrics["tokens"] else "tokens unknown")
    parts.append(f"mean similarity {metrics['mean_similarity']:.3f}")
    parts += [f"{count:,} {name} drawn again" for name, count in metrics["drawn_again"].items()]
    parts += [f"{count:,} {name.replace('_', ' ')}" for name, count in run.items() if count]
    if provider == "openai":
        parts.append(dollars(metrics["cost_usd"]))
    return ", ".join(parts)


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
    version=2,
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
