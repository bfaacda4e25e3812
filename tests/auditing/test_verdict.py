"""What a score may claim: each condition by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.across import Planted, interventions

from glasso_cli.auditing.judge import Judged
from glasso_cli.auditing.measures import CEILING
from glasso_cli.auditing.resample import Estimate
from glasso_cli.auditing.truth import Truth
from glasso_cli.auditing.verdict import predicts, verdicts

STEP = Truth("step", "mean", "strongest", 0.01)
NONE = Estimate(float("nan"))
GOOD = Judged(STEP, "influence, mean", "influence", 9, 0.01, 0.01, Estimate(0.8, 0.7, 0.9), NONE, NONE, NONE, NONE, Estimate(0.6, 0.4, 0.8))  # fmt: skip
REPEATS = Estimate(0.95, 0.9, 1.0)


@pytest.mark.parametrize(
    ("row", "ceiling", "expected"),
    [
        (GOOD, REPEATS, True),
        (replace(GOOD, precision=Estimate(0.8, 0.4, 0.9)), REPEATS, False),
        (replace(GOOD, precision=Estimate(0.8)), REPEATS, False),
        (replace(GOOD, gain=Estimate(0.1, -0.01, 0.2)), REPEATS, False),
        (replace(GOOD, base=0.75), REPEATS, False),
        (GOOD, Estimate(0.6, 0.45, 0.7), False),
        (GOOD, Estimate(0.95), False),
        (replace(GOOD, score="correlation", gain=Estimate(0.0, 0.0, 0.0)), REPEATS, True),
    ],
)
def test_every_condition_counts(row: Judged, ceiling: Estimate, expected: bool) -> None:
    assert predicts(row, ceiling) is expected


def said(*rows: Judged, held_out: bool = True) -> list[str]:
    metrics = interventions(Planted.of([8, 9]), [0], {}).metrics
    metrics = replace(metrics, texts=replace(metrics.texts, held_out=held_out))
    return [item.text for item in verdicts(rows, metrics, "layers.9.mlp", "toy")]


def test_the_sentence_names_change_texts_and_model() -> None:
    top = replace(GOOD, score=CEILING, kind="ceiling", precision=REPEATS)
    weak = Estimate(0.1, 0.05, 0.2)
    graph = replace(GOOD, score="fitted graph", kind="association", precision=weak)
    what = "mean effects of a step of 0.5 standard deviations at all tokens of layers.8.mlp on layers.9.mlp"
    assert said(top, GOOD, graph, replace(GOOD, precision=weak)) == [
        f"predicts {what} on texts of toy, in toy",
        f"associational: not shown to predict {what} on texts of toy, in toy",
        f"not shown to predict {what} on texts of toy, in toy",
    ]
    assert said(top, GOOD, held_out=False) == [f"not judged: the {what} were measured on texts that collect read"]
    (low,) = said(replace(top, precision=Estimate(0.31, 0.2, 0.5)), GOOD)
    assert low.startswith(f"not judged: the {what} of one half of the documents rank those of the other at 0.31")
    assert said(GOOD)[0].startswith("not judged")
