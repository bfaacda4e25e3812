"""Small studies of every shape, made without a model or a solver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.artifacts.activation_stats import no_fresh_network
from glasso_cli.artifacts.metrics import CollectMetrics, to_json
from glasso_cli.artifacts.metrics.collect import EffectiveTokens, TokenCounts
from glasso_cli.config import VisualizeSection
from glasso_cli.graph import build_graph, to_dot
from glasso_cli.report.plots.study import Study
from support.metrics import collect_metrics, fit_metrics

TOKENS = ("The", " film", " costs", " $5", "$\\frac{", "\n", "\t", " 映画", " 🎬", " é", ".", " and", "<b>")
WIDTH = 9


def random_edges(p: int, edges: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``edges`` distinct pairs row < column with values of both signs."""
    rng = np.random.default_rng(seed)
    rows, cols = rng.integers(0, p, (2, 4 * edges + 4))
    pairs = np.unique(np.stack([np.minimum(rows, cols), np.maximum(rows, cols)])[:, rows != cols], axis=1)
    pairs = pairs[:, np.sort(rng.permutation(pairs.shape[1])[:edges])]
    values = rng.choice([-1, 1], pairs.shape[1]) * np.clip(rng.exponential(0.1, pairs.shape[1]), 1e-3, 0.6)
    return pairs[0], pairs[1], values


def make_stats(ids: np.ndarray, contexts: bool, dead: Sequence[int], meta: dict[str, Any]) -> ActivationStats:
    rng = np.random.default_rng(1)
    p, blocks, lags = len(ids), 4, 5
    top, examples = (6, 3) if contexts else (0, 0)
    gone = np.isin(np.arange(p), dead)
    tokens = rng.integers(-1, len(TOKENS), (p, top, WIDTH)).astype(np.int32)
    tokens[..., WIDTH // 2] = rng.integers(0, len(TOKENS), (p, top))
    grouped = rng.integers(0, len(TOKENS), (p, 5, examples, WIDTH)).astype(np.int32)
    return ActivationStats(
        meta=meta,
        neuron_ids=ids,
        layers=np.full(p, 9, np.int32),
        orientation=np.ones(p, np.int8),
        counts=rng.integers(50, 90, blocks),
        documents=np.full(blocks, 3),
        centre=np.zeros(p),
        sums=np.zeros((blocks, p)),
        moments=np.zeros((blocks, 1), np.float32),
        null_moments=np.empty(0, np.float32),
        **no_fresh_network(p),
        mean=rng.normal(size=p),
        std=np.where(gone, 0.0, rng.exponential(size=p)),
        kurtosis=np.where(gone, np.nan, rng.exponential(20, p) - 1),
        skewness=np.where(gone, 0.0, rng.normal(size=p)),
        top_share=rng.random(p),
        autocorrelation=np.where(gone[:, None], np.nan, rng.random((p, lags))).astype(np.float32),
        dead=gone,
        duplicate_of=np.full(p, -1, np.int32),
        vocabulary=np.array(TOKENS),
        top_tokens=tokens,
        top_values=np.where(tokens < 0, np.nan, 1 + rng.exponential(size=tokens.shape)).astype(np.float32),
        top_documents=np.arange(top, dtype=np.int32)[None].repeat(p, 0),
        bottom_tokens=tokens[::-1],
        bottom_values=np.where(tokens[::-1] < 0, np.nan, -1 - rng.exponential(size=tokens.shape)).astype(np.float32),
        bottom_documents=np.arange(top, dtype=np.int32)[None].repeat(p, 0),
        quantile_tokens=grouped,
        quantile_values=rng.normal(size=grouped.shape).astype(np.float32),
        quantile_documents=np.zeros((p, 5, examples), np.int32),
    )


def with_crops(stats: ActivationStats, channels: int = 1, *, room: int = 12) -> ActivationStats:
    """``stats`` whose contexts are samples of images, the first ``room`` of which have a crop; pixels tell crops apart."""
    rng = np.random.default_rng(2)
    p, samples = stats.n_neurons, 20
    of = np.where(np.arange(samples) < room, np.arange(samples), -1).astype(np.int32)
    pixels = np.arange(room, dtype=np.uint8)[:, None, None, None] + rng.integers(0, 9, (room, 6, 8, channels), np.uint8)
    middle, arrays = WIDTH // 2, {}
    for group in ("top", "bottom", "quantile"):
        shape = getattr(stats, f"{group}_documents").shape
        arrays[f"{group}_tokens"] = rng.integers(0, samples, (*shape, 1)).astype(np.int32)
        arrays[f"{group}_values"] = getattr(stats, f"{group}_values")[..., middle : middle + 1]
    return replace(
        stats,
        meta={
            **stats.meta,
            "metrics": {**stats.meta["metrics"], "model": {"kind": "torch", "dtype": "float32", "layers": 9}},
        },
        vocabulary=np.array([f"row {sample}, column 3" for sample in range(samples)]),
        **arrays,
        crop_kind=np.array(["image", "field"]),
        crop_of=of,
        crop_pixels=pixels,
        crop_sizes=np.tile(np.array([6, 8], np.int32), (room, 1)),
        crop_boxes=np.tile(np.array([1, 2, 4, 5], np.float32), (samples, 1, 1)),
        crop_field=np.array([[3, 3]], np.int32),
        crop_extent=np.array([[6, 8], [64, 48]], np.int32),
        crop_points=np.zeros(p, np.int32),
    )


CURVES = ("ebic", "cv", "stars")


def make_fit(
    ids: np.ndarray,
    neurons: np.ndarray,
    sizes: Sequence[int],
    selected: int,
    rule: str,
    converged: bool,
    seed: int,
    layers: np.ndarray,
    collect: CollectMetrics,
) -> PrecisionPath:
    """A fit whose graphs have ``sizes`` edges; not of any data, but consistent in itself."""
    p, amount = len(ids), len(sizes)
    parts = [random_edges(p, size, seed) if p > 1 else (np.empty(0, int),) * 3 for size in sizes]
    rows, cols, values = (np.concatenate([part[k] for part in parts]) for k in range(3))
    offsets = np.cumsum([0, *(len(part[0]) for part in parts)])
    diagonals = np.random.default_rng(seed).uniform(1, 3, (amount, p))
    graph = build_graph(ids, *parts[selected][:2], parts[selected][2].astype(float), diagonals[selected], layers)
    select = {"rule": rule, "target": 4.0, "gamma": 0.5, "alpha": None, "instability": 0.05, "folds": 5}
    alphas = np.geomspace(0.5, 0.1, amount) if amount > 1 else np.array([0.2])
    metrics = fit_metrics(collect, p, amount, len(parts[selected][0]), rule, float(alphas[selected]))
    return PrecisionPath(
        meta={
            "key": "abc123",
            "metrics": to_json(metrics),
            "material": {"config": {"fit": {"select": select, "tol": 1e-7}}},
        },
        neuron_ids=ids,
        layers=layers,
        neurons=neurons.astype(np.int32),
        orientation=np.ones(len(ids), np.int8),
        communities=graph.communities.astype(np.int32),
        alphas=alphas,
        starts=np.full(amount, np.nan),
        offsets=offsets,
        rows=rows.astype(np.int32),
        cols=cols.astype(np.int32),
        values=values.astype(float),
        marginals=(-values * 0.8).astype(np.float32),
        diagonals=diagonals,
        factors=np.zeros((p, 0)),
        ranks=np.zeros(amount, np.int32),
        objective=np.zeros(amount),
        duality_gap=np.where(np.arange(amount) % 2, 3e-9, -1e-18),
        kkt_residual=np.full(amount, 1e-6),
        n_iter=np.full(amount, 7, np.int32),
        converged=np.full(amount, converged),
        log_likelihood=np.zeros(amount),
        n_components=np.arange(amount, 0, -1).astype(np.int32),
        criterion=np.linspace(0.09, 0.08, amount) if rule in CURVES else np.full(amount, np.nan),
        criterion_error=np.full(amount, 0.004 if rule == "cv" else np.nan),
        selected=np.array(selected),
        kept=np.ones(len(parts[selected][0]), dtype=bool),
        debiased=1.1 * parts[selected][2].astype(float),
        standard_error=np.full(len(parts[selected][0]), 0.01),
        z=np.full(len(parts[selected][0]), 5.0),
        p_zero=np.full(len(parts[selected][0]), 1e-8),
        q_zero=np.full(len(parts[selected][0]), 1e-5),
        p_values=np.full(len(parts[selected][0]), 1e-6),
        q_values=np.full(len(parts[selected][0]), 1e-3),
        frequencies=np.full(len(parts[selected][0]), 0.95),
        entry_alphas=np.full(len(parts[selected][0]), 0.3),
        tested_alpha=np.zeros(0),
        tested_rows=np.zeros(0, np.int32),
        tested_cols=np.zeros(0, np.int32),
        tested_values=np.zeros(0),
        tested_diagonal=np.zeros(0),
        tested_factors=np.zeros((0, 0)),
        plain_rows=np.zeros(0, np.int32),
        plain_cols=np.zeros(0, np.int32),
        plain_values=np.zeros(0),
        plain_kept=np.zeros(0, bool),
        plain_diagonal=np.zeros(0),
    )


@dataclass(frozen=True)
class StudyFiles:
    """A small study, for any process that reads it."""

    folder: Path

    def read(self) -> Study:
        """The study."""
        return build_study(self.folder)


def build_study(
    folder: Path,
    p: int = 30,
    edges: int = 40,
    *,
    ids: Sequence[str] | None = None,
    sizes: Sequence[int] | None = None,
    contexts: bool = True,
    dead: Sequence[int] = (),
    rule: str = "degree",
    converged: bool = True,
    title: str = "Toy model · toy corpus",
    seed: int = 0,
    layers: int = 1,
    section: dict[str, Any] | None = None,
) -> Study:
    """A study of ``p`` neurons whose selected graph has about ``edges`` edges."""
    names = np.array(list(ids) if ids is not None else [f"layers.9.mlp[{i}]" for i in range(p + len(dead))])
    tokens = TokenCounts(read=400, special=20, first=20, massive=3, kept=357)
    collect = collect_metrics(len(names), tokens, EffectiveTokens(357, 200.0, 90.0))
    stats = make_stats(names, contexts, dead, {"key": "stats", "metrics": to_json(collect)})
    neurons = stats.usable()
    sizes = (edges // 3, edges // 2, edges) if sizes is None else sizes
    row = 9 + np.arange(len(neurons)) % layers
    last = len(sizes) - 1
    fit = make_fit(names[neurons], neurons, sizes, last, rule, converged, seed, row.astype(np.int32), collect)
    options: dict[str, Any] = {"formats": ("png",), "dpi": 50, "cards": 2, **(section or {})}
    dot = folder / "graph.dot"
    study = Study(stats=stats, fit=fit, dot=dot, section=VisualizeSection(**options), title=title)
    dot.write_text(to_dot(study.graph, key=study.key, title="toy"), encoding="utf-8")
    return study
