"""An ordered graph, influence and interventions of planted pairs between layers, over the same neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli.across.from_artifacts import Neurons
from glasso_cli.artifacts import Influence, Interventions, OrderedGraph
from glasso_cli.artifacts.metrics import InfluenceMetrics, InterventionMetrics, OrderedMetrics, to_json
from glasso_cli.artifacts.metrics.fit import DroppedEdges, PairCounts
from glasso_cli.artifacts.metrics.influence import LayersRead
from glasso_cli.artifacts.metrics.interventions import EffectsFound, ImpossiblePairs, TextsRead
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.plots.study import Study
from support.metrics import collect_metrics
from support.studies import build_study

Pairs = Mapping[tuple[int, int], float]  # (source, target), indices into the neurons, and the value of the pair


@dataclass(frozen=True, eq=False)
class Planted:
    """Neurons of several layers, ``ids`` and ``layers (p,)``, with the sign of the model of each."""

    ids: np.ndarray
    layers: np.ndarray
    signs: np.ndarray

    @classmethod
    def of(cls, layers: Sequence[int], each: int = 6, seed: int | None = None) -> Planted:
        """``each`` neurons of every layer; with random signs where there is a seed."""
        ids = np.array([f"layers.{layer}.mlp[{i}]" for layer in layers for i in range(each)])
        signs = np.ones(len(ids)) if seed is None else np.random.default_rng(seed).choice([-1, 1], len(ids))
        return cls(ids, np.repeat(layers, each).astype(np.int32), signs.astype(np.int8))

    @property
    def p(self) -> int:
        return len(self.ids)

    @property
    def neurons(self) -> Neurons:
        return Neurons(self.ids, self.layers, self.signs)

    def permuted(self, order: np.ndarray) -> Planted:
        return Planted(self.ids[order], self.layers[order], self.signs[order])

    def _common(self) -> dict[str, Any]:
        return {"neuron_ids": self.ids, "layers": self.layers, "orientation": self.signs}

    def _own_signs(self, sources: np.ndarray, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Values as the model has them, of oriented ones."""
        own: np.ndarray = values * self.signs[sources] * self.signs[targets]
        return own


def _arrays(pairs: Pairs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ends = np.array(list(pairs), dtype=np.int32).reshape(-1, 2)
    return ends[:, 0], ends[:, 1], np.array(list(pairs.values()), dtype=float)


def ordered_graph(planted: Planted, pairs: Pairs, left_out: Sequence[tuple[int, int]] = ()) -> OrderedGraph:
    """A graph of ``pairs`` with these partial correlations; those ``left_out`` are not drawn."""
    sources, targets, values = _arrays(pairs)
    own = planted._own_signs(sources, targets, values)
    amount = len(values)
    kept = np.array([pair not in left_out for pair in pairs], dtype=bool)
    metrics = OrderedMetrics(
        neurons=planted.p, alphas=1, alpha=0.2, rule="fixed", edges=int(kept.sum()), mean_degree=1.0, edges_at_alpha=amount,
        dropped=DroppedEdges(0, 0), fdr=0.05, min_effect=0.02, pairs=PairCounts(100, amount, amount), expected_false_edges=0.1,
        layers=(), duality_gap=0.0, kkt_residual=0.0, converged=True, all_converged=True, tol=1e-7,
        collect=collect_metrics_of(planted),
    )  # fmt: skip
    return OrderedGraph(
        meta={"key": "ordered", "corpus": "toy", "metrics": to_json(metrics)},
        **planted._common(),
        neurons=np.arange(planted.p, dtype=np.int32),
        alphas=np.array([0.2]), offsets=np.array([0, amount]), sources=sources, targets=targets, values=0.8 * own,
        marginals=own.astype(np.float32), residuals=np.ones((1, planted.p)), objective=np.zeros(1), duality_gap=np.zeros(1),
        kkt_residual=np.zeros(1), n_iter=np.ones(1, np.int32), converged=np.ones(1, bool), criterion=np.full(1, np.nan),
        selected=np.array(0), kept=kept, coefficients=1.1 * own, coefficient_errors=np.full(amount, 0.02),
        partial_correlations=own, standard_errors=np.full(amount, 0.01), z=own / 0.01, p_zero=np.full(amount, 1e-9),
        q_zero=np.full(amount, 1e-8), p_values=np.where(kept, 1e-6, 0.5), q_values=np.where(kept, 1e-5, 0.6),
    )  # fmt: skip


def collect_metrics_of(planted: Planted) -> Any:
    from glasso_cli.artifacts.metrics.collect import EffectiveTokens, TokenCounts

    tokens = TokenCounts(read=400, special=20, first=20, massive=3, kept=357)
    return collect_metrics(planted.p, tokens, EffectiveTokens(357, 200.0, 90.0))


def influence(planted: Planted, pairs: Pairs, weak: Sequence[tuple[int, int]] = ()) -> Influence:
    """Influence between neighbouring layers: ``pairs`` with these means are edges, but those in ``weak``."""
    sources, targets, values = _arrays(pairs)
    own = planted._own_signs(sources, targets, values)
    edge = np.array([pair not in weak for pair in pairs], dtype=bool)
    layers = np.unique(planted.layers).tolist()
    read = tuple(
        LayersRead(f"layers.{a}.mlp", f"layers.{b}.mlp", 6, 6, 2, True, 36, int(edge.sum()), 1e-6, 1e-6)
        for a, b in pairwise(layers)
    )
    metrics = InfluenceMetrics("closed", 0.05, 0.05, 12, 357, 4, planted.p, read, 36 * len(read), int(edge.sum()), 0.5)
    amount = len(values)
    return Influence(
        meta={"key": "influence", "corpus": "toy", "metrics": to_json(metrics)},
        **planted._common(),
        neurons=np.arange(planted.p, dtype=np.int32), std=np.ones(planted.p), counts=np.full(4, 90),
        sources=sources, targets=targets, mean=own.astype(np.float32), error=np.full(amount, 0.01, np.float32),
        direct=(0.5 * own).astype(np.float32), direct_error=np.full(amount, 0.01, np.float32),
        rms=(2 * np.abs(own)).astype(np.float32), rms_error=np.full(amount, 0.02, np.float32), z=(own / 0.01).astype(np.float32),
        **dict.fromkeys(("ablation", "ablation_error", "ablation_rms", "ablation_rms_error"), np.zeros(0, np.float32)), p_values=np.where(edge, 1e-6, 0.5),
        q_values=np.where(edge, 1e-5, 0.6), edge=edge,
    )  # fmt: skip


def interventions(
    planted: Planted, sources: Sequence[int], pairs: Pairs, changes: Sequence[str] = ("step",), noise: float = 0.001
) -> Interventions:
    """Steps (and other changes) of ``sources`` on all neurons of later layers: found are the effects of ``pairs``."""
    rng = np.random.default_rng(3)
    chosen = np.array(sources)
    targets = np.flatnonzero(planted.layers > planted.layers[chosen].min())
    shape = (len(changes), len(chosen), len(targets))
    effects, found = noise * rng.standard_normal(shape), np.zeros(shape, bool)
    for (source, target), value in pairs.items():
        at = (slice(None), int(np.flatnonzero(chosen == source)[0]), int(np.flatnonzero(targets == target)[0]))
        effects[at], found[at] = value, True
    signs = np.where(np.array(changes) == "step", 1, 0)[:, None]
    of_source = np.where(signs > 0, planted.signs[chosen], 1)[:, :, None]
    own = effects * of_source * planted.signs[targets]
    blocks, counts = 4, np.full(4, 50)
    jitter = 1 + 0.2 * rng.standard_normal((*shape[:2], blocks, shape[2]))
    sums = own[:, :, None] * jitter * counts[:, None]
    kinds = tuple(EffectsFound(change, "mean" if change == "step" else "rms", 1, 1, 0.1, 0.3) for change in changes)
    metrics = InterventionMetrics(
        kind="causal", source="layers.8.mlp", targets=("layers.9.mlp",), mode="free", delta=0.5, at="all tokens",
        texts=TextsRead("toy", True, 12, 200), sources=len(chosen), groups=0, pairs=shape[1] * shape[2], fdr=0.05, min_effect=0.02,
        test="Student's t", smallest_p=0.0, effects=kinds, replay_difference=0.0,
        impossible=ImpossiblePairs(0.0, None, None, None, 0.0), random=None, linearity={}, outside_sources={}, outside_targets=None,
    )  # fmt: skip
    nothing = np.zeros(0, np.int32)
    return Interventions(
        meta={"key": "interventions", "corpus": "toy", "metrics": to_json(metrics)},
        source_ids=planted.ids[chosen], source_orientation=planted.signs[chosen], source_std=np.ones(len(chosen)),
        source_degrees=np.zeros(len(chosen), np.int32), source_write_norms=np.ones(len(chosen)),
        source_weights=np.ones(len(chosen)), member_ids=planted.ids[chosen], member_sources=np.arange(len(chosen), dtype=np.int32),
        target_ids=planted.ids[targets], target_layers=planted.layers[targets], target_orientation=planted.signs[targets],
        target_std=np.ones(len(targets)), changes=np.array(changes), counts=counts, documents=np.full(blocks, 3),
        effects=own.astype(np.float32), errors=np.full(shape, 0.01, np.float32), rms=np.abs(own).astype(np.float32),
        rms_errors=np.full(shape, 0.01, np.float32), p_values=np.where(found, 1e-6, 0.5), q_values=np.where(found, 1e-5, 0.6),
        block_sums=sums.astype(np.float32), block_squares=(sums**2).astype(np.float32),
        outside_sources=np.zeros(shape[:2]), linear_sources=nothing, linear_steps=np.zeros(0),
        linear_effects=np.zeros((0, 0, shape[2]), np.float32), linear_ratios=np.zeros((0, 0)), outside_targets=np.zeros(0),
        random_effects=np.zeros((0, shape[2]), np.float32), random_rms=np.zeros((0, shape[2]), np.float32),
        outputs=np.zeros(0, "<U1"), output_effects=np.zeros((*shape[:2], 0)), output_errors=np.zeros((*shape[:2], 0)),
        block_outputs=np.zeros((*shape[:2], blocks, 0)),
    )  # fmt: skip


EACH = 12  # neurons of a layer in a study across layers
BOTH, ALONE, WIRED = (0, EACH), (1, EACH + 1), (2, EACH + 2)  # pairs by how they are read


def study_across(
    folder: Path, layers: Sequence[int] = (8, 9), *, without: Sequence[str] = (), seed: int | None = None, **more: Any
) -> Study:
    """A study of planted pairs with every artifact but those named in ``without``; the measured sources are 0, 2 and 3."""
    planted = Planted.of(layers, EACH, seed)
    study = build_study(folder, ids=planted.ids.tolist(), edges=40, **more)
    stats = replace(study.stats, layers=planted.layers, orientation=planted.signs)
    fitted = study.fit.neurons
    fit = replace(study.fit, layers=planted.layers[fitted], orientation=planted.signs[fitted])
    later = {(EACH + 3, 2 * EACH + 1): 0.2} if len(layers) > 2 else {}
    made: dict[str, Any] = {
        "ordered": ordered_graph(planted, {BOTH: 0.4, ALONE: -0.3, (3, EACH + 5): 0.05, **later}, [(3, EACH + 5)]),
        "influence": influence(planted, {BOTH: 0.5, WIRED: -0.35, ALONE: 0.01, **later}, [ALONE]),
        "interventions": interventions(planted, [0, 2, 3], {BOTH: 0.45, WIRED: -0.3}, ("step", "mean")),
    }
    found = {name: oriented(artifact) for name, artifact in made.items() if name not in without}
    return replace(study, stats=oriented(stats), fit=oriented(fit), **found)


def layers_of(study: Study) -> LayersStudy:
    """What the figures across layers read of ``study``."""
    return LayersStudy(**{field.name: getattr(study, field.name) for field in fields(LayersStudy)})
