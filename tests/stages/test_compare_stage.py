"""The stage `compare` on a tiny model: its files, what it reads, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pydot
import pytest
from support.real_runs import Runner, overrides

from glasso_cli.artifacts import Comparison, JointPrecision, PrecisionPath
from glasso_cli.errors import ConfigError

FILES = ("npz", "dot", "edges.csv", "neurons.csv", "communities.csv", "activations.csv")


@pytest.mark.slow
def test_it_writes_an_artifact_its_tables_and_its_graph(pair: Runner) -> None:
    pair.run("collect", "fit", "compare")
    folder = Path("out/compare")
    for ending in FILES:
        assert (folder / f"words-vs-others.{ending}").is_file()
    found = Comparison.load(folder / "words-vs-others.npz")
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"words-vs-others.{ending}" for ending in FILES)
    with open(folder / "words-vs-others.edges.csv", newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(found.rows)
    assert found.differential.sum() == found.metrics.edges
    shown = pair.command("show", str(folder / "words-vs-others.npz")).output
    assert shown.index("A: words") < shown.index("B: others") < shown.index("calibration")


@pytest.mark.slow
@pytest.mark.parametrize("max_tokens", [44, None])
def test_too_few_tokens_for_the_neurons_are_said(pair: Runner, max_tokens: int | None) -> None:
    settings = overrides(collect={"max_tokens": max_tokens}) if max_tokens else ()
    pair.run("collect", "fit", set_=settings)
    pair.said()
    pair.run("compare", set_=settings)
    found = Comparison.load(Path("out/compare/words-vs-others.npz"))
    few = [corpus.name for corpus in found.metrics.corpora if corpus.n_effective < found.n_neurons]
    assert bool(few) == bool(max_tokens)
    said = " ".join(pair.said().split())
    for name in ("words", "others"):
        assert (f"tokens of {name} are worth" in said) == (name in few)


@pytest.mark.slow
def test_it_is_up_to_date_until_a_fit_or_a_rule_changes(pair: Runner) -> None:
    pair.run("collect", "fit", "compare")
    before = Path("out/compare/words-vs-others.npz").read_bytes()
    pair.said()
    pair.run("compare")
    assert "up to date" in pair.said()
    pair.run("compare", set_=overrides(compare={"fdr": 0.9, "min_effect": 0}))
    assert Comparison.load(Path("out/compare/words-vs-others.npz")).metrics.fdr == 0.9
    pair.run("compare")
    assert Path("out/compare/words-vs-others.npz").read_bytes() == before
    Path("out/compare/words-vs-others.edges.csv").unlink()
    pair.said()
    pair.run("compare")
    assert "up to date" not in pair.said()


@pytest.mark.slow
@pytest.mark.usefixtures("few_figures")
def test_visualize_draws_it_and_what_is_only_drawn_never_compares_again(pair: Runner) -> None:
    pair.run("collect", "fit", "compare", "visualize")
    folder = Path("out/figures/words-vs-others")
    manifest = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    assert {"maps.png", "scatter.png", "scatter.csv", "figures.txt"} <= set(manifest["companions"])
    for name in manifest["companions"]:
        assert (folder / name).is_file()
    before = Path("out/compare/words-vs-others.npz").stat()
    pair.said()
    for section in ({"visualize": {"dpi": 70}}, {"compare": {"contexts": 2}}):
        pair.run("compare", "visualize", set_=overrides(**section))
        assert "compare words-vs-others: up to date" in pair.said()
    assert Path("out/compare/words-vs-others.npz").stat() == before


@pytest.mark.slow
@pytest.mark.usefixtures("few_figures")
def test_figures_wait_for_a_comparison(pair: Runner) -> None:
    pair.run("collect", "fit", "visualize")
    assert "visualize words-vs-others: left out, since it needs `glasso compare" in pair.said()
    assert not Path("out/figures/words-vs-others").exists()


@pytest.mark.slow
def test_three_corpora_are_three_comparisons(pair: Runner) -> None:
    text = Path("c.yaml").read_text()
    Path("c.yaml").write_text(text.replace("corpora:\n", "corpora:\n  third: {files: [texts.jsonl]}\n"))
    pair.run("collect", "fit", "compare")
    names = sorted(path.stem for path in Path("out/compare").glob("*.npz"))
    assert names == ["third-vs-others", "third-vs-words", "words-vs-others"]
    same = Comparison.load(Path("out/compare/third-vs-words.npz"))
    assert same.metrics.edges == 0
    assert abs(same.rho_a - same.rho_b).max(initial=0) == 0


def test_one_corpus_has_nothing_to_be_compared_with(runner: Runner) -> None:
    with pytest.raises(ConfigError, match="nothing to compare"):
        runner.run("compare")
    assert runner.command("compare", "c.yaml").exit_code == 2


@pytest.mark.slow
def test_a_missing_fit_is_named(pair: Runner) -> None:
    pair.run("collect")
    result = pair.command("compare", "c.yaml")
    assert result.exit_code == 3
    assert "fit/words.npz, which is not up to date" in " ".join(result.output.split())


@pytest.mark.slow
def test_different_neurons_are_said_and_the_common_ones_compared(pair: Runner) -> None:
    pair.run("collect", "fit", set_=overrides(fit={"neurons": 20}))
    pair.run("compare", set_=overrides(fit={"neurons": 20}))
    found = Comparison.load(Path("out/compare/words-vs-others.npz"))
    if found.n_neurons < 20:
        assert "are not in the other fit" in pair.said()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["group", "fused"])
def test_all_corpora_are_fitted_at_once_with_a_certificate(pair: Runner, method: str) -> None:
    text = Path("c.yaml").read_text()
    Path("c.yaml").write_text(text.replace("corpora:\n", "corpora:\n  third: {files: [texts.jsonl]}\n"))
    pair.run("collect", "fit")
    said = pair.command("compare", "c.yaml", "--set", f"compare.method={method}", "--set", "compare.tol=1e-8").output
    found = JointPrecision.load(Path("out/compare/third-vs-words-vs-others.npz"))
    assert found.corpora.tolist() == ["third", "words", "others"]
    metrics = found.metrics
    assert metrics.duality_gap <= 1e-8
    assert metrics.lambda2 == pytest.approx(metrics.lambda1 / 5)
    assert f"{metrics.edges['all']:,} in all" in " ".join(said.split())
    # the same documents twice: the same edges, and the same values where they are shared as such
    np.testing.assert_array_equal(found.values[0] != 0, found.values[1] != 0)
    np.testing.assert_allclose(found.values[0], found.values[1], atol=1e-4)
    with open("out/compare/third-vs-words-vs-others.edges.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found.rows)
    assert {row["in"] for row in rows} <= {"all", "some", "one", "sign flip"}
    (graph,) = pydot.graph_from_dot_data(Path("out/compare/third-vs-words-vs-others.dot").read_text())
    assert len(graph.get_edges()) == len(found.rows)


@pytest.mark.slow
def test_a_joint_fit_of_the_strongest_neurons(pair: Runner) -> None:
    pair.run("collect", "fit")
    pair.run("compare", set_=overrides(compare={"method": "fused", "neurons": 8, "tol": 1e-6}))
    found = JointPrecision.load(Path("out/compare/words-vs-others.npz"))
    assert found.n_neurons == 8
    strength: np.ndarray = np.zeros(0)
    for name in ("words", "others"):
        fit = PrecisionPath.load(Path(f"out/fit/{name}.npz"))
        rows, cols, rho = (x[fit.kept] for x in fit.edges())
        own = np.bincount(np.concatenate([rows, cols]), np.tile(np.abs(rho), 2), minlength=fit.n_neurons)
        strength = own if len(strength) == 0 else strength + own
    best = np.sort(np.argsort(-strength, kind="stable")[:8])
    assert found.neuron_ids.tolist() == fit.neuron_ids[best].tolist()


@pytest.mark.slow
def test_a_joint_fit_that_does_not_converge_is_kept_and_exits_with_5(pair: Runner) -> None:
    pair.run("collect", "fit")
    result = pair.command("compare", "c.yaml", "--set", "compare.method=fused", "--set", "compare.max_iter=1")
    assert result.exit_code == 5
    assert "raise compare.max_iter" in " ".join(result.output.split())
    assert not JointPrecision.load(Path("out/compare/words-vs-others.npz")).metrics.converged


@pytest.mark.slow
def test_permutations_are_of_a_seed_and_refused_where_they_can_find_nothing(pair: Runner) -> None:
    pair.run("collect", "fit")
    pair.run("compare", set_=overrides(compare={"permutations": 39}))
    first = Path("out/compare/words-vs-others.npz").read_bytes()
    found = Comparison.load(Path("out/compare/words-vs-others.npz"))
    assert np.isfinite(found.permutation_p).all()
    assert found.metrics.permutations is not None
    assert found.metrics.permutations.smallest_p == 1 / 40
    pair.command("compare", "c.yaml", "--force", "--set", "compare.permutations=39")
    assert Path("out/compare/words-vs-others.npz").read_bytes() == first
    refused = pair.command("compare", "c.yaml", "--set", "compare.permutations=5")
    assert refused.exit_code == 2
    assert "give no p-value below 0.17" in " ".join(refused.output.split())
