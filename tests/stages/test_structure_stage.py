"""The stage `structure`: its files, its cache, and that it needs no model."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from support.real_runs import Runner, overrides

import glasso_cli as g

SETTINGS = overrides(structure={"subsets": 4})
pytestmark = pytest.mark.slow


def test_it_writes_scores_and_tables(runner: Runner) -> None:
    runner.run("collect", "fit", "structure", set_=SETTINGS)
    made, fit = g.load("out/structure/words.npz"), g.load("out/fit/words.npz")
    assert isinstance(made, g.Structure)
    assert isinstance(fit, g.PrecisionPath)
    rows = list(csv.DictReader(Path("out/structure/words.neurons.csv").read_text().splitlines()))
    assert len(rows) == fit.n_neurons
    assert {row["neuron"] for row in rows} == set(fit.neuron_ids.tolist())
    predicted = [float(row["predictability"]) for row in rows]
    assert predicted == sorted(predicted, reverse=True)
    strength = dict(zip(fit.neuron_ids.tolist(), made.values[made.names.tolist().index("strength")].tolist()))
    assert {row["neuron"]: float(row["strength"]) for row in rows} == pytest.approx(strength, abs=1e-6)
    communities = list(csv.DictReader(Path("out/structure/words.communities.csv").read_text().splitlines()))
    assert len(communities) == made.metrics.communities
    assert sum(int(row["neurons"]) for row in communities) == int((fit.communities >= 0).sum())
    said = runner.command("show", "out/structure/words.npz").output
    assert "predictability" in said
    assert rows[0]["neuron"] in said
    assert "held-out documents" in said.replace("\n", " ")


def test_it_is_kept_until_the_fit_or_the_section_changes(runner: Runner) -> None:
    runner.run("collect", "fit", "structure", set_=SETTINGS)
    written = Path("out/structure/words.npz").read_bytes()
    runner.run("structure", set_=SETTINGS)
    assert "structure words: up to date" in runner.said()
    runner.run("structure", set_=overrides(structure={"subsets": 0}))
    made = g.load("out/structure/words.npz")
    assert isinstance(made, g.Structure)
    assert np.isnan(made.coefficients).all()
    assert made.dropped.size == 0
    runner.run("structure", set_=SETTINGS)
    assert Path("out/structure/words.npz").read_bytes() == written


def test_a_run_makes_it_only_where_the_section_is_given(runner: Runner) -> None:
    assert "structure" not in runner.command("plan", "c.yaml").output
    Path("c.yaml").write_text(Path("c.yaml").read_text() + "structure: {}\n")
    assert "structure" in runner.command("plan", "c.yaml").output


@pytest.mark.filterwarnings("ignore")
def test_score_takes_the_scores_as_rankings(runner: Runner) -> None:
    runner.run("collect", "fit", "structure", set_=SETTINGS)
    score = {"hook_points": ["mlp.1"], "tokens": 120, "held_out": 100, "top": 0, "sample": 0, "draws": 1}
    runner.run("score", set_=(*SETTINGS, *overrides(score={**score, "shares": [0.5, 1.0]})))
    made, structure = g.load("out/score/words.npz"), g.load("out/structure/words.npz")
    assert isinstance(made, g.Scores)
    assert isinstance(structure, g.Structure)
    assert made.structure_names.tolist() == structure.names.tolist()
    assert set(structure.names.tolist()) <= set(made.rankings.tolist())
    strength = structure.by_neuron()["strength"]
    row = made.structure[made.structure_names.tolist().index("strength")]
    known = [strength.get(neuron, np.nan) for neuron in made.neuron_ids.tolist()]
    assert np.isfinite(known).any()
    np.testing.assert_array_equal(row, known)
