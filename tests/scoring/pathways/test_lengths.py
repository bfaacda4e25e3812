"""Sums over paths by layer and number of edges: those of all paths written out, again without each block of documents."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.layered import layered, of, paths
from support.scored_studies import sloped

from glasso_cli.artifacts.score.pathways import LENGTH_SUMS
from glasso_cli.config import PathwaysSection
from glasso_cli.scoring.pathways import lengths as module
from glasso_cli.scoring.pathways.best_paths import best_paths
from glasso_cli.scoring.pathways.end import End, Slopes
from glasso_cli.scoring.pathways.errors import path_errors
from glasso_cli.scoring.pathways.graph import LayeredGraph
from glasso_cli.scoring.pathways.lengths import lengths
from glasso_cli.scoring.pathways.run import pathways
from glasso_cli.scoring.pathways.units import Units

BLOCKS = 6
PLAIN = layered(seed=3)
P, E = PLAIN.n_neurons, len(PLAIN.weights)
SIGNS = np.random.default_rng(0).choice([-1, 1], P)
Table = dict[tuple[int, int], np.ndarray]


class Documents:
    """Edges, slopes and log standard deviations of blocks of one size, and what follows from them."""

    def __init__(self, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.edges = PLAIN.weights[:, None] + 0.1 * random.standard_normal((E, BLOCKS))
        self.slopes = random.standard_normal((P, 1)) + 0.1 * random.standard_normal((P, BLOCKS))
        self.logs = 0.1 * random.standard_normal((BLOCKS, P))  # of the standard deviations without each block
        self.units = Units(np.zeros(P), self.logs, np.full(BLOCKS, 1 / BLOCKS), np.arange(BLOCKS))
        self.graph = replace(PLAIN, weights=self.edges.mean(axis=1), deviations=_deviations(self.edges))

    def end(self, to: str) -> End:
        if to == "neurons":
            return End.of_neurons(PLAIN.layers == 3, BLOCKS)
        slopes, none = self.slopes.mean(axis=1), np.zeros(P)
        return End(slopes, none, _deviations(self.slopes), whole=Slopes(slopes, none))

    def errors(self, to: str, units: bool) -> Table:
        """By the paths of the graph without each block."""
        without = []
        for block in range(BLOCKS):
            std = np.exp(self.logs[block]) if units else np.ones(P)
            edges = np.delete(self.edges, block, axis=1).mean(axis=1) * std[PLAIN.sources] / std[PLAIN.targets]
            slopes = np.delete(self.slopes, block, axis=1).mean(axis=1) * std
            without.append(
                written_out(replace(PLAIN, weights=edges), self.end(to).slopes if to == "neurons" else slopes, to)
            )
        whole = written_out(self.graph, self.end(to).slopes, to)
        return {
            key: np.sqrt((BLOCKS - 1) / BLOCKS * sum((one[key] - values) ** 2 for one in without))
            for key, values in whole.items()
        }


def _deviations(of_blocks: np.ndarray) -> np.ndarray:
    return np.asarray((of_blocks - of_blocks.mean(axis=1, keepdims=True)) / np.sqrt(BLOCKS * (BLOCKS - 1)))


def written_out(graph: LayeredGraph, exits: np.ndarray, to: str) -> Table:
    """The sums of all paths, one by one, as LENGTH_SUMS."""
    pairs: dict[tuple[int, int], dict[tuple[int, int], float]] = defaultdict(lambda: defaultdict(float))
    absolute: dict[tuple[int, int], float] = defaultdict(float)
    for path, effect in paths(graph):
        first, last = path[0], path[-1]
        if exits[last]:
            worth = effect * SIGNS[first] * (SIGNS[last] if to == "neurons" else exits[last])
            key = (int(graph.layers[first]), len(path) - 1 + (to == "scalar"))
            pairs[key][first, last if to == "neurons" else 0] += worth
            absolute[key] += abs(worth)
    found = {}
    for key in sorted(pairs):
        effects = np.array(list(pairs[key].values()))
        positive, negative = effects[effects > 0].sum(), effects[effects < 0].sum()
        found[key] = np.array([positive, negative, effects.sum(), np.abs(effects).sum(), absolute[key]])
    return found


@pytest.mark.parametrize("units", [False, True])
@pytest.mark.parametrize("to", ["neurons", "scalar"])
def test_sums_and_errors_are_those_of_all_paths_without_each_block(
    monkeypatch: pytest.MonkeyPatch, to: str, units: bool
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 3)  # of 4 targets
    of_all = Documents()
    found = lengths(of_all.graph, of_all.end(to), SIGNS, of_all.units if units else None)
    expected, errors = written_out(of_all.graph, of_all.end(to).slopes, to), of_all.errors(to, units)
    assert list(zip(found.layers.tolist(), found.edges.tolist())) == list(expected)
    np.testing.assert_allclose(found.sums.T, list(expected.values()), atol=1e-12)
    np.testing.assert_allclose(found.errors.T, list(errors.values()), atol=1e-12)
    assert (found.errors[-1] > 0).all()


def test_the_sum_of_one_path_has_the_error_of_the_path() -> None:
    graph = replace(
        of([0, 1, 2], [0, 1], [1, 2], [0.8, -0.5], [0.1, 0.1]), deviations=_deviations(Documents().edges[:2])
    )
    end = End.of_neurons(graph.layers == 2, BLOCKS)
    found = lengths(graph, end, np.ones(3), None)
    assert (found.layers.tolist(), found.edges.tolist()) == ([0, 1], [2, 1])
    (path, *_) = best_paths(graph, 1, graph.layers == 0, end.slopes)
    assert found.errors[-1, 0] == pytest.approx(path_errors(graph, [path], end, None)[0])


def test_neurons_and_all_sources_have_the_errors_of_all_paths() -> None:
    of_all = Documents()
    made = pathways(of_all.graph, SIGNS, PathwaysSection(count=3), "words")
    left = []
    for block in range(BLOCKS):
        weights = np.delete(of_all.edges, block, axis=1).mean(axis=1)
        left.append(pathways(replace(PLAIN, weights=weights), SIGNS, PathwaysSection(count=3), "words"))

    def error(value: Any) -> np.ndarray:
        squares = [np.square(value(one) - value(made)) for one in left]
        return np.asarray(np.sqrt((BLOCKS - 1) / BLOCKS * np.sum(squares, axis=0)))

    for name, value in (
        ("influence_errors", lambda one: one.influence),
        ("from_sources_errors", lambda one: one.from_sources.sum(axis=0)),
        ("onto_targets_errors", lambda one: one.onto_targets.sum(axis=0)),
        ("onto_targets_signed_errors", lambda one: one.onto_targets_signed.sum(axis=0)),
    ):
        np.testing.assert_allclose(getattr(made, name), error(value), atol=1e-12, err_msg=name)
    assert made.metrics.signed_error == pytest.approx(error(lambda one: one.metrics.signed))
    assert made.metrics.absolute_error == pytest.approx(error(lambda one: one.metrics.absolute))
    columns = made.neuron_columns()
    order = np.argsort(-made.influence, kind="stable")
    np.testing.assert_array_equal(columns["onto_targets_standard_error"], made.onto_targets_errors[order])


@pytest.mark.parametrize("to", ["neurons", "scalar"])
def test_turned_neurons_have_the_same_sums_and_errors(to: str) -> None:
    flips = np.random.default_rng(1).choice([-1, 1], P)
    graph = replace(PLAIN, deviations=0.02 * np.random.default_rng(2).standard_normal((E, 4)))
    turn = flips[graph.sources] * flips[graph.targets]
    assert graph.deviations is not None
    turned = replace(graph, weights=graph.weights * turn, deviations=graph.deviations * turn[:, None])

    def made(graph: LayeredGraph, signs: np.ndarray, turned: np.ndarray) -> Any:
        if to == "neurons":
            return pathways(graph, signs, PathwaysSection(count=3), "words")
        scores = sloped(graph.neuron_ids, graph.layers, signs)
        blocks = scores.direct_block_deviations
        assert blocks is not None
        scores = replace(scores, direct_block_deviations=blocks * turned[:, None].astype(np.float32))
        return pathways(graph, signs, PathwaysSection(count=3, to="scalar"), "words", scores=scores)

    before, after = made(graph, SIGNS, np.ones(P)), made(turned, SIGNS * flips, flips)
    assert before.metrics.jackknife
    for table in ("length_columns", "neuron_columns"):
        one, other = getattr(before, table)(), getattr(after, table)()
        for name in set(one) - {"orientation", "neuron"}:
            assert np.isfinite(one[name]).all()
            np.testing.assert_allclose(other[name], one[name], atol=1e-12, err_msg=name)
    assert after.metrics.signed_error == pytest.approx(before.metrics.signed_error)


@pytest.mark.parametrize("blocks", [None, 1])
def test_without_two_blocks_errors_are_not_known(blocks: int | None) -> None:
    graph = replace(PLAIN, deviations=None if blocks is None else np.full((E, blocks), 0.1))
    made = pathways(graph, SIGNS, PathwaysSection(count=3), "words")
    columns = made.length_columns()
    for name in LENGTH_SUMS:
        assert np.isfinite(columns[name]).all()
        assert np.isnan(columns[f"{name}_standard_error"]).all()
    assert np.isnan(made.neuron_columns()["onto_targets_standard_error"]).all()
    assert made.metrics.signed_error is None


@pytest.mark.slow
def test_errors_are_those_of_other_documents_and_noise_makes_absolute_sums_too_large() -> None:
    random, blocks = np.random.default_rng(0), 16
    shared = random.standard_normal((E, 2)) / np.sqrt(2)  # edges change together
    end = End.of_neurons(PLAIN.layers == 3, blocks)
    truth, sums, errors = lengths(PLAIN, end, SIGNS, None).sums, [], []
    for _ in range(200):
        noise = shared @ random.standard_normal((2, blocks)) + 0.5 * random.standard_normal((E, blocks))
        edges = PLAIN.weights[:, None] + 0.2 * noise
        apart = (edges - edges.mean(axis=1, keepdims=True)) / np.sqrt(blocks * (blocks - 1))
        found = lengths(replace(PLAIN, weights=edges.mean(axis=1), deviations=apart), end, SIGNS, None)
        sums.append(found.sums)
        errors.append(found.errors)
    spread = np.std(sums, axis=0)
    ratio = dict(zip(LENGTH_SUMS, np.sqrt(np.mean(np.square(errors), axis=0)) / spread))
    np.testing.assert_allclose(ratio["signed"], 1, atol=0.1)
    for name in ("net", "absolute"):
        assert ((ratio[name] > 0.9) & (ratio[name] < 1.4)).all()
    beyond = (np.mean(sums, axis=0) - truth) / spread
    assert (beyond[-2:] > 0.05).all()
    assert (beyond[-2:] < 0.8).all()
