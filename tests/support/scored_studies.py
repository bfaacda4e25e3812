"""Studies with structure, scores and pathways, made without a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli.artifacts import Pathways, Scores, Structure
from glasso_cli.artifacts.metrics import ScoreMetrics, StructureMetrics, to_json
from glasso_cli.artifacts.metrics.scores import FormMeasured, TextsScored
from glasso_cli.artifacts.metrics.structure import RankingStability
from glasso_cli.config import PathwaysSection
from glasso_cli.report.plots.study import Study
from glasso_cli.scoring.pathways.graph import LayeredGraph
from glasso_cli.scoring.pathways.mediation import Effect
from glasso_cli.scoring.pathways.run import pathways
from support.across import EACH, study_across

SCORES = (
    *("predictability", "strength", "expected_influence", "bridge_strength", "participation", "between_layers"),
    "pagerank",
)
MISSING = 3  # a fitted neuron that was not scored


def structure_of(study: Study, seed: int = 0, *, subsets: int = 10) -> Structure:
    """Random scores of the fitted neurons; the first has the largest of each."""
    rng = np.random.default_rng(seed)
    p, fit = study.p, study.fit
    values = np.sort(rng.random((len(SCORES), p)), axis=1)[:, ::-1].copy()
    count = int(fit.communities.max(initial=-1)) + 1
    known = 0.75 if subsets else None
    metrics = StructureMetrics(
        neurons=p, edges=study.n_edges, communities=count, layers=2, blocks=4, n_effective=90.0, estimate="inverse", penalty=0.1,
        mean_predictability=0.5, subsets=subsets, largest=0.75, refused=(),
        stability=tuple(RankingStability(name, known, known) for name in SCORES),
    )  # fmt: skip
    dropped = np.array([0.0, 0.25, 0.5, 0.75]) if subsets else np.zeros(0)
    levels = np.tile(np.linspace(1, 0.8, len(dropped)), (len(SCORES), 1))
    return Structure(
        meta={"corpus": "toy", "metrics": to_json(metrics)},
        neuron_ids=fit.neuron_ids,
        layers=fit.layers,
        communities=fit.communities,
        names=np.array(SCORES),
        values=values,
        errors=np.full(values.shape, 0.02),
        community_sums=np.zeros((len(SCORES), count)),
        community_errors=np.zeros((len(SCORES), count)),
        dropped=dropped,
        n_effective=90 * (1 - dropped),
        correlations=levels,
        rank_correlations=levels,
        coefficients=np.full(len(SCORES), np.nan if known is None else known),
        rank_coefficients=np.full(len(SCORES), np.nan if known is None else known),
    )


def scores_of(study: Study, *, order: str = "absolute") -> Scores:
    """Scores of all fitted neurons but ``MISSING``, and of two of another layer; the last are the most important."""
    ids = np.array([*np.delete(study.fit.neuron_ids, MISSING), "layers.20.mlp[0]", "layers.20.mlp[1]"])
    layers = np.array([*np.delete(study.fit.layers, MISSING), 20, 20], np.int32)
    return scores_at(ids, layers, order=order)


def scores_at(ids: np.ndarray, layers: np.ndarray, *, order: str = "absolute", **slopes: np.ndarray) -> Scores:
    """Scores of neurons at the hook points of their layers, the last neurons the most important."""
    P = len(ids)
    occupied, points = np.unique(layers, return_inverse=True)
    labels = tuple(f"layers.{layer}.mlp" for layer in occupied.tolist())
    importance = np.linspace(0.001, 0.02, P)
    texts = TextsScored(7, 120)
    form = FormMeasured("plain", 0.4, None, None, None, None, None, None, None, None, None)
    metrics = ScoreMetrics(
        kind="hf", scalar="loss", rises=True, hook_points=labels, baseline="mean",
        order=order, neurons=P, attributed=texts, held_out=replace(texts, tokens=60), clean=None, everything={}, forms=(form,),
        missed=None, replay_difference=None, held=labels, frozen_error=None,
    )  # fmt: skip
    signs = np.where(np.arange(P) % 2, 1.0, -1.0)
    measured = np.array([P - 1, P - 4], np.int32)
    empty: dict[str, Any] = {
        "counts": np.array([30, 30]), "document_effects": np.zeros((2, 2)), "document_attributions": np.zeros((1, 2, 2)),
        "rankings": np.zeros(0, "<U1"), "shares": np.zeros(0), "ablations": np.zeros(0, "<U1"), "clean": np.zeros(2),
        "everything": np.zeros((0, 2)), "deletion": np.zeros((0, 0, 0, 2)), "insertion": np.zeros((0, 0, 0, 2)),
        "area_names": np.zeros(0, "<U1"), "areas": np.zeros((0, 0, 0)), "area_errors": np.zeros((0, 0, 0)),
        "area_intervals": np.zeros((2, 0, 0, 0)), "differences": np.zeros((0, 0, 0, 0)),
        "difference_intervals": np.zeros((2, 0, 0, 0, 0)),
    }  # fmt: skip
    return Scores(
        meta={"corpus": "toy", "metrics": to_json(metrics)},
        neuron_ids=ids,
        layers=layers,
        points=points.astype(np.int32),
        mean=np.zeros(P),
        std=np.ones(P),
        mean_abs=np.ones(P),
        write_norms=np.linspace(1, 2, P),
        communities=np.full(P, -1, np.int32),
        forms=np.array(["plain"]),
        attributions=(signs * importance)[None],
        errors=np.full((1, P), 0.0002),
        absolute=importance[None],
        held_out_attributions=(signs * importance)[None],
        structure_names=np.zeros(0, "<U1"),
        structure=np.zeros((0, P)),
        measured=measured,
        drawn=np.array([False, True]),
        effects=np.array([0.05, -0.03]),
        effect_errors=np.array([0.004, 0.003]),
        **empty,
        **slopes,
    )


def sloped(ids: np.ndarray, layers: np.ndarray, signs: np.ndarray, seed: int = 0) -> Scores:
    """Scores with random slopes of the loss; ``signs (P,)`` are those of the neurons in the model."""
    rng = np.random.default_rng(seed)
    direct, slopes = 0.002 * rng.standard_normal((2, len(ids))) * signs
    last = layers == layers.max()
    blocks = 1e-4 * rng.standard_normal((len(ids), 4)).astype(np.float32)
    return scores_at(
        ids, np.asarray(layers, np.int32), slopes=np.where(last, direct, slopes), slope_errors=np.full(len(ids), 3e-4),
        direct_slopes=direct, direct_slope_errors=np.full(len(ids), 2e-4), direct_block_deviations=blocks,
    )  # fmt: skip


def pathways_of(study: Study, *, tried: int = 2, seed: int = 0, to: str = "neurons", blocks: int = 4) -> Pathways:
    """Paths through random edges between the first three neurons of each layer; those to neurons with trials of the first ``tried``.

    Edges differ between ``blocks`` of documents; it is not known how if there are none.
    """
    rng = np.random.default_rng(seed)
    ids, layers = study.collected.ids, study.collected.layers
    pairs = [
        (first, second)
        for first in range(len(ids))
        for second in range(len(ids))
        if layers[second] == layers[first] + 1 and first % EACH < 3 and second % EACH < 3
    ]
    sources, targets = np.array(pairs).T
    weights = rng.normal(size=len(pairs)) * 0.5
    deviations = 0.01 * np.random.default_rng(seed).standard_normal((len(pairs), blocks)) if blocks else None
    graph = LayeredGraph(ids, layers, sources, targets, weights, np.full(len(pairs), 0.02), deviations)

    def trial(paths: Any) -> list[Effect]:
        return [Effect((0.4, 0.02), (0.1, 0.02), (0.3, 0.01), 5, 99) for _ in paths]

    if to == "scalar":
        scores = sloped(ids, layers, study.collected.orientation)
        section = PathwaysSection(count=12, to="scalar")
        return pathways(graph, study.collected.orientation, section, "toy", scores=scores)
    section = PathwaysSection(count=12, mediate=tried)
    return pathways(graph, study.collected.orientation, section, "toy", trial if tried else None)


def study_scored(
    folder: Path, *, without: tuple[str, ...] = (), seed: int | None = None, to: str = "neurons", **more: Any
) -> Study:
    """A study of the layers 8, 9 and 10 with structure, scores and pathways ``to`` their end, but for those named in ``without``."""
    study = study_across(folder, (8, 9, 10), seed=seed, **more)
    made: dict[str, Any] = {
        "structure": structure_of(study),
        "scores": scores_of(study),
        "pathways": pathways_of(study, to=to),
    }
    return replace(study, **{name: artifact for name, artifact in made.items() if name not in without})
