"""An ordered graph of planted documents: exact coefficients, found edges, and what a change of the data changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from support.planted_corpora import statistics

from glasso_cli.artifacts import ActivationStats, OrderedGraph
from glasso_cli.config import FitSection
from glasso_cli.console import GlassoWarning
from glasso_cli.errors import InputError
from glasso_cli.fitting.ordered.run import check_layers, fit_layers, ordered_shortfall

P, LAYERS = 18, np.repeat([2, 5, 6], 6).astype(np.int32)
SECTION = FitSection(alpha=(0.05,), half_samples=0)


def planted() -> np.ndarray:
    """The coefficients ``(p, p)`` of a network: layer 5 reads layer 2, and layer 6 reads both."""
    B = np.zeros((P, P))
    for target in range(6, P):
        B[target, target - 6] = 0.5
    B[12:, :3] = 0.3 * np.array([1, -1] * 3)[:, None]
    return B


def tokens(noise: float = 1.0, documents: int = 64, length: int = 40, seed: int = 0) -> np.ndarray:
    steps = np.random.default_rng(seed).standard_normal((documents, length, P))
    steps[..., 6:] *= noise
    return np.asarray(steps @ np.linalg.inv(np.eye(P) - planted()).T)


def stats_of(values: np.ndarray, layers: np.ndarray = LAYERS, blocks: int = 16) -> ActivationStats:
    return replace(statistics(values, blocks), layers=layers)


def by_pair(graph: OrderedGraph, field: str) -> np.ndarray:
    """A number of every edge as a matrix ``(p, p)`` by target and source in the order of the statistics."""
    sources, targets, _ = graph.edges()
    matrix = np.zeros((P, P))
    matrix[graph.neurons[targets], graph.neurons[sources]] = getattr(graph, field)
    return matrix


def test_the_planted_edges_are_found_with_their_coefficients() -> None:
    values = tokens()
    graph = fit_layers(stats_of(values), SECTION)
    std = values.reshape(-1, P).std(axis=0)
    expected = planted() * std / std[:, None]
    found, error = by_pair(graph, "coefficients"), by_pair(graph, "coefficient_errors")
    true = expected != 0
    assert (by_pair(graph, "kept") != 0)[true].all()
    assert (np.abs(found - expected)[true] < 4 * error[true]).all()
    assert (by_pair(graph, "kept") != 0).sum() <= true.sum() + 3
    assert graph.metrics.pairs.tested == 6 * 6 + 12 * 6
    assert [layer.layer for layer in graph.metrics.layers] == [5, 6]


def test_without_noise_the_coefficients_are_exact() -> None:
    """A linear toy: least squares on what determines the targets gives the weights themselves."""
    values = tokens(noise=1e-4)
    stats = stats_of(values[..., :12], LAYERS[:12])
    graph = fit_layers(stats, replace_section(fdr=0.9, min_effect=0.0))
    sources, targets, _ = graph.edges()
    assert (targets - 6 == sources).all()
    assert_allclose(graph.coefficients, 1.0, atol=1e-4)  # each target is half of its source
    assert graph.metrics.layers[0].explained_held_out == pytest.approx((1 - 0.05**2), abs=1e-3)


def replace_section(**changes: float | str) -> FitSection:
    return SECTION.model_copy(update=changes)


def test_the_order_of_neurons_changes_nothing() -> None:
    values, order = tokens(), np.random.default_rng(3).permutation(P)
    before, after = (
        fit_layers(stats_of(values), SECTION),
        fit_layers(stats_of(values[..., order], LAYERS[order]), SECTION),
    )
    back = np.argsort(order)
    assert (np.diff(after.layers) >= 0).all()
    for field in ("kept", "coefficients", "partial_correlations", "q_values"):
        assert_allclose(by_pair(after, field)[np.ix_(back, back)], by_pair(before, field), atol=1e-4)


def test_signs_and_scales_of_neurons() -> None:
    values = tokens()
    scale = np.random.default_rng(4).uniform(0.1, 10, P) * np.random.default_rng(5).choice([-1, 1], P)
    before, after = fit_layers(stats_of(values), SECTION), fit_layers(stats_of(values * scale), SECTION)
    signs = np.sign(np.multiply.outer(scale, scale))
    for field in ("coefficients", "partial_correlations"):
        assert_allclose(by_pair(after, field), by_pair(before, field) * signs, atol=1e-4)
    assert_allclose(by_pair(after, "q_values"), by_pair(before, "q_values"), rtol=1e-3, atol=1e-6)


def test_blocks_of_other_documents_change_errors_alone() -> None:
    values = tokens()
    few, many = (fit_layers(stats_of(values, blocks=blocks), SECTION) for blocks in (16, 64))
    assert_allclose(many.values, few.values, atol=1e-5)
    assert_allclose(many.coefficients, few.coefficients, atol=1e-5)
    assert not np.allclose(many.coefficient_errors, few.coefficient_errors, rtol=1e-3)
    assert_allclose(many.coefficient_errors, few.coefficient_errors, rtol=0.8)


def test_layers_in_the_other_order_give_another_graph() -> None:
    values = tokens()
    before, after = fit_layers(stats_of(values), SECTION), fit_layers(stats_of(values, -LAYERS + 6), SECTION)
    assert not (by_pair(before, "kept") * by_pair(after, "kept")).any()
    assert by_pair(after, "kept").any()
    assert not np.allclose(by_pair(after, "coefficients").T, by_pair(before, "coefficients"), atol=0.05)


@pytest.mark.slow
def test_few_tokens_are_judged_by_the_debiased_lasso() -> None:
    graph = fit_layers(stats_of(tokens(documents=16, length=2)), SECTION)
    first, last = graph.metrics.layers
    assert (first.estimate.kind, last.estimate.kind) == ("inverse", "lasso")
    with pytest.raises(InputError, match=r"too few for partial correlations given all 12 neurons"):
        fit_layers(stats_of(tokens(documents=4, length=3), blocks=4), replace_section(estimate="inverse"))


def test_neurons_without_a_layer_are_left_out_with_a_warning() -> None:
    layers = LAYERS.copy()
    layers[:2] = -1
    with pytest.warns(GlassoWarning, match="outside the layers are left out"):
        graph = fit_layers(stats_of(tokens(), layers), SECTION)
    assert graph.neurons.tolist() == list(range(2, P))


def test_too_few_sweeps_miss_the_target_in_words() -> None:
    section = FitSection(alpha=(0.01,), max_iter=1, tol=1e-12, half_samples=0)
    graph = fit_layers(stats_of(tokens()), section)
    assert "not converged to a gap of 1e-12 nats per token at alpha 0.01" in ordered_shortfall("words", section, graph)


def test_too_little_memory_is_refused_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glasso_cli.engine.machine.available_memory", lambda: 1000)
    with pytest.raises(InputError, match=r"The ordered graph needs .* GB of memory for 18 neurons"):
        fit_layers(stats_of(tokens()), SECTION)


def test_a_gap_that_was_not_reached_is_per_token() -> None:
    with pytest.warns(GlassoWarning, match=r"words, ordered: .* nats per token\): its edges are not certified"):
        fit_layers(stats_of(tokens()), replace_section(max_iter=1, tol=1e-15), name="words")


def test_a_degree_that_layers_cannot_have_is_refused_at_once() -> None:
    """Three layers of six have 108 pairs across them."""
    section = FitSection.model_validate({"select": {"rule": "degree", "target": 12.5}, "half_samples": 0})
    with pytest.raises(InputError, match=r"mean degree of 12\.5 is not possible among 18 neurons") as caught:
        check_layers(stats_of(tokens()), section)
    assert caught.value.hint == "Give a target above 0 and at most 12."
    possible = FitSection.model_validate({"select": {"rule": "degree", "target": 12}, "half_samples": 0})
    assert len(check_layers(stats_of(tokens()), possible)) == P
