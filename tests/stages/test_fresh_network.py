"""The graph of a network with fresh weights beside that of the trained one, on planted data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.planted_corpora import FIT, statistics, tokens_of, with_fresh

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.metrics.collect import EffectiveTokens
from glasso_cli.fitting.fresh_network import fresh_network
from glasso_cli.fitting.run import fit_corpus
from glasso_cli.inference.blocks import Blocks


def chain(p: int) -> np.ndarray:
    return np.eye(p) + 0.4 * (np.eye(p, k=1) + np.eye(p, k=-1))


@pytest.fixture(scope="module")
def stats() -> ActivationStats:
    p = 20
    trained = statistics(tokens_of(chain(p), 48, 100, seed=0))
    half = chain(p)
    half[10:, 10:] = np.eye(10)
    half[9, 10] = half[10, 9] = 0.0
    return with_fresh(trained, statistics(tokens_of(half, 48, 100, seed=1)))


def test_its_edges_are_those_of_its_own_activations(stats: ActivationStats) -> None:
    blocks = Blocks.of(stats.counts, stats.sums, stats.moments, np.arange(20))
    found = fresh_network(stats, 0.1, blocks, FIT, 0)
    assert found is not None
    assert found.drawn == 9
    assert found.communities >= 1
    assert found.replication is not None
    assert found.replication_trained is not None
    assert found.replication_trained > 0.8
    assert found.replication > 0.8
    assert 0.5 < found.variance_inflation < 2


def test_a_fit_has_it_in_its_metrics_and_says_it(stats: ActivationStats) -> None:
    from glasso_cli.report.words.fit import fit_summary

    fit = fit_corpus(stats, FIT)
    assert fit.metrics.fresh_network is not None
    assert fit.metrics.fresh_network.drawn == 9
    assert fit.metrics.edges == 19
    said = dict(fit_summary(fit.metrics, FIT.model_dump()))["fresh weights"]
    assert "before training" in said
    assert "9 drawn by the same rules (19)" in said
    assert "cannot be trusted" not in said


def test_a_fresh_network_that_gives_few_independent_tokens_says_so(stats: ActivationStats) -> None:
    """Before training, activations can hardly change from token to token, and then all edges may be noise."""
    from glasso_cli.report.words.fit import fit_summary

    metrics = fit_corpus(stats, FIT).metrics
    few = replace(metrics.collect, fresh_network=EffectiveTokens(4800, 12.0, 10.0))
    said = dict(fit_summary(replace(metrics, collect=few), FIT.model_dump()))["fresh weights"]
    assert "its tokens are worth 12 independent ones, fewer than the 20 neurons" in said
    assert said.endswith("edges drawn there cannot be trusted")


def test_without_such_a_network_there_is_nothing_to_say(stats: ActivationStats) -> None:
    assert fit_corpus(statistics(tokens_of(chain(8), 16, 50, seed=2)), FIT).metrics.fresh_network is None
    off = FIT.model_copy(update={"null": False})
    assert fit_corpus(stats, off).metrics.fresh_network is None


def test_neurons_that_are_constant_before_training_are_left_out(stats: ActivationStats) -> None:
    tokens = tokens_of(chain(20), 48, 100, seed=3)
    tokens[:, :, 4] = 0.0
    dead = with_fresh(stats, statistics(tokens))
    blocks = Blocks.of(stats.counts, stats.sums, stats.moments, np.arange(20))
    found = fresh_network(dead, 0.1, blocks, FIT.model_copy(update={"estimate": "lasso"}), 0)
    assert found is not None
    assert found.drawn == 18  # its two neighbours depend on each other now
