"""`fit` over real statistics: solvers that agree, certificates, selection, resume, and neurons that cannot be fitted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydot
import pytest
from support.real_runs import Runner, interrupted_after, overrides

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.config import FitSection
from glasso_cli.console import GlassoWarning
from glasso_cli.engine import machine
from glasso_cli.errors import BelowBar, InputError
from glasso_cli.fitting import finished_points
from glasso_cli.fitting.run import fit_corpus
from glasso_cli.linalg.moments import pack_upper, unpack_upper
from glasso_cli.solvers import SOLVERS
from glasso_cli.solvers.memory import peak


@pytest.fixture
def statistics(runner: Runner) -> ActivationStats:
    """What `collect` wrote, for the fits that follow."""
    return runner.collect()


def fitted(runner: Runner, *changes: str) -> PrecisionPath:
    runner.run("fit", set_=changes)
    return PrecisionPath.load(Path("out/fit/words.npz"))


@pytest.mark.slow
def test_every_solver_finds_the_same_precision_with_a_certificate(runner: Runner, statistics: ActivationStats) -> None:
    fits = [fitted(runner, f"fit.solver={solver}", "fit.tol=1e-10") for solver in SOLVERS]
    for fit in fits:
        assert fit.converged.all()
        assert (fit.duality_gap <= 1e-10).all()
        np.testing.assert_allclose(fit.alphas, [0.6, 0.4, 0.3])
        for index in range(3):
            difference = fit.precision(index) - fits[0].precision(index)
            assert abs(difference).max() < 1e-3


def test_the_path_solves_the_problem_of_the_correlation(runner: Runner, statistics: ActivationStats) -> None:
    fit = fitted(runner, "fit.tol=1e-10")
    correlation = statistics.correlation()
    for index, alpha in enumerate(fit.alphas):
        precision = fit.precision(index).toarray()
        gradient = correlation - np.linalg.inv(precision)
        on = precision != 0
        np.fill_diagonal(on, False)
        np.testing.assert_allclose(gradient[on], -alpha * np.sign(precision[on]), atol=1e-3)
        assert np.abs(gradient[~on]).max() <= alpha + 1e-3
        np.testing.assert_allclose(np.diag(gradient), 0, atol=1e-3)
    rows, cols, rho = fit.edges()
    assert fit.alphas[int(fit.selected)] == 0.4
    inverse = fit.precision().toarray()
    scale = np.sqrt(np.diag(inverse))
    np.testing.assert_allclose(rho, (-inverse / np.outer(scale, scale))[rows, cols])
    np.testing.assert_allclose(fit.marginals[fit.offsets[1] : fit.offsets[2]], correlation[rows, cols], rtol=1e-6)


@pytest.mark.slow
def test_degree_and_ebic_choose_by_what_they_say(runner: Runner, statistics: ActivationStats) -> None:
    by_degree = fitted(runner, *overrides(fit={"alpha": None, "select": {"rule": "degree", "target": 4}}))
    degree = 2 * by_degree.n_edges[int(by_degree.selected)] / by_degree.n_neurons
    assert abs(degree - 4) <= max(0.08, 2 / by_degree.n_neurons)
    by_ebic = fitted(runner, *overrides(fit={"alpha": [0.6, 0.4, 0.3, 0.2], "select": {"rule": "ebic"}}))
    n = statistics.metrics.n_effective.median
    edges, p = by_ebic.n_edges, by_ebic.n_neurons
    criterion = -n * by_ebic.log_likelihood + edges * np.log(n) + 4 * 0.5 * edges * np.log(p)
    assert int(by_ebic.selected) == int(np.argmin(criterion))
    np.testing.assert_allclose(by_ebic.criterion - by_ebic.criterion[0], criterion - criterion[0], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("finished", [1, 2])
def test_an_interrupted_path_ends_in_the_same_bytes(
    runner: Runner, statistics: ActivationStats, monkeypatch: pytest.MonkeyPatch, finished: int
) -> None:
    changes = overrides(fit={"alpha": [0.6, 0.4, 0.3, 0.25], "select": {"rule": "degree", "target": 4}})
    fitted(runner, *changes)
    names = ("out/fit/words.npz", "out/fit/words.dot")
    whole = [Path(name).read_bytes() for name in names]
    shutil.rmtree("out/fit")
    with monkeypatch.context() as patched:
        patched.setattr(finished_points, "save_piece", interrupted_after(finished, finished_points.save_piece))
        with pytest.raises(KeyboardInterrupt):
            fitted(runner, *changes)
    assert not Path("out/fit/words.npz").exists()
    assert len(list(Path("out").rglob("alpha-*.npz"))) == finished
    fitted(runner, *changes)
    assert [Path(name).read_bytes() for name in names] == whole


def solves(runner: Runner, *changes: str) -> int:
    """How many alphas a fit solves."""
    runner.said()
    fitted(runner, *changes)
    return sum(" iterations" in line for line in runner.said().splitlines())


def in_another_folder(runner: Runner, *changes: str) -> tuple[bytes, bytes]:
    """The artifact and the graph of a fit that finds nothing finished."""
    runner.collect(out="fresh")
    runner.run("fit", set_=(*changes, "out=fresh"))
    found = Path("fresh/fit/words.npz").read_bytes(), Path("fresh/fit/words.dot").read_bytes()
    shutil.rmtree("fresh")
    return found


ONE = {"alpha": [0.6, 0.3], "select": {"rule": "fixed", "alpha": 0.3}}
DEGREE = {"alpha": [0.6, 0.3], "select": {"rule": "degree", "target": 4}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "solved"),
    [
        (ONE, {**ONE, "alpha": [0.6, 0.3, 0.25]}, 1),
        (ONE, {**ONE, "alpha": [0.6, 0.4, 0.3]}, 2),
        (ONE, {**ONE, "select": {"rule": "fixed", "alpha": 0.6}}, 0),
        (ONE, {**ONE, "select": {"rule": "ebic"}}, 0),
        (DEGREE, ONE, 0),
        (ONE, {**ONE, "tol": 1e-6}, 2),
        (ONE, {**ONE, "neurons": 20}, 2),
        (ONE, {**ONE, "penalise_diagonal": True}, 2),
    ],
    ids=["smaller alpha", "one in between", "choice", "rule", "no search", "tol", "neurons", "diagonal"],
)
def test_a_path_goes_on_from_the_last_fit_to_the_bytes_of_a_new_one(
    runner: Runner, statistics: ActivationStats, before: dict[str, Any], after: dict[str, Any], solved: int
) -> None:
    fitted(runner, *overrides(fit=before))
    assert solves(runner, *overrides(fit=after)) == solved
    made = (Path("out/fit/words.npz").read_bytes(), Path("out/fit/words.dot").read_bytes())
    assert made == in_another_folder(runner, *overrides(fit=after))


@pytest.mark.slow
def test_a_search_goes_on_from_the_grid_and_the_chains_are_kept(runner: Runner, statistics: ActivationStats) -> None:
    fitted(runner, *overrides(fit=ONE))
    searched = solves(runner, *overrides(fit=DEGREE))
    fit = PrecisionPath.load(Path("out/fit/words.npz"))
    assert searched == len(fit.alphas) - 2 > 0
    assert Path("out/fit/words.npz").read_bytes() == in_another_folder(runner, *overrides(fit=DEGREE))[0]
    assert solves(runner, *overrides(fit={**DEGREE, "select": {"rule": "degree", "target": 3}})) < len(fit.alphas)
    assert np.isnan(fit.starts[0])
    assert set(fit.starts[1:]) <= set(fit.alphas)
    assert (fit.starts[1:] > fit.alphas[1:]).all()


@pytest.mark.slow
def test_it_is_said_how_many_alphas_were_taken(runner: Runner, statistics: ActivationStats) -> None:
    fitted(runner, *overrides(fit=ONE))
    assert "taken from the last fit" not in runner.said()
    fitted(runner, *overrides(fit={**ONE, "alpha": [0.6, 0.3, 0.25]}))
    assert "fit words: 2 of 3 alphas taken from the last fit" in runner.said()


@pytest.mark.slow
def test_an_interrupted_path_goes_on_with_other_alphas(
    runner: Runner, statistics: ActivationStats, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = finished_points.save_piece

    def interrupted(*arguments: Any) -> None:
        save(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(finished_points, "save_piece", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fitted(runner, *overrides(fit=ONE))
    assert solves(runner, *overrides(fit={**ONE, "tol": 1e-6})) == 2  # the pieces of another problem are no help
    with monkeypatch.context() as patched:
        patched.setattr(finished_points, "save_piece", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fitted(runner, *overrides(fit=ONE))
    more = {**ONE, "alpha": [0.6, 0.3, 0.25]}
    assert solves(runner, *overrides(fit=more)) == 2
    assert Path("out/fit/words.npz").read_bytes() == in_another_folder(runner, *overrides(fit=more))[0]


@pytest.mark.slow
def test_force_solves_every_alpha(runner: Runner, statistics: ActivationStats) -> None:
    fitted(runner)
    said = runner.command("fit", "c.yaml", "--force").stderr
    assert sum(" iterations" in line for line in said.splitlines()) == 3
    assert "taken" not in said


@pytest.mark.parametrize("content", [b"", b"PK cut short", b"notes"])
def test_a_last_fit_that_cannot_be_read_is_no_obstacle(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "words.npz").write_bytes(content)
    assert finished_points.of_artifact(tmp_path / "words.npz", "any") == []
    assert finished_points.of_artifact(tmp_path / "nothing.npz", "any") == []


@pytest.mark.slow
@pytest.mark.parametrize("left", [10, 60_000])
def test_what_does_not_fit_into_memory_is_refused_before_anything_is_solved(
    runner: Runner, statistics: ActivationStats, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: left)
    with pytest.raises(InputError, match=r"newton needs 0\.0 GB of memory for 48 neurons.* GB are available"):
        fitted(runner)
    assert " iterations" not in runner.said()
    assert not list(Path("out").rglob("alpha-*.npz"))
    monkeypatch.setattr(machine, "available_memory", lambda: peak(48, 48, "newton"))
    assert solves(runner) == 3


@pytest.mark.slow
def test_above_the_strongest_correlation_all_are_isolated_and_it_is_said(
    runner: Runner, statistics: ActivationStats
) -> None:
    fit = fitted(runner, "fit.alpha=0.999", "fit.select.alpha=null")
    assert fit.n_edges.tolist() == [0]
    assert (fit.communities == -1).all()
    assert "at alpha 0.999 every neuron is isolated" in runner.said()
    assert pydot.graph_from_dot_data(Path("out/fit/words.dot").read_text())[0].get_edges() == []


@pytest.mark.slow
def test_the_graph_is_that_of_the_selected_alpha(runner: Runner, statistics: ActivationStats) -> None:
    fit = fitted(runner)
    rows, cols, rho = fit.edges()
    (graph,) = pydot.graph_from_dot_data(Path("out/fit/words.dot").read_text())
    found = {
        frozenset(end.strip('"') for end in (edge.get_source(), edge.get_destination())): edge
        for edge in graph.get_edges()
    }
    assert len(found) == len(rows)
    for i, j, value in zip(rows, cols, rho * fit.orientation[rows] * fit.orientation[cols]):
        edge = found[frozenset((fit.neuron_ids[i], fit.neuron_ids[j]))]
        assert float(edge.get("partial_correlation")) == pytest.approx(value, rel=1e-4)
        assert edge.get("sign") == ('"positive"' if value > 0 else '"negative"')
        assert float(edge.get("weight")) > 0
    nodes = {node.get_name().strip('"'): node for node in graph.get_nodes()}
    for name, community in zip(fit.neuron_ids, fit.communities):
        assert int(nodes[name].get("layer")) == 1
        assert int(nodes[name].get("community")) == community
    assert Path("out/fit/words.dot").read_text().startswith("// glasso: ")


def test_a_penalised_diagonal_is_alpha_on_every_variance(runner: Runner, statistics: ActivationStats) -> None:
    fit = fitted(runner, "fit.tol=1e-10", "fit.penalise_diagonal=true")
    for index, alpha in enumerate(fit.alphas):
        inverse = np.linalg.inv(fit.precision(index).toarray())
        np.testing.assert_allclose(inverse.diagonal(), 1 + alpha, atol=1e-3)


def test_what_does_not_converge_is_saved_and_said(runner: Runner, statistics: ActivationStats) -> None:
    with pytest.raises(BelowBar, match="not converged to a gap of 1e-07") as caught:
        fitted(runner, "fit.max_iter=1")
    assert caught.value.exit_code == 5
    fit = PrecisionPath.load(Path("out/fit/words.npz"))
    assert not fit.converged.all()
    assert fit.meta["below"]


def test_dead_and_repeated_neurons_are_named_and_left_out(
    runner: Runner, tmp_path: Path, model_dir: Callable[[str], Path]
) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "damaged"
    shutil.copytree(model_dir("gemma3"), folder)
    weights = load_file(folder / "model.safetensors")
    prefix = "model.layers.1.mlp."
    weights[f"{prefix}up_proj.weight"][5] = 0.0
    for part in ("up_proj", "gate_proj"):
        weights[f"{prefix}{part}.weight"][9] = weights[f"{prefix}{part}.weight"][2]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    stats = runner.collect(f"model.id={folder}")
    said = runner.said()
    assert "1 neurons have no variance and are left out of the fit: layers.1.mlp[5]" in said
    assert "1 neurons repeat another neuron and are left out of the fit: layers.1.mlp[9]" in said
    assert stats.n_neurons == 48
    fit = fitted(runner, f"model.id={folder}")
    assert fit.n_neurons == 46
    assert not {"layers.1.mlp[5]", "layers.1.mlp[9]"} & set(fit.neuron_ids.tolist())


def test_neurons_to_fit_are_chosen_by_variance_or_name(runner: Runner, statistics: ActivationStats) -> None:
    strongest = fitted(runner, "fit.neurons=10")
    expected = np.sort(np.argsort(-statistics.std)[:10])
    np.testing.assert_array_equal(strongest.neurons, expected)
    named = fitted(runner, "fit.neurons=['layers.1.mlp[4]', 'layers.1.mlp[1]']")
    assert named.neuron_ids.tolist() == ["layers.1.mlp[1]", "layers.1.mlp[4]"]


def test_a_neuron_that_fires_once_is_left_out_and_named(runner: Runner, statistics: ActivationStats) -> None:
    """It varies in one block of documents: without that block it has no error."""
    p, place = statistics.n_neurons, 7
    packed = np.array([unpack_upper(part, p) for part in statistics.moments])
    sums = statistics.sums.copy()
    for block, count in enumerate(statistics.counts.tolist()):
        packed[block][place], packed[block][:, place], sums[block, place] = 0, 0, 0
        if block == 2:  # one token of a value of 5
            packed[block][place, place], sums[block, place] = 25, 5
        assert count
    once = replace(statistics, moments=np.array([pack_upper(part) for part in packed]).astype(np.float32), sums=sums)
    with pytest.warns(GlassoWarning, match=r"1 neurons vary in one block .* left out of the fit: layers.1.mlp\[7\]"):
        fit = fit_corpus(once, FitSection(alpha=(0.4,), half_samples=4, fdr=0.99, min_effect=0.0))
    assert place not in fit.neurons
    assert len(fit.neurons) == p - 1


@pytest.mark.slow
@pytest.mark.usefixtures("few_figures")
def test_pictures_are_drawn_of_what_was_fitted(runner: Runner, statistics: ActivationStats) -> None:
    fitted(runner)
    runner.run("visualize")
    folder = Path("out/figures/words")
    assert {path.stem for path in folder.glob("*.png")} == {"degrees"}
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    shutil.rmtree(folder)
    runner.run("visualize")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
