"""`visualize` with structure, scores and pathways: it reads those that are up to date."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.real_runs import Runner, overrides

from glasso_cli.artifacts.manifest import stored_meta
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.plots.study import Study

LAYERS = overrides(
    collect={"hook_points": ["mlp.0", "mlp.1", "mlp.2"]},
    influence={"min_effect": 0.0, "fdr": 0.9},
    visualize={"explorer": False},
)
STRUCTURE = overrides(structure={"subsets": 2})
PATHWAYS = overrides(pathways={"count": 8})
SCORE = overrides(
    score={
        "hook_points": ["mlp.0", "mlp.1"], "forms": ["plain"], "tokens": 150, "held_out": 100, "top": 2, "sample": 2,
        "draws": 1, "shares": [0.1, 1.0],
    }
)  # fmt: skip


def key() -> str:
    return str(stored_meta(Path("out/figures/words/figures.json"))["key"])


@pytest.mark.slow
def test_figures_are_drawn_again_where_scores_were_made(runner: Runner, studies: list[LayersStudy]) -> None:
    def graph() -> Study:
        return [study for study in studies if isinstance(study, Study)][-1]

    def across() -> LayersStudy:
        return [study for study in studies if not isinstance(study, Study)][-1]

    runner.run("collect", "fit", "influence", "visualize", set_=LAYERS)
    assert graph().structure is None
    assert across().pathways is None
    plain = key()
    runner.run("structure", "visualize", set_=(*LAYERS, *STRUCTURE))
    assert graph().structure is not None
    assert key() != plain
    runner.run("pathways", "score", "visualize", set_=(*LAYERS, *STRUCTURE, *PATHWAYS, *SCORE))
    assert across().pathways is not None
    drawn = len(studies)
    runner.run("visualize", set_=(*LAYERS, *STRUCTURE, *PATHWAYS, *SCORE))
    assert len(studies) == drawn
    runner.said()
    runner.run("visualize", set_=(*LAYERS, *overrides(structure={"subsets": 3}), *overrides(pathways={"count": 9})))
    assert graph().structure is None
    assert across().pathways is None
    assert "structure/words.npz is not up to date and is left out" in runner.said()
    for name in ("structure", "score", "pathways"):
        Path("out", name, "words.npz").unlink(missing_ok=True)
    runner.run("visualize", set_=LAYERS)
    assert key() == plain
