"""From measured effects and everything that was computed before them to the tables of the audit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts import ActivationStats, Audit, Influence, Interventions, OrderedGraph, PrecisionPath
from glasso_cli.artifacts.metrics import AuditMetrics, to_json
from glasso_cli.artifacts.metrics.audit import MissingScore
from glasso_cli.auditing.association import Association, Rows
from glasso_cli.auditing.effects import Effects
from glasso_cli.auditing.held_out import Predicted, held_out_sums, predicted
from glasso_cli.auditing.judge import Judged, judge
from glasso_cli.auditing.measures import MEASURES, Settings
from glasso_cli.auditing.mechanism import WEIGHTS, InfluenceScores, weights_score
from glasso_cli.auditing.replicates import Workplace
from glasso_cli.auditing.resample import Estimate
from glasso_cli.auditing.scores import LeftOut, Score, random_score
from glasso_cli.auditing.transfer import OtherTexts
from glasso_cli.auditing.truth import Truth
from glasso_cli.auditing.verdict import verdicts
from glasso_cli.config import AuditSection

if TYPE_CHECKING:
    from glasso_cli.artifacts.metrics.interventions import InterventionMetrics
    from glasso_cli.console import Reporter
    from glasso_cli.intervention.feed import Feed
    from glasso_cli.models.loaded import LoadedModel


@dataclass(frozen=True, eq=False, kw_only=True)
class Inputs:
    """What was made before: statistics, effects, and where they exist the graphs and the influence.

    Scores come from ``stats``, graphs and influence. With ``other`` the effects are of other texts than these.
    """

    stats: ActivationStats
    interventions: Interventions
    fit: PrecisionPath | None = None
    ordered: OrderedGraph | None = None
    influence: Influence | None = None
    transformed: bool = False  # whether the moments are of transformed values (collect.transform)
    other: OtherTexts | None = None

    @property
    def measured(self) -> InterventionMetrics:
        """What is known of the effects; no score has seen their texts if it comes from those of another corpus."""
        metrics = self.interventions.metrics
        return metrics if self.other is None else replace(metrics, texts=replace(metrics.texts, held_out=True))

    @property
    def measured_stats(self) -> ActivationStats:
        """The statistics of the corpus whose neurons were changed, the unit of the effects."""
        return self.stats if self.other is None else self.other.stats


@dataclass(frozen=True, eq=False)
class Network:
    """The network with the texts of the interventions, for what needs them; ``loaded`` is None for one that reads no texts."""

    feed: Feed
    loaded: LoadedModel | None


def audit_of(
    inputs: Inputs,
    network: Network | None,
    section: AuditSection,
    *,
    model: str,
    name: str,
    seed: int,
    reporter: Reporter,
    folder: Path | None = None,
) -> Audit:
    """Judge every score of the measured sources and targets. The ``meta`` of the result holds the metrics.

    Without a ``network`` the scores from weights and the predicted activations are left out. ``model`` and ``name`` are for
    sentences. With a ``folder`` for finished parts, a cluster makes the bootstraps where there is one
    (:func:`glasso_cli.engine.tasks.current`); raises :class:`UnitsFailed` where it makes not all of them.
    """
    named = model
    if inputs.other is not None:
        inputs.other.refuse_unknown(
            inputs.stats, inputs.interventions.source_ids[_single(inputs.interventions)].tolist()
        )
    place = None if folder is None else Workplace(folder, f"audit {name}", reporter)
    parts = [
        _of_target(inputs, network, section, target, seed, place) for target in inputs.interventions.metrics.targets
    ]
    measured = inputs.measured
    if inputs.other is not None:
        model += f", by scores from the texts of {inputs.other.name}"
    if not measured.texts.held_out:
        reporter.warn(f"{name}: effects were measured on texts that collect read, so no score is said to predict them.")
    metrics = AuditMetrics(
        model=named,
        source=measured.source,
        targets=measured.targets,
        mode=measured.mode,
        delta=measured.delta,
        at=measured.at,
        texts=measured.texts,
        sources=len(_single(inputs.interventions)),
        blocks=len(inputs.interventions.counts),
        share=section.share,
        min_effect=measured.min_effect,
        top=section.top,
        replicates=section.replicates,
        splits=section.splits,
        verdicts=tuple(v for part in parts for v in verdicts(part.judged, measured, part.target, model)),
        left_out=tuple(MissingScore(part.target, item.score, item.reason) for part in parts for item in part.left_out),
        unpredicted=_unpredicted(inputs, network),
        scores_from="" if inputs.other is None else inputs.other.name,
    )
    return _assembled(parts, {"metrics": to_json(metrics)})


def _unpredicted(inputs: Inputs, network: Network | None) -> str:
    """Why activations are not predicted; empty where they are."""
    if network is None:
        return "the network is not at hand"
    if not inputs.measured.texts.held_out:
        return "effects were measured on texts that collect read"
    if inputs.transformed:
        return "the statistics are of transformed values (collect.transform)"
    return ""


@dataclass(frozen=True, eq=False)
class _Part:
    """Everything about one target hook point."""

    target: str
    scores: Sequence[Score]
    left_out: Sequence[LeftOut]
    judged: Sequence[Judged]
    predicted: Sequence[Predicted]


def _of_target(
    inputs: Inputs,
    network: Network | None,
    section: AuditSection,
    target: str,
    seed: int,
    place: Workplace | None,
) -> _Part:
    made = inputs.interventions
    rows, sources, targets = _rows(inputs, target)
    found = list(_scores(inputs, network, rows, target))
    scores = [item for item in found if isinstance(item, Score)]
    effects = Effects(
        tuple(made.changes.tolist()),
        np.asarray(made.counts),
        np.asarray(made.block_sums)[:, sources][..., targets],
        np.asarray(made.block_squares)[:, sources][..., targets],
    )
    settings = Settings(section.top, section.replicates, section.splits, seed)
    judged = judge(effects, list(truths_of(made, section.share)), scores, settings, place)
    table: list[Predicted] = []
    if not _unpredicted(inputs, network) and network is not None:
        sums = held_out_sums(network.feed, inputs.stats, rows, scores, len(made.counts))
        table = predicted(sums, scores, section.share, section.replicates, seed)
    return _Part(target, scores, [item for item in found if isinstance(item, LeftOut)], judged, table)


def truths_of(made: Interventions, share: float) -> Iterator[Truth]:
    """Mean and root mean square of every change, the strongest pairs; and those beyond the minimum effect, by the tested one."""
    for item in made.metrics.effects:
        for statistic in ("mean", "rms"):
            yield Truth(item.change, statistic, "strongest", share)
        yield Truth(item.change, item.tested, "beyond", made.metrics.min_effect)


def _scores(inputs: Inputs, network: Network | None, rows: Rows, target: str) -> Iterator[Score | LeftOut]:
    """All scores that can be made, in the unit of the effects."""
    other = inputs.other
    for item in _own_scores(inputs, network, rows, target):
        if other is not None and isinstance(item, Score):
            item = other.in_unit(item, inputs.stats, rows.sources, rows.targets)
        yield item
    if other is not None:
        sources, targets = (inputs.stats.neuron_ids[at].tolist() for at in (rows.sources, rows.targets))
        yield from other.effects(sources, targets, inputs.interventions.metrics.source)


def _own_scores(inputs: Inputs, network: Network | None, rows: Rows, target: str) -> Iterator[Score | LeftOut]:
    """All scores in the unit of their own texts, but weights, whose unit alone comes from texts."""
    stats, measured = inputs.stats, inputs.interventions.metrics
    yield random_score(len(rows.sources), len(rows.targets))
    yield from Association(stats, rows).scores(inputs.fit, inputs.ordered)
    ids = stats.neuron_ids[rows.sources].tolist(), stats.neuron_ids[rows.targets].tolist()
    if network is None:
        yield LeftOut(WEIGHTS, "the network is not at hand")
    elif network.loaded is None:
        yield LeftOut(WEIGHTS, "they are read between MLPs of language models alone")
    else:
        points = {point.label: point for point in network.feed.reading.points}
        yield weights_score(network.loaded, points[measured.source], points[target], inputs.measured_stats, ids)
    if inputs.influence is None:
        yield LeftOut("influence", "there is no influence that is up to date")
        return
    own = neurons_at(stats, measured.source)
    of_sources = np.searchsorted(own, rows.sources)
    influenced = InfluenceScores(inputs.influence, stats, measured.source, target, own, rows.targets)
    yield from influenced.scores(of_sources)


# -- which neurons ----------------------------------------------------------------------------------------


def neurons_at(stats: ActivationStats, label: str) -> np.ndarray:
    """The neurons of a hook point that vary, as increasing indices into the statistics."""
    bases = [name.rpartition("[")[0] for name in stats.neuron_ids.tolist()]
    here = np.array([base == label or base.rpartition(".")[0] == label for base in bases])
    return np.flatnonzero(here & ~stats.dead & (stats.std > 0))


def predictors_of(stats: ActivationStats, source: str, target: str) -> np.ndarray:
    """The neurons of the source hook point and of all layers before that of the target that vary, as increasing indices."""
    layer = int(stats.layers[neurons_at(stats, target)[0]])
    earlier = (stats.layers >= 0) & (stats.layers < layer) & ~stats.dead & (stats.std > 0)
    return np.union1d(neurons_at(stats, source), np.flatnonzero(earlier))


def _single(made: Interventions) -> np.ndarray:
    """The sources that are one neuron, as indices."""
    alone = np.bincount(made.member_sources, minlength=len(made.source_ids)) == 1
    first = np.searchsorted(made.member_sources, np.arange(len(made.source_ids)))
    return np.flatnonzero(alone & (made.member_ids[first] == made.source_ids))


def _rows(inputs: Inputs, target: str) -> tuple[Rows, np.ndarray, np.ndarray]:
    """Where sources and targets stand in the statistics, and which sources and targets of the interventions they are."""
    stats, made = inputs.stats, inputs.interventions
    sources = _single(made)
    place = {name: row for row, name in enumerate(stats.neuron_ids.tolist())}
    of_target = np.array([place.get(name, -1) for name in made.target_ids.tolist()])
    targets = np.flatnonzero(np.isin(of_target, neurons_at(stats, target)))
    rows = Rows(
        sources=np.array([place[name] for name in made.source_ids[sources].tolist()]),
        targets=of_target[targets],
        predictors=predictors_of(stats, made.metrics.source, target),
    )
    return rows, sources, targets


# -- the artifact -----------------------------------------------------------------------------------------


def _assembled(parts: Sequence[_Part], meta: dict[str, Any]) -> Audit:
    judged = [(part.target, row) for part in parts for row in part.judged]
    table = [(part.target, row) for part in parts for row in part.predicted]
    made = [(part.target, score) for part in parts for score in part.scores]
    arrays: dict[str, np.ndarray] = {
        "target": _names([target for target, _ in judged]),
        "change": _names([row.truth.change for _, row in judged]),
        "statistic": _names([row.truth.statistic for _, row in judged]),
        "rule": _names([row.truth.rule for _, row in judged]),
        "score": _names([row.score for _, row in judged]),
        "score_kind": _names([row.kind for _, row in judged]),
        "true_pairs": np.array([row.true for _, row in judged], np.int64),
        "base_rate": np.array([row.base for _, row in judged], float),
        "base_rate_by_source": np.array([row.base_of_rows for _, row in judged], float),
        "predicted_target": _names([target for target, _ in table]),
        "predicted_score": _names([row.score for _, row in table]),
        "associated_base_rate": np.array([row.base for _, row in table], float),
        "made_target": _names([target for target, _ in made]),
        "made_score": _names([score.name for _, score in made]),
        "made_note": _names([score.note for _, score in made]),
    }
    for name in MEASURES:
        arrays |= _estimates(name, [getattr(row, name) for _, row in judged])
    arrays |= _estimates("explained", [row.explained for _, row in table])
    arrays |= _estimates("associated", [row.precision for _, row in table])
    return Audit(meta=meta, **arrays)


def _names(values: Sequence[str]) -> np.ndarray:
    return np.array(values, dtype=np.str_)


def _estimates(name: str, values: Sequence[Estimate]) -> dict[str, np.ndarray]:
    fields = {name: "value", f"{name}_low": "low", f"{name}_high": "high"}
    return {key: np.array([getattr(item, field) for item in values], float) for key, field in fields.items()}
