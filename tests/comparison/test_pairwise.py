"""Two corpora of known graphs compared: what is found, in the artifact, its tables and its graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydot
import pytest
from support.planted_corpora import FIT, corpus, statistics, tokens_of

from glasso_cli.artifacts import Comparison
from glasso_cli.artifacts.comparison import CLASSES
from glasso_cli.comparison import pairwise
from glasso_cli.comparison.estimates import Corpus, common_neurons, estimate_both, left_out
from glasso_cli.comparison.run import compare_pair
from glasso_cli.config import CompareSection, FitSection
from glasso_cli.errors import InputError
from glasso_cli.inference.estimates import alpha_for_tests
from glasso_cli.report.words.comparison import comparison_summary, one_line

P = 30
LOST, GAINED, FLIPPED = [(0, 1), (2, 3)], [(4, 20), (6, 22)], [(10, 11)]


def chain() -> np.ndarray:
    return np.eye(P) * 1.4 + 0.35 * (np.eye(P, k=1) + np.eye(P, k=-1))


def changed() -> np.ndarray:
    precision = chain()
    for pairs, value in ((LOST, 0.0), (GAINED, -0.4), (FLIPPED, -0.35)):
        for i, j in pairs:
            precision[i, j] = precision[j, i] = value
    return precision


def corpora(documents: int = 320, fit: FitSection = FIT) -> tuple[Corpus, Corpus]:
    before, after = (
        corpus(name, statistics(tokens_of(precision, documents, 20, seed)), fit)
        for name, precision, seed in (("before", chain(), 1), ("after", changed(), 2))
    )
    return before, after


def compared(first: Corpus, second: Corpus, fit: FitSection = FIT, section: CompareSection | None = None) -> Comparison:
    common = common_neurons(first, second)
    meta = {"key": "2" * 64, "corpus": f"{first.name}-vs-{second.name}"}
    return pairwise.assemble(
        lambda metrics: {**meta, "metrics": metrics},
        first,
        second,
        common,
        estimate_both(first, second, common, fit),
        section or CompareSection(),
    )


def found_pairs(found: Comparison) -> dict[tuple[int, int], str]:
    differs = np.flatnonzero(found.differential)
    return {(int(found.rows[k]), int(found.cols[k])): CLASSES[found.classes[k]] for k in differs}


PLANTED = {**dict.fromkeys(LOST, "lost"), **dict.fromkeys(GAINED, "gained"), **dict.fromkeys(FLIPPED, "sign flip")}


@pytest.mark.slow
@pytest.mark.parametrize("estimate", ["inverse", "lasso"])
def test_what_was_planted_is_found(estimate: str) -> None:
    fit = FIT.model_copy(update={"estimate": estimate})
    found = compared(*corpora(fit=fit), fit)
    pairs = found_pairs(found)
    assert {pair: pairs.get(pair) for pair in PLANTED} == PLANTED
    assert len(pairs) <= len(PLANTED) + 1
    metrics = found.metrics
    assert metrics.estimate.kind == estimate
    assert metrics.edges == len(pairs) == sum(metrics.classes.values())
    assert metrics.pairs.tested == P * (P - 1) // 2
    assert all(part is not None and part.discoveries == 0 for part in metrics.calibration.values())
    assert "lost" in one_line(metrics)


@pytest.mark.slow
def test_a_corpus_against_another_of_the_same_graph_shows_nothing() -> None:
    first, second = (corpus(name, statistics(tokens_of(chain(), 320, 20, seed))) for seed, name in enumerate("ab"))
    found = compared(first, second)
    assert found.metrics.edges == 0
    assert 0.7 < found.metrics.spread < 1.4
    assert "halves of one corpus: 0 in a, 0 in b" in one_line(found.metrics)


@pytest.mark.slow
def test_a_comparison_in_sentences() -> None:
    lines = dict(comparison_summary(compared(*corpora()).metrics))
    assert lines["A: before"].startswith("6,400 tokens, worth 6,400 independent ones")
    assert (
        "5 differ by more than 0.02, by their own errors (q <= 0.05): 2 gained, 2 lost, 1 sign flip"
        in lines["differences"]
    )
    assert lines["calibration"].startswith("halves of one corpus: 0 in before, 0 in after")


@pytest.mark.slow
def test_small_differences_are_counted_and_left_out() -> None:
    found = compared(*corpora(), section=CompareSection(min_effect=0.35))
    metrics = found.metrics
    assert found_pairs(found).keys() == set(FLIPPED)
    assert metrics.edges == metrics.pairs.discoveries == 1
    assert metrics.pairs.nonzero >= 5


@pytest.mark.slow
def test_tables_and_graph_say_what_the_artifact_says(tmp_path: Path) -> None:
    found = compared(*corpora())
    table = found.edge_columns()
    order = {pair: k for k, pair in enumerate(zip(table["neuron_i"].tolist(), table["neuron_j"].tolist()))}
    for (i, j), kind in found_pairs(found).items():
        row = order[str(found.neuron_ids[i]), str(found.neuron_ids[j])]
        assert table["difference"][row] == kind
        assert row < found.metrics.edges
    assert (table["difference"][found.metrics.edges :] == "").all()
    neurons = found.neuron_columns()
    assert (np.diff(neurons["change"]) <= 0).all()
    changes = np.bincount(np.array(list(found_pairs(found))).ravel(), minlength=P)
    np.testing.assert_array_equal(found.changes, changes)
    communities = pairwise.community_columns(found)
    assert communities["neurons"].sum() == (found.communities_a >= 0).sum()
    (graph,) = pydot.graph_from_dot_data("".join(pairwise.dot_lines(found)))
    assert len(graph.get_edges()) == found.metrics.edges
    found.save(tmp_path / "c.npz")
    loaded = Comparison.load(tmp_path / "c.npz")
    np.testing.assert_array_equal(loaded.classes, found.classes)


@pytest.mark.slow
def test_both_are_estimated_at_the_larger_of_their_penalties() -> None:
    fit = FIT.model_copy(update={"estimate": "lasso"})
    first = corpus("long", statistics(tokens_of(chain(), 320, 20, 1)), fit)
    second = corpus("short", statistics(tokens_of(chain(), 160, 20, 2)), fit)
    wanted = alpha_for_tests(P, 160 * 20)
    assert first.fit.tested_alpha[0] < second.fit.tested_alpha[0] == pytest.approx(wanted)
    common = common_neurons(first, second)
    both = estimate_both(first, second, common, fit)
    assert both.alpha == second.fit.tested_alpha[0]
    alone = corpus("long", first.stats, fit.model_copy(update={"alpha": (both.alpha,)}))
    assert both.first.precision is not None
    assert both.second.precision is not None
    np.testing.assert_allclose(both.first.precision.toarray(), alone.fit.precision().toarray(), atol=1e-4)
    stored = second.fit.tested_precision()
    assert stored is not None
    np.testing.assert_array_equal(both.second.precision.toarray(), stored.toarray())


@pytest.mark.slow
def test_only_the_neurons_of_both_are_compared() -> None:
    stats = [statistics(tokens_of(chain(), 160, 20, seed)) for seed in (1, 2)]
    first = corpus("a", stats[0], neurons=np.arange(20))
    second = corpus("b", stats[1], neurons=np.arange(5, 30))
    common = common_neurons(first, second)
    assert left_out((first, second), common) == "5 of a, 10 of b"
    assert common.ids.tolist() == [f"layers.0.mlp[{n}]" for n in range(5, 20)]
    found = compared(first, second)
    assert found.neurons_a.tolist() == found.neurons_b.tolist() == list(range(5, 20))
    rho = -np.linalg.inv(np.corrcoef(tokens_of(chain(), 160, 20, 1).reshape(-1, P)[:, 5:20].T))
    scale = np.sqrt(-rho.diagonal())
    np.testing.assert_allclose(found.rho_a, (rho / np.outer(scale, scale))[found.rows, found.cols], atol=1e-6)


def other(**changes: Any) -> tuple[Corpus, Corpus]:
    tokens = tokens_of(chain(), 32, 20, 1)
    return corpus("a", statistics(tokens)), corpus("b", statistics(tokens, **changes))


@pytest.mark.slow
def test_corpora_that_cannot_be_compared_are_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"a and b were not collected alike: model.id \"m\" → \"n\""):
        common_neurons(*other(id="n"))
    with pytest.raises(InputError, match="have 0 neurons in common"):
        common_neurons(*other(ids=[f"layers.1.mlp[{n}]" for n in range(P)]))


@pytest.mark.slow
def test_too_few_tokens_for_halves_are_said() -> None:
    fit = FIT.model_copy(update={"estimate": "inverse"})
    tokens = [tokens_of(chain(), 32, 2, seed) for seed in (1, 2)]
    first, second = (corpus(name, statistics(x), fit) for name, x in zip("ab", tokens))
    found = compared(first, second, fit)
    metrics = found.metrics
    assert metrics.calibration == {"a": None, "b": None}
    assert "too few tokens or blocks" in one_line(metrics)


@pytest.mark.slow
def test_drawn_edges_are_those_of_the_fits() -> None:
    first, second = corpora(160)
    found = compared(first, second)
    for fit, drawn in ((first.fit, found.drawn_a), (second.fit, found.drawn_b)):
        part = fit.drawn()
        assert set(zip(found.rows[drawn].tolist(), found.cols[drawn].tolist())) == set(
            zip(fit.rows[part].tolist(), fit.cols[part].tolist())
        )
    swapped = compared(replace(second, name="x"), replace(first, name="y"))
    np.testing.assert_allclose(swapped.z, -found.z, atol=1e-9)


@pytest.mark.slow
def test_the_largest_difference_is_held_against_chance() -> None:
    first, second = corpora()
    found = compare_pair(first, second, CompareSection(permutations=99), FIT)
    planted = {pair: k for k, pair in enumerate(zip(found.rows.tolist(), found.cols.tolist())) if pair in PLANTED}
    assert (found.permutation_p[list(planted.values())] == 0.01).all()
    metrics = found.metrics
    assert metrics.permutations is not None
    assert metrics.permutations.whole == 0.01
    assert metrics.permutations.pairs >= len(PLANTED)
    assert "p = 0.01 if documents of both are alike (99 divisions" in dict(comparison_summary(metrics))["permutations"]
    both = estimate_both(first, second, common_neurons(first, second), FIT)
    hidden = replace(both, kind="latent")
    with pytest.raises(InputError, match="has hidden factors"):
        hidden.pool((first.stats.centre, second.stats.centre), FIT)
