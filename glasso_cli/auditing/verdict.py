"""What a score may claim: that it predicts effects, or that it is associational.

Effects can judge scores if they were measured on texts that `collect` did not read, and if they repeat: one half of the
documents must rank those of the other at more than 0.5, by the lower end of the interval. A score then predicts the effects if
the lower end of the interval of its average precision is above chance; above half of the noise ceiling; and above the
correlation, by the interval of their difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from glasso_cli.artifacts.metrics.audit import Verdict
from glasso_cli.artifacts.metrics.interventions import InterventionMetrics
from glasso_cli.auditing.judge import Judged
from glasso_cli.auditing.measures import CEILING
from glasso_cli.auditing.resample import Estimate
from glasso_cli.auditing.scores import CORRELATION

REPEATS = 0.5  # a ceiling below this does not judge
PART = 0.5  # of the ceiling that a score must reach

_UNKNOWN = Estimate(float("nan"))

_CHANGES = {
    "mean": "ablation to the mean",
    "zero": "ablation to zero",
    "resample": "resampling from another document",
}


def verdicts(rows: Sequence[Judged], metrics: InterventionMetrics, target: str, model: str) -> list[Verdict]:
    """The verdict on every score for every change and statistic, by the strongest effects."""
    judged = [row for row in rows if row.truth.rule == "strongest"]
    ceilings = {row.truth: row.precision for row in judged if row.score == CEILING}
    return [
        Verdict(
            target,
            row.score,
            row.truth.change,
            row.truth.statistic,
            good := metrics.texts.held_out and predicts(row, ceilings.get(row.truth, _UNKNOWN)),
            _sentence(row, good, ceilings.get(row.truth, _UNKNOWN), metrics, target, model),
        )
        for row in judged
        if row.kind not in ("ceiling", "chance")
    ]


def predicts(row: Judged, ceiling: Estimate) -> bool:
    """Whether the average precision is above chance, half of a ceiling that repeats, and the correlation; not where one is unknown."""
    beyond = row.score == CORRELATION or row.gain.low > 0
    low = row.precision.low
    return bool(beyond and ceiling.low > REPEATS and low > row.base and low > PART * ceiling.value)


def _sentence(row: Judged, good: bool, ceiling: Estimate, metrics: InterventionMetrics, target: str, model: str) -> str:
    what = f"{effects_in_words(row.truth.change, row.truth.statistic, metrics)} of {metrics.source} on {target}"
    read = "texts" if metrics.texts.sample == "token" else "documents"
    where = f"on {read} of {metrics.texts.corpus}, in {model}"
    if good:
        return f"predicts {what} {where}"
    if not metrics.texts.held_out:
        return f"not judged: the {what} were measured on texts that collect read"
    if not ceiling.low > REPEATS:
        known = "are of too few sources or documents"
        if not math.isnan(ceiling.value):
            known = f"of one half of the documents rank those of the other at {ceiling.value:.2f}, and more than {REPEATS:g} is not shown"
        return f"not judged: the {what} {known}; raise intervene.tokens"
    if row.kind == "association":
        return f"associational: not shown to predict {what} {where}"
    return f"not shown to predict {what} {where}"


def effects_in_words(change: str, statistic: str, metrics: InterventionMetrics) -> str:
    """The effects of a change, with its size, where it is done, and what is held."""
    done = f"a step of {metrics.delta:g} standard deviations" if change == "step" else _CHANGES[change]
    kind = "mean" if statistic == "mean" else "root mean square"
    held = "" if metrics.mode == "free" else f", mode {metrics.mode},"
    return f"{kind} effects of {done} at {metrics.at}{held}"
