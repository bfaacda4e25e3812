"""`fit.order: layers` over real statistics: its files, its cache, what `show` and `load` say, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydot
import pytest
from support.real_runs import Runner, interrupted_after, overrides

import glasso_cli as g
from glasso_cli.artifacts import OrderedGraph, PrecisionPath
from glasso_cli.artifacts.artifact import misfits
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.errors import ConfigError, InputError
from glasso_cli.fitting import finished_points

TWO = ("collect.hook_points=[mlp.0, mlp.1]",)
FIT: dict[str, Any] = {"order": "layers", "alpha": [0.5, 0.3], "select": {"rule": "fixed", "alpha": 0.3}, "fdr": 0.5}
FILES = (
    "words.npz",
    "words.dot",
    "words.edges.csv",
    "words.ordered.npz",
    "words.ordered.dot",
    "words.ordered.edges.csv",
)


def fitted(runner: Runner, **changes: Any) -> OrderedGraph:
    runner.run("fit", set_=(*TWO, *overrides(fit={**FIT, **changes})))
    return OrderedGraph.load(Path("out/fit/words.ordered.npz"))


@pytest.fixture
def ran(runner: Runner) -> Runner:
    runner.collect(*TWO)
    return runner


@pytest.mark.slow
def test_each_neuron_of_the_later_layer_is_regressed_on_the_earlier_one(ran: Runner) -> None:
    graph = fitted(ran)
    assert (
        misfits(OrderedGraph, {name: getattr(graph, name) for name in graph.__dataclass_fields__ if name != "meta"})
        == []
    )
    sources, targets, values = graph.edges()
    assert (graph.layers[sources] == 0).all()
    assert (graph.layers[targets] == 1).all()
    stats = g.load("out/collect/words.npz")
    assert isinstance(stats, g.ActivationStats)
    S = stats.correlation(graph.neurons)
    before = np.flatnonzero(graph.layers == 0)
    for target in np.flatnonzero(graph.layers == 1).tolist():
        b = np.zeros(len(before))
        b[sources[targets == target]] = values[targets == target]
        gradient = S[target, before] - S[np.ix_(before, before)] @ b
        assert np.abs(gradient).max() <= 0.3 + 1e-3
        np.testing.assert_allclose(gradient[b != 0], 0.3 * np.sign(b[b != 0]), atol=1e-3)
    assert graph.converged.all()
    assert (graph.duality_gap <= 1e-7).all()
    (layer,) = graph.metrics.layers
    assert layer.explained > (layer.explained_held_out or 0)


@pytest.mark.slow
def test_what_is_written_is_the_same_graph(ran: Runner) -> None:
    graph = fitted(ran)
    table = Path("out/fit/words.ordered.edges.csv").read_text().splitlines()
    assert len(table) == len(graph.kept) + 1
    assert table[0].startswith("source,target,coefficient,debiased,coefficient_error,partial_correlation")
    (dot,) = pydot.graph_from_dot_file("out/fit/words.ordered.dot")
    assert dot.get_type() == "digraph"
    assert len(dot.get_edges()) == graph.metrics.edges == int(graph.kept.sum()) > 0
    turned = oriented(graph)
    sources, targets, _ = (part[graph.kept] for part in turned.edges())
    drawn = {
        (edge.get_source(), edge.get_destination()): float(edge.get("partial_correlation")) for edge in dot.get_edges()
    }
    for i, j, rho in zip(sources, targets, turned.partial_correlations[graph.kept]):
        assert drawn[f'"{graph.neuron_ids[i]}"', f'"{graph.neuron_ids[j]}"'] == pytest.approx(rho, rel=1e-4)
    for name in ("npz", "dot"):
        said = ran.command("show", f"out/fit/words.ordered.{name}").stdout
        assert "strongest" in said
    said = ran.command("show", "out/fit/words.ordered.npz").stdout
    assert "layer 1" in said
    assert "does not say what causes what" in said
    assert json.loads(ran.command("show", "--json", "out/fit/words.ordered.npz").stdout)["kind"] == "ordered-graph"
    loaded = g.load("out/fit/words.ordered.npz")
    assert isinstance(loaded, OrderedGraph)
    assert list(loaded.edges_frame().columns) == table[0].split(",")
    assert loaded.neurons_frame()["from_earlier"].sum() == graph.metrics.edges


@pytest.mark.slow
def test_the_fit_itself_is_the_same_with_and_without(ran: Runner) -> None:
    ran.run("fit", set_=(*TWO, *overrides(fit={**FIT, "order": "none"})))
    plain = PrecisionPath.load(Path("out/fit/words.npz"))
    assert "order" not in plain.meta["material"]["config"]["fit"]
    without = {name: Path("out/fit", name).read_bytes() for name in FILES[2:3]}
    arrays = {name: np.array(getattr(plain, name)) for name in plain.__dataclass_fields__ if name != "meta"}
    ran.said()
    fitted(ran)
    assert "2 of 2 alphas taken from the last fit" in ran.said()
    assert Path("out/fit/words.edges.csv").read_bytes() == without["words.edges.csv"]
    both = PrecisionPath.load(Path("out/fit/words.npz"))
    for name, values in arrays.items():
        np.testing.assert_array_equal(getattr(both, name), values)


@pytest.mark.slow
def test_an_interrupted_fit_ends_in_the_same_bytes(ran: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted(ran)
    whole = [Path("out/fit", name).read_bytes() for name in FILES]
    for name in FILES:
        Path("out/fit", name).unlink()
    with monkeypatch.context() as patched:
        patched.setattr(finished_points, "save_piece", interrupted_after(1, finished_points.save_piece))
        with pytest.raises(KeyboardInterrupt):
            fitted(ran)
    assert not Path("out/fit/words.ordered.npz").exists()
    fitted(ran)
    assert [Path("out/fit", name).read_bytes() for name in FILES] == whole
    ran.said()
    fitted(ran)
    assert "fit words: up to date" in ran.said()
    Path("out/fit/words.ordered.npz").unlink()
    fitted(ran)
    assert [Path("out/fit", name).read_bytes() for name in FILES] == whole


@pytest.mark.slow
def test_every_rule_says_which_alpha_it_took(ran: Runner) -> None:
    alphas = [0.5, 0.4, 0.3]
    by_ebic = fitted(ran, alpha=alphas, select={"rule": "ebic"})
    assert by_ebic.metrics.rule == "ebic"
    assert int(by_ebic.selected) == int(np.argmin(by_ebic.criterion))
    by_degree = fitted(ran, alpha=None, select={"rule": "degree", "target": 2.0})
    assert by_degree.metrics.rule == "degree"
    part = by_degree.part()
    assert 2 * (part.stop - part.start) / by_degree.n_neurons == pytest.approx(2, abs=0.1)
    by_cv = fitted(ran, alpha=alphas, select={"rule": "cv", "folds": 2})
    assert by_cv.metrics.rule == "fit"
    assert by_cv.metrics.alpha == PrecisionPath.load(Path("out/fit/words.npz")).metrics.alpha


@pytest.mark.slow
def test_from_python_the_numbers_are_the_same(ran: Runner) -> None:
    graph = fitted(ran)
    stats = g.load("out/collect/words.npz")
    assert isinstance(stats, g.ActivationStats)
    settings = {**graph.meta["material"]["config"]["fit"]}
    del settings["order"]
    found = g.fit_ordered(stats, **settings)
    for name in graph.__dataclass_fields__:
        if name != "meta":
            np.testing.assert_array_equal(getattr(found, name), getattr(graph, name))
    with pytest.raises(InputError, match="without an order"):
        g.fit(stats, **FIT)
    with pytest.raises(InputError, match="not selected by the rule cv"):
        g.fit_ordered(stats, alpha=[0.5, 0.3], select={"rule": "cv"})


def test_a_single_layer_is_refused(runner: Runner) -> None:
    runner.collect()
    with pytest.raises(InputError, match=r"needs neurons of two layers, .* all are in layer 1\."):
        runner.run("fit", set_=overrides(fit=FIT))
    assert not Path("out/fit").exists() or not list(Path("out/fit").glob("*.npz"))


def test_hidden_factors_have_no_order(runner: Runner) -> None:
    with pytest.raises(ConfigError, match="order layers cannot be combined with method latent"):
        runner.run("fit", set_=overrides(fit={**FIT, "method": "latent"}))


def test_no_corpus_has_the_name_of_an_ordered_graph(runner: Runner) -> None:
    corpora = "corpora={words: {files: [a.txt]}, Words.Ordered: {files: [b.txt]}}"
    with pytest.raises(ConfigError, match=r"'Words\.Ordered' is the name of the ordered graph of the corpus 'words'"):
        runner.run("fit", set_=(corpora, *overrides(fit=FIT)))
