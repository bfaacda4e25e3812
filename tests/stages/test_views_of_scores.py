"""`visualize` with structure, scores and pathways: it reads those that are up to date."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.real_runs import Runner, overrides

from glasso_cli.artifacts.manifest import stored_meta
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
NAMES = ("structure", "scores", "pathways")


def read(study: Study) -> set[str]:
    return {name for name in NAMES if getattr(study, name) is not None}


def key() -> str:
    return str(stored_meta(Path("out/figures/words/figures.json"))["key"])


@pytest.mark.slow
def test_figures_are_drawn_again_where_scores_were_made(runner: Runner, studies: list[Study]) -> None:
    runner.run("collect", "fit", "influence", "visualize", set_=LAYERS)
    assert read(studies[-1]) == set()
    plain = key()
    runner.run("structure", "visualize", set_=(*LAYERS, *STRUCTURE))
    assert read(studies[-1]) == {"structure"}
    assert key() != plain
    runner.run("pathways", "score", "visualize", set_=(*LAYERS, *STRUCTURE, *PATHWAYS, *SCORE))
    assert read(studies[-1]) == set(NAMES)
    drawn = len(studies)
    runner.run("visualize", set_=(*LAYERS, *STRUCTURE, *PATHWAYS, *SCORE))
    assert len(studies) == drawn
    runner.said()
    runner.run("visualize", set_=(*LAYERS, *overrides(structure={"subsets": 3}), *overrides(pathways={"count": 9})))
    assert read(studies[-1]) == set()
    assert "structure/words.npz is not up to date and is left out" in runner.said()
    for name in NAMES:
        Path("out", name.removesuffix("s") if name == "scores" else name, "words.npz").unlink(missing_ok=True)
    runner.run("visualize", set_=LAYERS)
    assert key() == plain
