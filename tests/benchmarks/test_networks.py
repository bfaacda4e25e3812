"""The table of networks: what its numbers mean, on planted statistics; its configurations exist."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import networks
import numpy as np
import pytest
from networks import CONFIGS, NETWORKS, Row, agreement, line, rows_of, write
from support.planted_corpora import FIT, statistics, tokens_of, with_fresh

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.metrics import FitMetrics
from glasso_cli.artifacts.metrics.collect import EffectiveTokens
from glasso_cli.artifacts.metrics.fit import NullEdges
from glasso_cli.config.load import load_config
from glasso_cli.fitting.run import fit_corpus

CHAIN = np.eye(12) + 0.4 * (np.eye(12, k=1) + np.eye(12, k=-1))


@pytest.fixture(scope="module")
def stats() -> ActivationStats:
    """A chain of twelve neurons, which are independent before training."""
    trained, fresh = (statistics(tokens_of(truth, 48, 60, seed=1)) for truth in (CHAIN, np.eye(12)))
    return with_fresh(trained, fresh)


@pytest.fixture(scope="module")
def fit(stats: ActivationStats) -> FitMetrics:
    return fit_corpus(stats, FIT).metrics


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_a_configuration_with_its_corpus(name: str) -> None:
    network = NETWORKS[name]
    config = load_config(CONFIGS / f"{network.config}.yaml", (*networks.ALPHA, *network.settings))
    assert network.corpus in config.corpora
    assert config.fit.rule == "degree"


def test_rows_are_those_of_three_graphs(stats: ActivationStats, fit: FitMetrics) -> None:
    shifted = replace(fit, null=NullEdges(at_alpha=3, drawn=1, discoveries=1))
    trained, null, fresh = rows_of("tiny", shifted, fit, stats)
    assert (trained.graph, trained.drawn, trained.units, trained.documents) == ("trained", 11, 12, 48)
    assert (null.graph, null.at_alpha, null.drawn, null.shared, null.halves) == ("shifted", 3, 1, None, None)
    assert (fresh.graph, fresh.drawn) == ("fresh", 0)
    assert trained.halves is not None
    assert fresh.halves is not None
    assert trained.halves > 0.9
    assert abs(fresh.halves) < 0.4


def test_a_fit_without_a_null_has_no_rows(stats: ActivationStats, fit: FitMetrics) -> None:
    with pytest.raises(ValueError, match="lack a null"):
        rows_of("tiny", fit, fit, stats)


def test_the_agreement_of_halves_is_that_of_their_correlations(stats: ActivationStats) -> None:
    """It does not depend on the scales and the order of the neurons."""
    order = np.random.default_rng(0).permutation(12)
    tokens = tokens_of(CHAIN, 48, 60, seed=1)
    turned = statistics(tokens[:, :, order] * np.linspace(0.5, 20, 12))
    assert agreement(turned) == pytest.approx(agreement(stats), abs=1e-4)
    pairs = np.triu_indices(12, 1)
    halves = [np.corrcoef(tokens[np.arange(48) % 2 == start].reshape(-1, 12).T)[pairs] for start in (0, 1)]
    assert agreement(stats) == pytest.approx(np.corrcoef(*halves)[0, 1], abs=1e-5)


def test_edges_drawn_from_fewer_samples_than_units_are_in_brackets(tmp_path: Path) -> None:
    row = Row("n", "mlp.1", 60, 100, 0.2, "fresh", 99.0, 1500, 70, 0.029, 0.02)
    assert line(row) == "|  |  |  |  |  | fresh weights | 99 | 1,500 | (70) | 0.70 | 2.9 % | 0.02 |"
    trained = replace(row, graph="trained", effective=101.0, shared=None)
    assert line(trained) == "| n | `mlp.1` | 60 | 100 | 0.200 | trained weights | 101 | 1,500 | 70 | 0.70 | – | 0.02 |"
    write([trained, row], tmp_path)
    table = (tmp_path / "networks.md").read_text().splitlines()
    assert {text.count("|") for text in table} == {13}
    with (tmp_path / "networks.csv").open() as file:
        assert [found["drawn"] for found in csv.DictReader(file)] == ["70", "70"]


def test_few_effective_samples_are_an_own_number_of_the_fresh_network(stats: ActivationStats, fit: FitMetrics) -> None:
    few = replace(fit, collect=replace(fit.collect, fresh_network=EffectiveTokens(2880, 5.0, 4.0)))
    shifted = replace(fit, null=NullEdges(at_alpha=0, drawn=0, discoveries=0))
    trained, null, fresh = rows_of("tiny", shifted, few, stats)
    assert fresh.effective == 5.0
    assert trained.effective == null.effective == fit.collect.n_effective.median
