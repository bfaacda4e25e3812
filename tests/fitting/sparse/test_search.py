"""The search for a number of edges per neuron finds the graph of the dense route, and keeps few pairs."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from support.sparse_fits import collected, dense
from support.sparse_values import latents, sparse_values

from glasso_cli.config import FitSection
from glasso_cli.config.sections.fit import SelectSection
from glasso_cli.errors import InputError
from glasso_cli.fitting.pieces import pieces_in_memory
from glasso_cli.fitting.sparse import problem, search
from glasso_cli.fitting.sparse.finished import FinishedParts
from glasso_cli.fitting.sparse.problem import SparseProblem
from glasso_cli.fitting.sparse.run import fit_sparse_corpus
from glasso_cli.fitting.sparse.search import search_sparse
from glasso_cli.solvers.degree import is_near
from glasso_cli.solvers.path import PathPoint

P = 48
TOKENS = latents(P, 64, 10)
SECTION = FitSection(select=SelectSection(target=1.5), estimate="lasso", half_samples=0, tol=1e-11)


def searched(target: float, tokens: np.ndarray = TOKENS) -> list[PathPoint]:
    solving: dict[str, Any] = FitSection(tol=1e-11).solving
    with pieces_in_memory() as pieces:
        finished = FinishedParts(pieces.folder, print)
        return search_sparse(SparseProblem.of(sparse_values(tokens), solving, finished), target)


def refusal(target: float) -> InputError | None:
    try:
        searched(target)
    except InputError as refused:
        return refused
    return None


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [None, (0.5, 0.3)])
def test_the_graph_is_that_of_the_dense_search(alpha: tuple[float, ...] | None) -> None:
    section = SECTION.model_copy(
        update={"alpha": alpha, "select": SECTION.select.model_copy(update={"rule": "degree"})}
    )
    expected, found = dense(TOKENS, section), fit_sparse_corpus(collected(TOKENS), section)
    assert_allclose(found.alphas, expected.alphas, rtol=1e-4)
    for name in ("offsets", "rows", "cols", "selected", "kept"):
        assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    assert_allclose(found.values, expected.values, rtol=1e-3, atol=1e-5)
    assert 2 * found.metrics.edges_at_alpha / P == pytest.approx(1.5, abs=0.05)
    assert found.metrics.rule == "degree"


def test_how_many_pairs_are_kept_changes_no_point(monkeypatch: pytest.MonkeyPatch) -> None:
    every = searched(2.0)
    monkeypatch.setattr(search, "_LEAST", 1)
    monkeypatch.setattr(search, "_WIDE", 0.5)  # the search goes below the first threshold
    few = searched(2.0)
    assert [point.alpha for point in few][-1] < every[0].alpha
    assert is_near(few[-1], 2.0) or any(is_near(point, 2.0) for point in few)
    monkeypatch.setattr(search, "_WIDE", 2)
    monkeypatch.setattr(search, "_FURTHER", 1.0)
    some = searched(2.0)
    assert [point.chain for point in some] == [point.chain for point in every]
    for one, other in zip(some, every):
        assert_array_equal(one.values, other.values)


@pytest.mark.slow
def test_permuted_neurons_and_flipped_signs_give_the_same_degrees() -> None:
    order = np.random.default_rng(3).permutation(P)
    flipped = TOKENS * np.where(np.arange(P) % 2, 1, -1).astype(np.float32)
    expected = [(point.alpha, point.n_edges) for point in searched(1.5)]
    for tokens in (TOKENS[..., order], flipped):
        found = [(point.alpha, point.n_edges) for point in searched(1.5, tokens)]
        assert_allclose([alpha for alpha, _ in found], [alpha for alpha, _ in expected], rtol=1e-5)
        assert [edges for _, edges in found] == [edges for _, edges in expected]


def test_a_target_that_needs_too_large_a_component_is_refused_with_one_that_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(problem, "LARGEST", 10)
    target, hints = 12.0, []
    while (refused := refusal(target)) is not None:
        assert f"The search for {target:g} edges per neuron came to alpha" in str(refused)
        assert "are in one component, more than the 10 that are solved together" in str(refused)
        hints.append(refused.hint)
        target = float(re.findall(r"(?:has|target to) ([\d.]+) ", refused.hint)[0])
    assert 1 <= len(hints) <= 3
    assert "every neuron has" in hints[0]
    assert any(is_near(point, target) for point in searched(target))


def test_an_impossible_target_is_refused() -> None:
    with pytest.raises(InputError, match="mean degree of 48 is not possible among 48"):
        searched(48.0)
