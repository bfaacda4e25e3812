"""Audits with planted numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from glasso_cli.artifacts import Audit
from glasso_cli.artifacts.metrics import AuditMetrics, to_json
from glasso_cli.artifacts.metrics.audit import MissingScore, Verdict
from glasso_cli.artifacts.metrics.interventions import TextsRead

SCORES = {
    "half against half": ("ceiling", 0.9),
    "random": ("chance", 0.01),
    "correlation": ("association", 0.03),
    "weights": ("weights", 0.2),
    "influence, mean": ("influence", 0.8),
}
TRUTHS = (("step", "mean"), ("mean", "rms"))


def audit(
    targets: Sequence[str] = ("layers.9.mlp",), *, held_out: bool = True, predicted: bool = True, intervals: bool = True
) -> Audit:
    """``SCORES`` against ``TRUTHS``; the influence predicts the mean effects of steps, and nothing else does."""
    rows = [(*key, rule) for key in product(targets, TRUTHS, ("strongest", "beyond")) for rule in SCORES]
    values = np.array([SCORES[score][1] for *_, score in rows])
    half = 0.05 if intervals else np.nan
    known = [name for name in SCORES if name != "half against half"]
    second = list(product(targets, known if predicted and held_out else ()))
    verdicts = tuple(
        Verdict(target, score, *truth, held_out and (score, truth) == ("influence, mean", TRUTHS[0]), f"says {score}")
        for target, truth, score in product(targets, TRUTHS, known[1:])
    )
    metrics = AuditMetrics(
        model="toy", source="layers.8.mlp", targets=tuple(targets), mode="free", delta=0.5, at="all tokens",
        texts=TextsRead("toy", held_out, 12, 200), sources=3, blocks=4, share=0.01, min_effect=0.02, top=10, replicates=20,
        splits=3, verdicts=verdicts, left_out=(MissingScore(targets[0], "fitted graph", "there is none"),),
        unpredicted="" if predicted and held_out else "the network is not at hand",
    )  # fmt: skip
    arrays: dict[str, Any] = {
        "target": _names([target for target, *_ in rows]),
        "change": _names([truth[0] for _, truth, *_ in rows]),
        "statistic": _names([truth[1] for _, truth, *_ in rows]),
        "rule": _names([rule for _, _, rule, _ in rows]),
        "score": _names([score for *_, score in rows]),
        "score_kind": _names([SCORES[score][0] for *_, score in rows]),
        "true_pairs": np.full(len(rows), 7),
        "base_rate": np.full(len(rows), 0.01),
        "base_rate_by_source": np.full(len(rows), 0.01),
        "predicted_target": _names([target for target, _ in second]),
        "predicted_score": _names([score for _, score in second]),
        "associated_base_rate": np.full(len(second), 0.01),
        "made_target": _names([targets[0]] * len(known)),
        "made_score": _names(known),
        "made_note": _names([f"how {score} was made" for score in known]),
    }
    for name in ("precision", "by_source", "top", "signs", "slope", "gain"):
        arrays |= {name: values, f"{name}_low": values - half, f"{name}_high": values + half}
    for name in ("explained", "associated"):
        own = np.linspace(0, 0.5, len(second))
        arrays |= {name: own, f"{name}_low": own - half, f"{name}_high": own + half}
    return Audit(meta={"key": "audit", "corpus": "toy", "metrics": to_json(metrics)}, **arrays)


def _names(values: Sequence[str]) -> np.ndarray:
    return np.array(values, dtype=np.str_)
