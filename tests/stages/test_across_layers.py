"""`visualize` with an ordered graph, influence and interventions: it reads those that are up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.real_runs import Runner, overrides

from glasso_cli.across.disagreement import disagreements
from glasso_cli.artifacts import Influence, Interventions, OrderedGraph
from glasso_cli.artifacts.orientation import is_oriented
from glasso_cli.errors import UpstreamError
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.plots.study import Study

TWO = overrides(collect={"hook_points": ["mlp.0", "mlp.1"]}, visualize={"explorer": False})
ORDERED = overrides(fit={"order": "layers"})
INTERVENE = overrides(intervene={"sources": 3, "stratify": [], "tokens": 120})


def read(study: LayersStudy) -> set[str]:
    """Which of the optional artifacts a study has; all are oriented."""
    found: dict[str, Any] = {name: getattr(study, name) for name in ("ordered", "influence", "interventions")}
    assert all(is_oriented(artifact) for artifact in found.values() if artifact is not None)
    return {name for name, artifact in found.items() if artifact is not None}


def across(studies: list[LayersStudy]) -> list[LayersStudy]:
    """Those of edges across layers."""
    return [study for study in studies if not isinstance(study, Study)]


@pytest.mark.slow
def test_figures_are_drawn_again_where_another_artifact_across_layers_was_made(
    runner: Runner, studies: list[LayersStudy]
) -> None:
    runner.run("collect", "fit", "visualize", set_=TWO)
    assert not across(studies)
    runner.run("fit", "visualize", set_=(*TWO, *ORDERED))
    assert read(across(studies)[-1]) == {"ordered"}
    runner.run("influence", "visualize", set_=(*TWO, *ORDERED))
    assert read(across(studies)[-1]) == {"ordered", "influence"}
    graphs = len(studies) - len(across(studies))
    runner.run("intervene", "visualize", set_=(*TWO, *ORDERED, *INTERVENE))
    assert read(across(studies)[-1]) == {"ordered", "influence", "interventions"}
    assert len(studies) - len(across(studies)) == graphs, "the graph is drawn again, though it is what it was"
    drawn = len(studies)
    runner.run("visualize", set_=(*TWO, *ORDERED, *INTERVENE))
    assert len(studies) == drawn
    runner.run("fit", "visualize", set_=TWO)
    assert read(across(studies)[-1]) == {"influence"}


@pytest.mark.slow
def test_edges_across_layers_are_drawn_without_a_graph(runner: Runner) -> None:
    asked = (*TWO, *INTERVENE, *overrides(influence={"min_effect": 0.0, "fdr": 0.9}))
    runner.run("collect", "influence", "intervene", "audit", "visualize", set_=asked)
    drawn = {path.name for path in Path("out/figures/words.layers").iterdir()}
    assert {"layers.png", "effects.png", "audit.png", "edges_across_layers.csv"} <= drawn
    assert not Path("out/figures/words").exists()
    said = runner.said()
    assert "explorer words: left out, since it needs `glasso fit c.yaml` first" not in said
    assert "visualize words: left out, since it needs `glasso fit c.yaml` first" in said


@pytest.mark.slow
def test_sources_are_drawn_where_association_and_influence_disagree(runner: Runner) -> None:
    asked = (*TWO, *ORDERED, *overrides(intervene={"sources": 4, "stratify": ["disagreement"], "tokens": 120}))
    runner.run("collect", "fit", set_=asked)
    with pytest.raises(UpstreamError, match=r"intervene reads out/influence/words\.npz, which is not up to date"):
        runner.run("intervene", set_=asked)
    runner.run("influence", "intervene", set_=asked)
    first = Interventions.load(Path("out/intervene/words.npz"))
    read = first.meta["material"]["inputs"]
    assert set(read["upstream"]) == {"collect", "fit", "influence"}
    assert "ordered" in read
    counts = disagreements(
        OrderedGraph.load(Path("out/fit/words.ordered.npz")), Influence.load(Path("out/influence/words.npz"))
    )
    ids = [name for name in counts if name.startswith("layers.0.")]
    levels = {name: tuple(np.sign(counts[name]).tolist()) for name in ids}
    assert first.source_weights.sum() == pytest.approx(len(ids))
    assert len({levels[name] for name in first.source_ids.tolist()}) == min(4, len(set(levels.values())))
    runner.said()
    runner.run("intervene", set_=asked)
    assert "intervene words: up to date" in runner.said()
    runner.run("intervene", set_=(*TWO, *ORDERED, *INTERVENE))
    read = Interventions.load(Path("out/intervene/words.npz")).meta["material"]["inputs"]
    assert set(read["upstream"]) == {"collect"}
    assert "ordered" not in read
