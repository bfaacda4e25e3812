"""Corpora whose neurons have a known graph, as `collect` and `fit` would leave them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.activation_stats import no_fresh_network
from glasso_cli.artifacts.metrics import to_json
from glasso_cli.artifacts.metrics.collect import EffectiveTokens, TokenCounts
from glasso_cli.comparison.estimates import Corpus
from glasso_cli.config import FitSection
from glasso_cli.fitting.assemble import Findings, assemble
from glasso_cli.fitting.sample_curves import Stability
from glasso_cli.fitting.tested_edges import tested_point
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.effective_n import effective_n
from glasso_cli.inference.select import Selection
from glasso_cli.linalg import moments
from glasso_cli.solvers import fit_path
from support.metrics import collect_metrics

FIT = FitSection(alpha=(0.1,), half_samples=0)


def tokens_of(precision: np.ndarray, documents: int, length: int, seed: int) -> np.ndarray:
    """``(documents, length, p)`` independent tokens."""
    random = np.random.default_rng(seed)
    steps = random.standard_normal((documents, length, len(precision)))
    return np.asarray(steps @ np.linalg.cholesky(np.linalg.inv(precision)).T)


def statistics(tokens: np.ndarray, blocks: int = 16, ids: list[str] | None = None, **model: Any) -> ActivationStats:
    """The statistics of ``tokens (D, T, p)``, with a context for every neuron."""
    p = tokens.shape[2]
    parts = [tokens[index::blocks].reshape(-1, p) for index in range(blocks)]
    counts = np.array([len(part) for part in parts])
    n = int(counts.sum())
    worth = effective_n(np.zeros((p, 4)), n)
    tokens_read = TokenCounts(read=n, special=0, first=0, massive=0, kept=n)
    effective = EffectiveTokens(n, worth.median, worth.q05)
    metrics = to_json(collect_metrics(p, tokens_read, effective, documents=len(tokens)))
    material = {"config": {"model": {"id": "m", **model}, "collect": {}}, "inputs": {"model": {"sha256": "0"}}}
    everything = tokens.reshape(-1, p)
    words = np.zeros((p, 1, 3), np.int32)
    return ActivationStats(
        meta={"key": "0" * 64, "metrics": metrics, "material": material},
        neuron_ids=np.array(ids or [f"layers.0.mlp[{n}]" for n in range(p)]),
        layers=np.zeros(p, np.int32),
        orientation=np.ones(p, np.int8),
        counts=counts,
        documents=np.full(blocks, len(tokens) // blocks),
        centre=np.zeros(p),
        sums=np.stack([part.sum(axis=0) for part in parts]),
        moments=np.stack([moments.pack_upper(part.T @ part) for part in parts]).astype(np.float32),
        null_moments=np.empty(0, np.float32),
        **no_fresh_network(p),
        mean=everything.mean(axis=0),
        std=everything.std(axis=0),
        kurtosis=np.zeros(p),
        skewness=np.zeros(p),
        top_share=np.ones(p),
        autocorrelation=np.zeros((p, 4), np.float32),
        dead=np.zeros(p, bool),
        duplicate_of=np.full(p, -1, np.int32),
        vocabulary=np.array(["the", " film"]),
        top_tokens=words,
        top_values=words.astype(np.float32) + 1,
        top_documents=np.zeros((p, 1), np.int32),
        bottom_tokens=words,
        bottom_values=-words.astype(np.float32) - 1,
        bottom_documents=np.zeros((p, 1), np.int32),
        quantile_tokens=np.zeros((p, 5, 1, 3), np.int32),
        quantile_values=np.zeros((p, 5, 1, 3), np.float32),
        quantile_documents=np.zeros((p, 5, 1), np.int32),
    )


def with_fresh(trained: ActivationStats, fresh: ActivationStats) -> ActivationStats:
    """``trained`` with what ``fresh`` holds as the network with fresh weights."""
    metrics = replace(trained.metrics, fresh_network=fresh.metrics.n_effective)
    return replace(
        trained,
        meta={**trained.meta, "metrics": to_json(metrics)},
        fresh_counts=fresh.counts,
        fresh_sums=fresh.sums,
        fresh_moments=fresh.moments,
        fresh_autocorrelation=fresh.autocorrelation,
    )


def corpus(name: str, stats: ActivationStats, section: FitSection = FIT, neurons: np.ndarray | None = None) -> Corpus:
    """A corpus fitted as ``section`` says."""
    chosen = np.arange(stats.n_neurons) if neurons is None else neurons
    blocks = Blocks.of(stats.counts, stats.sums, stats.moments, chosen)
    S = blocks.correlation()
    points = fit_path(S, section.alpha or (), **section.solving)
    best = points[-1]
    none = np.full(best.n_edges, np.nan)
    findings = Findings(
        neurons=chosen,
        correlation=S,
        points=points,
        chosen=Selection(len(points) - 1, "fixed", None, None, None),
        tested=tested_point(best, S, stats, blocks, section),
        stability=Stability(0, none, None),
        factors=None,
        removed=None,
        plain=None,
        fresh=None,
    )
    fit = assemble(lambda metrics: {"key": "1" * 64, "corpus": name, "metrics": metrics}, section, 0, stats, findings)
    return Corpus(name, stats, fit)
