"""What an audit found, in sentences."""

from __future__ import annotations

from glasso_cli.artifacts.metrics import AuditMetrics
from glasso_cli.report.words.labels import count, percent

CHANGES = {"step": "step", "mean": "ablation to the mean", "zero": "ablation to zero", "resample": "resampling"}
STATISTICS = {"mean": "mean effect", "rms": "root mean square effect"}


def truth_in_words(change: str, statistic: str) -> str:
    """The effects that scores are judged by, in a few words."""
    return f"{STATISTICS[statistic]} of {'a ' if change == 'step' else ''}{CHANGES[change]}"


def one_line(metrics: AuditMetrics) -> str:
    """The audit in a line."""
    found = [verdict for verdict in metrics.verdicts if verdict.predicts]
    if not found:
        return f"no score of {metrics.sources:,} sources is shown to predict effects on the texts of {metrics.texts.corpus}"
    effects = {(item.target, item.change, item.statistic): item for item in found}
    names = list(dict.fromkeys(item.score for item in found))
    return (
        f"shown to predict some effects on the texts of {metrics.texts.corpus}: {'; '.join(names)} "
        f"({count(len(effects), 'kind')} of effects of {metrics.sources:,} sources)"
    )


def audit_summary(metrics: AuditMetrics) -> list[tuple[str, str]]:
    """Name and text of every line that `glasso show` prints before the tables."""
    texts = metrics.texts
    read = ", which collect did not read" if texts.held_out else ", which collect also read"
    if metrics.scores_from:
        read = f"; the scores are from the texts of {metrics.scores_from}"
    lines = [
        ("model", metrics.model),
        (
            "pairs",
            f"{metrics.sources:,} neurons at {metrics.source} and all measured ones at {', '.join(metrics.targets)}",
        ),
        (
            "texts",
            f"{count(texts.tokens, texts.sample)} of {count(texts.documents, 'document')} of {texts.corpus} in "
            f"{count(metrics.blocks, 'block')}{read}",
        ),
        ("true pairs", f"the {percent(metrics.share)} with the strongest measured effects"),
        (
            "intervals",
            f"95 %, from {metrics.replicates:,} resamples of sources and blocks of documents; scores are held",
        ),
        (
            "noise ceiling",
            f"one half of the documents ranked by the other, mean of {metrics.splits} splits; half has half of the {texts.sample}s",
        ),
        ("rule", RULE if texts.held_out else "no score is judged: effects were measured on texts that collect read"),
    ]
    lines += [(item.score, f"{_at(metrics, item.target)}{item.text}") for item in metrics.verdicts if item.predicts]
    lines += [("left out", f"{_at(metrics, item.target)}{item.score}: {item.reason}") for item in metrics.left_out]
    if metrics.unpredicted:
        lines.append(("left out", f"prediction of activations: {metrics.unpredicted}"))
    return lines


RULE = (
    "a score predicts effects if its average precision, lower end of the interval, is above chance, half of the ceiling, "
    "and the correlation; effects whose ceiling is not shown to be above 0.5 judge no score; every other association is associational"
)


def _at(metrics: AuditMetrics, target: str) -> str:
    return f"{target}: " if len(metrics.targets) > 1 else ""
