"""All scores of a planted corpus: near the truth, the same for turned and renumbered neurons, and with errors that are right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support import planted_corpora

from glasso_cli.artifacts import ActivationStats
from glasso_cli.comparison.estimates import Corpus
from glasso_cli.scoring.structure.refit import Refit, strongest
from glasso_cli.scoring.structure.scores import StructureScores, structure_scores

P = 24
SECTION = planted_corpora.FIT
GRAPH = ("strength", "expected_influence", "bridge_strength", "participation", "between_layers", "pagerank")


def precision() -> np.ndarray:
    """Three groups of eight neurons; within them neurons depend on each other, and a few on one of another group."""
    random = np.random.default_rng(0)
    matrix = np.zeros((P, P))
    for group in range(3):
        for i in range(8 * group, 8 * group + 8):
            for j in range(i + 1, 8 * group + 8):
                if random.random() < 0.5:
                    matrix[i, j] = random.choice([-1, 1]) * random.uniform(0.15, 0.3)
    for i, j in ((0, 8), (9, 16), (1, 20)):
        matrix[i, j] = 0.25
    matrix += matrix.T
    return np.asarray(matrix + (0.3 - np.linalg.eigvalsh(matrix)[0]) * np.eye(P))


def statistics(seed: int, documents: int = 160) -> ActivationStats:
    stats = planted_corpora.statistics(planted_corpora.tokens_of(precision(), documents, 20, seed))
    return replace(stats, layers=np.repeat([3, 4], P // 2).astype(np.int32))


def corpus(seed: int = 0, estimate: str = "inverse") -> Corpus:
    return planted_corpora.corpus("words", statistics(seed), SECTION.model_copy(update={"estimate": estimate}))


def scored(words: Corpus, subsets: int = 0) -> StructureScores:
    return structure_scores(words.stats, words.fit, SECTION, subsets=subsets)


@pytest.mark.parametrize("estimate", ["inverse", "lasso"])
def test_scores_are_near_the_truth(estimate: str) -> None:
    found = scored(corpus(estimate=estimate))
    theta = precision()
    scale = np.sqrt(theta.diagonal())
    rho = np.abs(theta / np.multiply.outer(scale, scale))
    np.fill_diagonal(rho, 0)
    truth = {
        "strength": rho.sum(axis=0),
        "predictability": 1 - 1 / (theta.diagonal() * np.linalg.inv(theta).diagonal()),
    }
    truth["between_layers"] = rho[:, P // 2 :].sum(axis=1) * (np.arange(P) < P // 2)
    truth["between_layers"] += rho[:, : P // 2].sum(axis=1) * (np.arange(P) >= P // 2)
    if estimate == "inverse":
        truth["explained"] = truth["predictability"]
    for name, values in truth.items():
        score = found.named(name)
        assert np.corrcoef(score.values, values)[0, 1] > 0.97, name
    explained = found.named("predictability")
    assert np.mean(np.abs(explained.values - truth["predictability"]) < 3 * explained.errors) > 0.9
    assert [score.name for score in found.scores if score.name in GRAPH] == list(GRAPH)


@pytest.mark.slow
@pytest.mark.parametrize("estimate", ["inverse", "lasso"])
def test_errors_are_those_of_other_documents(estimate: str) -> None:
    words = corpus(estimate=estimate)
    apart: dict[str, list[np.ndarray]] = {}
    for seed in range(1, 21, 2):
        one, other = (scored(replace(words, stats=statistics(seed + k))) for k in range(2))
        for a, b in zip(one.scores, other.scores, strict=True):
            for first, second, error, error_too in (
                (a.values, b.values, a.errors, b.errors),
                (a.communities, b.communities, a.community_errors, b.community_errors),
            ):
                size = np.hypot(error, error_too)
                apart.setdefault(a.name, []).append((first - second)[size > 0] / size[size > 0])
    for name, parts in apart.items():
        assert 0.8 < np.concatenate(parts).std() < 1.2, name


def test_turned_and_renumbered_neurons_have_the_same_scores() -> None:
    words = corpus()
    random = np.random.default_rng(1)
    order, signs = random.permutation(P), random.choice([-1, 1], P)
    tokens = planted_corpora.tokens_of(precision(), 160, 20, 0)[..., order] * signs
    turned = replace(
        planted_corpora.statistics(tokens), layers=words.stats.layers[order], orientation=signs.astype(np.int8)
    )
    before, after = scored(words), scored(planted_corpora.corpus("words", turned, SECTION))
    for one, other in zip(before.scores, after.scores, strict=True):
        np.testing.assert_allclose(other.values, one.values[order], atol=1e-4, err_msg=one.name)
        np.testing.assert_allclose(other.errors, one.errors[order], atol=1e-4, err_msg=one.name)


def test_planted_rankings_are_stable() -> None:
    words = corpus()
    found = scored(words, subsets=20)
    assert found.stability is not None
    assert found.named("strength").stability >= 0.5
    assert found.named("strength").rank_stability >= 0.5
    assert found.named("predictability").stability == 0.75
    assert np.isnan(found.named("explained").stability)
    assert np.isnan(scored(words).named("strength").stability)
    whole = found.stability.levels[0]
    assert whole.dropped == 0
    assert all(float(values[0]) > 0.99 for values in whole.pearson.values())


def test_a_subset_has_a_graph_of_its_own() -> None:
    words = corpus()
    from glasso_cli.scoring.structure.centrality import Edges

    none = np.zeros(0, np.int64)
    edges = Edges(none, none, words.fit.communities, words.fit.layers, words.fit.orientation)
    np.testing.assert_array_equal(Refit(words.fit, SECTION, edges, 0.1).scores(np.eye(P))["strength"], 0.0)
    seven = replace(edges, rows=np.zeros(7, np.int64), cols=np.ones(7, np.int64))
    found = Refit(words.fit, SECTION, seven, 0.1).scores(words.stats.correlation())
    part = np.sort(np.abs(words.fit.debiased))[-7:]
    assert found["strength"].sum() == pytest.approx(2 * part.sum(), rel=1e-3)


def test_the_strongest_are_those_of_a_sort() -> None:
    assert strongest(np.array([0.1, -3.0, 2.0, 0.5]), 2).tolist() == [1, 2]
    assert strongest(np.array([0.1, -3.0]), 5).tolist() == [0, 1]


def test_an_unknown_score_is_refused() -> None:
    with pytest.raises(KeyError):
        scored(corpus()).named("betweenness")
