"""Which edges `fit` draws: error bars, rates, half-samples, and rules that resample documents."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydot
import pytest
from support.planted_corpora import FIT
from support.planted_corpora import statistics as of_tokens
from support.real_runs import Runner, interrupted_after, overrides

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.artifacts.metrics.fit import HalfSamples
from glasso_cli.console import GlassoWarning
from glasso_cli.errors import InputError
from glasso_cli.fitting import sample_fits
from glasso_cli.fitting.run import fit_corpus
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.dependence import carried_dependence, mean_square, unpenalised
from glasso_cli.inference.resampling import folds, half_samples
from glasso_cli.report.words.labels import percent
from glasso_cli.solvers import fit_path

FILES = ("out/fit/words.npz", "out/fit/words.dot", "out/fit/words.edges.csv")


@pytest.fixture
def statistics(runner: Runner) -> ActivationStats:
    return runner.collect()


def fitted(runner: Runner, **changes: Any) -> PrecisionPath:
    runner.run("fit", set_=overrides(fit=changes))
    return PrecisionPath.load(Path(FILES[0]))


def table() -> list[dict[str, str]]:
    with open(FILES[2], encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def blocks_of(stats: ActivationStats) -> Blocks:
    return Blocks.of(stats.counts, stats.sums, stats.moments, stats.usable())


@pytest.mark.slow
def test_edges_that_may_be_below_the_minimum_effect_are_counted_and_not_drawn(
    runner: Runner, statistics: ActivationStats
) -> None:
    every = fitted(runner)
    bar = float(np.median(np.abs(every.debiased))) / 2
    fit = fitted(runner, fdr=0.05, min_effect=bar)
    passing = fit.q_values <= 0.05
    assert np.abs(fit.debiased[passing]).min() > bar
    assert fit.kept.tolist() == passing.tolist()
    assert 0 < passing.sum() < len(passing)
    metrics = fit.metrics
    assert metrics.edges == passing.sum()
    assert metrics.edges_at_alpha == len(passing) == fit.n_edges[int(fit.selected)]
    assert metrics.dropped.fdr == (fit.q_zero > 0.05).sum()
    assert metrics.dropped.fdr + metrics.dropped.min_effect == (~passing).sum()
    (graph,) = pydot.graph_from_dot_data(Path(FILES[1]).read_text())
    assert len(graph.get_edges()) == passing.sum()
    assert (fit.communities[np.setdiff1d(np.arange(fit.n_neurons), fit.rows[fit.drawn()])] >= -1).all()
    said = runner.command("fit", "c.yaml", "--force", "--set", f"fit.min_effect={bar}")
    assert "by fit.min_effect" in said.output


def test_the_table_holds_what_the_artifact_holds(runner: Runner, statistics: ActivationStats) -> None:
    fit = fitted(runner, fdr=0.01, min_effect=0.3)
    rows = table()
    assert len(rows) == len(fit.kept)
    ids = {frozenset((fit.neuron_ids[i], fit.neuron_ids[j])): k for k, (i, j) in enumerate(zip(*fit.edges()[:2]))}
    assert set(fit.orientation.tolist()) == {-1, 1}
    for row in rows:
        k = ids[frozenset((row["neuron_i"], row["neuron_j"]))]
        sign = int(row["orientation"])
        assert sign == fit.orientation[fit.edges()[0][k]] * fit.orientation[fit.edges()[1][k]]
        assert float(row["q_value"]) == fit.q_values[k]
        assert float(row["q_value_zero"]) == fit.q_zero[k] <= fit.q_values[k]
        assert sign * float(row["debiased"]) == fit.debiased[k]
        assert float(row["standard_error"]) == fit.standard_error[k]
        assert float(row["frequency"]) == fit.frequencies[k]
        assert float(row["entry_alpha"]) == fit.entry_alphas[k]
        assert sign * float(row["partial_correlation"]) == fit.edges()[2][k]
        assert row["drawn"] == str(int(fit.kept[k]))
    drawn = [row["drawn"] for row in rows]
    assert drawn == sorted(drawn, reverse=True)


def test_an_edge_enters_at_the_largest_alpha_that_has_it(runner: Runner, statistics: ActivationStats) -> None:
    fit = fitted(runner, select={"rule": "fixed", "alpha": 0.3})
    graphs = [set(zip(*(part.tolist() for part in fit.edges(k)[:2]))) for k in range(3)]
    for pair, entry in zip(zip(*(part.tolist() for part in fit.edges()[:2])), fit.entry_alphas):
        first = next(alpha for alpha, graph in zip(fit.alphas, graphs) if pair in graph)
        assert entry == first


@pytest.mark.slow
def test_frequencies_are_those_of_fits_to_halves_of_the_documents(runner: Runner, statistics: ActivationStats) -> None:
    fit = fitted(runner, half_samples=6)
    blocks = blocks_of(statistics)
    graphs = []
    for half in half_samples(blocks.filled, 6, seed=0):
        (point,) = fit_path(blocks.correlation(half), [0.4], tol=1e-9)
        graphs.append(set(zip(point.rows.tolist(), point.cols.tolist(), (point.values < 0).tolist())))
    rows, cols, rho = fit.edges()
    mine = list(zip(rows.tolist(), cols.tolist(), (rho > 0).tolist()))
    expected = [np.mean([edge in graph for graph in graphs]) for edge in mine]
    np.testing.assert_allclose(fit.frequencies, expected, atol=1 / 6 + 1e-9)
    assert np.mean(fit.frequencies == expected) > 0.95
    both = sum(len(a & b) for a, b in zip(graphs[::2], graphs[1::2]))
    found = fit.metrics.half_samples
    assert found.count == 6
    assert found.replication == pytest.approx(2 * both / sum(map(len, graphs)), abs=0.03)


def test_without_half_samples_there_are_no_frequencies(runner: Runner, statistics: ActivationStats) -> None:
    fit = fitted(runner, half_samples=0)
    assert np.isnan(fit.frequencies).all()
    assert fit.metrics.half_samples == HalfSamples(count=0, replication=None)
    assert {row["frequency"] for row in table()} == {""}


CV: dict[str, Any] = {"alpha": [0.6, 0.4, 0.3, 0.2], "select": {"rule": "cv", "folds": 4}}
STARS: dict[str, Any] = {
    "alpha": [0.6, 0.4, 0.3, 0.2],
    "select": {"rule": "stars", "half_samples": 6, "instability": 0.1},
}


@pytest.mark.slow
def test_cv_judges_by_documents_that_were_held_out(runner: Runner, statistics: ActivationStats) -> None:
    fit = fitted(runner, **CV)
    blocks = blocks_of(statistics)
    losses = []
    for held in folds(blocks.filled, 4):
        train = sorted(set(blocks.filled.tolist()) - set(held))
        S = blocks.held_out(train, held)
        points = fit_path(blocks.correlation(train), CV["alpha"], tol=1e-9)
        precisions = [point.precision().toarray() for point in points]
        losses.append([(np.vdot(S, theta) - np.linalg.slogdet(theta)[1]) / len(S) for theta in precisions])
    np.testing.assert_allclose(fit.criterion, np.mean(losses, axis=0), rtol=1e-4)
    error = np.std(losses, axis=0, ddof=1) / 2
    np.testing.assert_allclose(fit.criterion_error, error, rtol=1e-2)
    best = int(np.argmin(fit.criterion))
    within = fit.criterion <= fit.criterion[best] + fit.criterion_error[best]
    assert int(fit.selected) == int(np.flatnonzero(within)[0])


@pytest.mark.slow
def test_stars_keeps_the_share_of_pairs_that_differ_below_its_threshold(
    runner: Runner, statistics: ActivationStats
) -> None:
    fit = fitted(runner, **STARS)
    assert (np.diff(fit.criterion) >= 0).all()
    stable = np.flatnonzero(fit.criterion <= 0.1)
    assert int(fit.selected) == stable[-1]


@pytest.mark.slow
@pytest.mark.parametrize("changes", [CV, STARS, {"half_samples": 4}], ids=["cv", "stars", "halves"])
def test_processes_change_no_byte_and_an_interrupted_fit_ends_in_the_same(
    runner: Runner, statistics: ActivationStats, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    fitted(runner, **changes, workers=1)
    whole = [Path(name).read_bytes() for name in FILES]
    shutil.rmtree("out/fit")
    fitted(runner, **changes, workers=2)
    assert [Path(name).read_bytes() for name in FILES] == whole
    shutil.rmtree("out/fit")
    with monkeypatch.context() as patched:
        patched.setattr(sample_fits, "_fit", interrupted_after(2, sample_fits._fit))
        with pytest.raises(KeyboardInterrupt):
            fitted(runner, **changes, workers=1)
    assert len(list(Path("out").rglob("sample-*.npz"))) == 2
    fitted(runner, **changes, workers=1)
    assert [Path(name).read_bytes() for name in FILES] == whole


@pytest.mark.slow
def test_factors_are_taken_out_and_described(runner: Runner, statistics: ActivationStats) -> None:
    fit = fitted(runner, remove_factors=2, alpha=[0.5, 0.3], select={"rule": "fixed", "alpha": 0.3})
    correlation = statistics.correlation()
    values, vectors = np.linalg.eigh(correlation)
    project = np.eye(len(values)) - vectors[:, -2:] @ vectors[:, -2:].T
    rest = project @ correlation @ project
    rest /= np.sqrt(np.outer(rest.diagonal(), rest.diagonal()))
    rows, cols, _ = fit.edges()
    np.testing.assert_allclose(fit.marginals[fit.part()], rest[rows, cols], atol=1e-4)
    described = fit.metrics.factors
    assert described is not None
    assert described.removed == 2
    off = ~np.eye(len(values), dtype=bool)
    left = correlation - vectors[:, -2:] * values[-2:] @ vectors[:, -2:].T
    share = 1 - (left[off] ** 2).sum() / (correlation[off] ** 2).sum()
    assert described.removed_share_of_squared_correlations == pytest.approx(share, abs=1e-4)
    assert "2 taken out with " in runner.command("show", FILES[0]).output
    assert fit.metrics.dependence is None
    np.testing.assert_allclose(
        [leading.variance_explained for leading in described.leading], values[::-1][:5] / len(values), rtol=1e-4
    )
    top = fit.neuron_ids[np.abs(vectors[:, -1]).argmax()]
    assert described.leading[0].top_neurons.startswith(top)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"half_samples": 2, "variance": "normal"}, {**CV, "half_samples": 0}])
def test_too_few_blocks_of_documents_are_refused(runner: Runner, changes: dict[str, Any]) -> None:
    runner.collect("collect.blocks=3")
    with pytest.raises(InputError, match="draws from blocks of documents and needs 4 of them"):
        runner.run("fit", set_=("collect.blocks=3", *overrides(fit={"variance": "pooled", **changes})))


def test_error_bars_may_be_done_without(runner: Runner) -> None:
    runner.collect("collect.blocks=1")
    runner.run("fit", set_=("collect.blocks=1", *overrides(fit={"variance": "normal", "half_samples": 0})))
    assert PrecisionPath.load(Path(FILES[0])).metrics.variance_inflation == pytest.approx(1.1, abs=0.05)


def test_as_many_factors_as_neurons_are_refused(runner: Runner, statistics: ActivationStats) -> None:
    with pytest.raises(InputError, match="48 factors cannot be taken out of 48 neurons"):
        fitted(runner, remove_factors=48)


@pytest.mark.slow
def test_hidden_factors_stand_beside_the_edges_and_are_kept(runner: Runner, statistics: ActivationStats) -> None:
    changes = {
        "method": "latent",
        "alpha": [0.3, 0.2],
        "select": {"rule": "fixed", "alpha": 0.2},
        "latent_penalty": 0.3,
    }
    fit = fitted(runner, **changes)
    assert fit.converged.all()
    assert fit.ranks[1] >= 1
    V = fit.factors[:, int(fit.ranks[0]) :]
    R = fit.precision(1).toarray() - V @ V.T
    assert np.linalg.eigvalsh(R)[0] > 0
    metrics = fit.metrics
    assert metrics.hidden_factors == fit.ranks[1]
    assert metrics.estimate.kind == "latent"
    assert "graphical lasso with hidden factors" in runner.command("show", FILES[0]).output
    whole = Path(FILES[0]).read_bytes()
    runner.said()
    fitted(runner, **changes, fdr=0.2)
    assert "2 of 2 alphas taken from the last fit" in runner.said()
    fitted(runner, **changes)
    assert Path(FILES[0]).read_bytes() == whole


LATENT: dict[str, Any] = {"method": "latent", "alpha": [0.3, 0.2], "latent_penalty": 0.3, "half_samples": 0}


@pytest.mark.slow
def test_a_fit_with_hidden_factors_says_what_they_carry(runner: Runner, statistics: ActivationStats) -> None:
    fit = fitted(runner, **LATENT, select={"rule": "fixed", "alpha": 0.2})
    found = fit.metrics.dependence
    assert found is not None
    V = fit.factors[:, int(fit.ranks[0]) :]
    carried = carried_dependence(*unpenalised(statistics.correlation(), fit.precision(), V))
    assert found.share == pytest.approx(carried.share, abs=1e-3)
    assert found.total_correlation == pytest.approx(carried.total_correlation, rel=1e-3)
    assert found.mean_squared_correlation_of_sample == pytest.approx(mean_square(statistics.correlation()))
    said = f"{fit.ranks[1]} hidden factors carry {percent(carried.share or 0)} of the dependence (total correlation)"
    assert said in runner.command("show", FILES[0]).output.replace("\n", " ")


@pytest.mark.slow
def test_the_graph_without_hidden_factors_is_that_of_a_plain_fit(runner: Runner, statistics: ActivationStats) -> None:
    rules = {"fdr": 0.2, "min_effect": 0.01, "select": {"rule": "fixed", "alpha": 0.2}}
    fit = fitted(runner, **LATENT, **rules)
    rho = fit.plain_edges()[2]
    found = fit.metrics.plain
    plain = fitted(runner, **{**LATENT, **rules, "alpha": [0.2], "method": "plain"})
    kept = plain.kept
    np.testing.assert_array_equal(fit.plain_rows, plain.rows)
    np.testing.assert_array_equal(fit.plain_cols, plain.cols)
    np.testing.assert_array_equal(fit.plain_kept, kept)
    np.testing.assert_allclose(fit.plain_values, plain.values, atol=1e-6)
    np.testing.assert_allclose(rho, plain.edges()[2][kept], atol=1e-6)
    assert plain.plain_rows.size == plain.plain_diagonal.size == 0
    assert plain.metrics.plain is None
    graphs = [set(zip(i[k].tolist(), j[k].tolist())) for i, j, k in (
        (fit.rows[fit.part()], fit.cols[fit.part()], fit.kept), (plain.rows, plain.cols, kept),
    )]  # fmt: skip
    assert found is not None
    assert found.edges == len(graphs[1]) == kept.sum()
    assert found.edges_at_alpha == len(kept)
    assert found.shared == len(graphs[0] & graphs[1])
    assert found.lost == len(graphs[1] - graphs[0])
    assert found.gained == len(graphs[0] - graphs[1])
    every = set(zip(fit.rows[fit.part()].tolist(), fit.cols[fit.part()].tolist()))
    assert found.absent == len(graphs[1] - every)
    assert found.converged


@pytest.mark.slow
def test_what_factors_carry_is_of_the_selected_alpha(runner: Runner, statistics: ActivationStats) -> None:
    first = fitted(runner, **LATENT, select={"rule": "fixed", "alpha": 0.3})
    bytes_before = Path(FILES[0]).read_bytes()
    runner.said()
    second = fitted(runner, **LATENT, select={"rule": "fixed", "alpha": 0.2})
    assert "2 of 2 alphas taken from the last fit" in runner.said()
    assert first.metrics.dependence != second.metrics.dependence
    assert len(second.plain_rows) > len(first.plain_rows)
    fitted(runner, **LATENT, select={"rule": "fixed", "alpha": 0.3})
    assert Path(FILES[0]).read_bytes() == bytes_before
    runner.said()
    fitted(runner, **LATENT, select={"rule": "fixed", "alpha": 0.3})
    assert "up to date" in runner.said()


@pytest.mark.parametrize("other", ["remove_factors=1", "penalise_diagonal=true"])
def test_hidden_factors_go_with_no_other_remedy(runner: Runner, other: str) -> None:
    result = runner.command("fit", "c.yaml", "--set", "fit.method=latent", "--set", f"fit.{other}")
    assert result.exit_code == 2
    assert "method latent cannot be combined with" in result.stderr


@pytest.mark.slow
def test_one_factor_for_the_errors_of_neurons_that_are_mostly_zero_is_not_taken_unless_asked_for(
    recwarn: pytest.WarningsRecorder,
) -> None:
    sparse = np.maximum(np.random.default_rng(0).standard_normal((160, 40, 20)) - np.linspace(1.3, 2.6, 20), 0.0)
    stats = of_tokens(sparse)
    assert fit_corpus(stats, FIT).metrics.variance == "jackknife"
    assert not [item for item in recwarn if "fit.variance" in str(item.message)]
    pooled = FIT.model_copy(update={"variance": "pooled"})
    with pytest.warns(GlassoWarning, match=r"differ from one factor .* Set fit\.variance: auto\."):
        assert fit_corpus(stats, pooled).metrics.variance == "pooled"
    normal = of_tokens(np.random.default_rng(0).standard_normal((160, 40, 20)))
    assert fit_corpus(normal, FIT).metrics.variance == "pooled"
