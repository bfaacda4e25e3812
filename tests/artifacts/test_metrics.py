"""Metrics in ``meta`` and as dataclasses: one comes back from the other, and what does not fit is said."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from support.metrics import collect_metrics, fit_metrics

from glasso_cli.artifacts.metrics import (
    CollectMetrics,
    ComparisonMetrics,
    FitMetrics,
    JointMetrics,
    metrics_of,
    to_json,
)
from glasso_cli.artifacts.metrics.collect import EffectiveTokens, TokenCounts
from glasso_cli.artifacts.metrics.comparison import (
    ActivationCounts,
    Calibration,
    CommunityCounts,
    ComparedCorpus,
    GraphOverlap,
    Power,
)
from glasso_cli.artifacts.metrics.fit import (
    Dependence,
    EstimateUsed,
    FreshNetwork,
    LeadingFactor,
    LeadingFactors,
    NullEdges,
    PairCounts,
    PlainGraph,
)
from glasso_cli.artifacts.metrics.joint import JointCorpus
from glasso_cli.errors import InputError

COLLECT = collect_metrics(5, TokenCounts(12, 1, 1, 0, 10), EffectiveTokens(10, 8.5, 3.25))
FIT = fit_metrics(COLLECT, 5, 3, 4, "degree", 0.2)
FACTORS = LeadingFactors(1, 0.2, 0.25, (LeadingFactor(0.5, "a[0], a[1]"), LeadingFactor(0.25, "a[2]")))
DEPENDENCE = Dependence(None, 0.0, 0.0, 0.5, 0.25, 0.125, 0.26, 0.1)
PLAIN = PlainGraph(9, 7, 5, 2, 1, 0, EstimateUsed("inverse", None), 1e-9, True)
CORPORA = tuple(ComparedCorpus(name, 10, 8.5, 4, 0.2, 1.5) for name in ("a", "b"))
COMPARISON = ComparisonMetrics(
    neurons=5,
    method="differential",
    corpora=CORPORA,
    estimate=EstimateUsed("inverse", None),
    fdr=0.05,
    min_effect=0.1,
    pairs=PairCounts(10, 3, 2),
    edges=2,
    classes={"gained": 1, "sign flip": 1},
    expected_false_edges=0.1,
    graphs=GraphOverlap(0, 0, None),
    activations=ActivationCounts(5, 0.02, 1.05, 3, 1, 1, 0, 2, (0, None)),
    communities=CommunityCounts(2, 3, 1, 0),
    power=Power(0.12, 40, 57.5),
    spread=1.0,
    permutations=None,
    calibration={"b": Calibration(0, 1, 1.1), "a": None},
)
JOINT = JointMetrics("group", 5, (JointCorpus("a", 2),), 0.2, 0.04, {"all": 1}, 5, -3.5, 1e-9, 1e-8, 7, True, 1e-7)
ALL = [
    COLLECT,
    FIT,
    replace(FIT, factors=FACTORS, null=NullEdges(9, 1, 0)),
    replace(FIT, fresh_network=FreshNetwork(9, 1, 2, 1, 0.5, None, 1.5)),
    replace(COLLECT, fresh_network=EffectiveTokens(9, 8.0, 7.5)),
    replace(FIT, hidden_factors=2, dependence=DEPENDENCE, plain=PLAIN),
    COMPARISON,
    replace(COMPARISON, activations=None),
    JOINT,
]


@pytest.mark.parametrize("metrics", ALL, ids=lambda metrics: type(metrics).__name__)
def test_metrics_come_back_from_json(metrics: Any) -> None:
    stored = json.loads(json.dumps(to_json(metrics), sort_keys=True))
    assert metrics_of(type(metrics), {"metrics": stored}) == metrics
    assert to_json(metrics_of(type(metrics), {"metrics": stored})) == to_json(metrics)


def test_no_factors_are_an_empty_object() -> None:
    assert to_json(FIT)["factors"] == {}
    assert to_json(FIT)["null"] is None


def changed(*place: str | int, value: Any) -> dict[str, Any]:
    """The JSON of ``FIT`` with one value replaced, or taken out for ``...``."""
    found = to_json(FIT)
    inner = found
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    if value is ...:
        del inner[place[-1]]
    return dict(found)


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        (None, "metrics is missing"),
        ([], r"metrics is \[\]"),
        (changed("edges", value=...), "metrics.edges is missing"),
        (changed("colour", value=1), "metrics.colour is unknown"),
        (changed("collect", "n_effective", "q05", value=...), "metrics.collect.n_effective.q05 is missing"),
        (changed("collect", "tokens", "odd", value=0), "metrics.collect.tokens.odd is unknown"),
        (changed("collect", "hook_points", 0, "layer", value="9"), r"metrics.collect.hook_points\[0\].layer is '9'"),
        (changed("edges", value="four"), "metrics.edges is 'four'"),
        (changed("edges", value=True), "metrics.edges is True"),
        (changed("converged", value=1), "metrics.converged is 1"),
        (changed("null", value={}), "metrics.null.at_alpha is missing"),
        (changed("collect", "hook_points", value={}), r"metrics.collect.hook_points is \{\}"),
    ],
)
def test_metrics_that_do_not_fit_are_refused(metrics: Any, said: str) -> None:
    meta = {"kind": "precision-path", "corpus": "films", "metrics": metrics}
    with pytest.raises(InputError, match=f"precision-path of films was damaged or .*: {said}"):
        metrics_of(FitMetrics, meta)


def test_a_field_with_a_default_may_be_missing() -> None:
    """Artifacts from before there were experts do not count tokens of other experts."""
    older = metrics_of(FitMetrics, {"metrics": changed("collect", "tokens", "unrouted", value=...)})
    assert older == FIT
    assert older.collect.tokens.unrouted == 0


def test_whole_numbers_are_floats_where_those_are_asked_for() -> None:
    assert metrics_of(CollectMetrics, {"metrics": to_json(COLLECT)}).n_effective.median == 8.5
    assert metrics_of(FitMetrics, {"metrics": changed("alpha", value=1)}).alpha == 1
