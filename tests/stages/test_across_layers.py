"""`visualize` with an ordered graph, influence and interventions: it reads those that are up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.real_runs import Runner, overrides

from glasso_cli.artifacts.manifest import stored_meta
from glasso_cli.artifacts.orientation import is_oriented
from glasso_cli.report import plots
from glasso_cli.report.plots.study import Study

TWO = overrides(collect={"hook_points": ["mlp.0", "mlp.1"]}, visualize={"explorer": False})
ORDERED = overrides(fit={"order": "layers"})
INTERVENE = overrides(intervene={"sources": 3, "stratify": [], "tokens": 120})


@pytest.fixture
def studies(monkeypatch: pytest.MonkeyPatch) -> list[Study]:
    """The studies that are drawn, without the drawing."""
    seen: list[Study] = []

    def keep(study: Study, folder: Path) -> list[list[Path]]:
        seen.append(study)
        return []

    monkeypatch.setattr(plots, "draw", keep)
    return seen


def read(study: Study) -> set[str]:
    """Which of the optional artifacts a study has; all are oriented."""
    found: dict[str, Any] = {name: getattr(study, name) for name in ("ordered", "influence", "interventions")}
    assert all(is_oriented(artifact) for artifact in found.values() if artifact is not None)
    return {name for name, artifact in found.items() if artifact is not None}


@pytest.mark.slow
def test_figures_are_drawn_again_where_another_artifact_across_layers_was_made(
    runner: Runner, studies: list[Study]
) -> None:
    runner.run("collect", "fit", "visualize", set_=TWO)
    assert read(studies[-1]) == set()
    plain = stored_meta(Path("out/figures/words/figures.json"))["key"]
    runner.run("fit", "visualize", set_=(*TWO, *ORDERED))
    assert read(studies[-1]) == {"ordered"}
    assert stored_meta(Path("out/figures/words/figures.json"))["key"] != plain
    runner.run("influence", "visualize", set_=(*TWO, *ORDERED))
    assert read(studies[-1]) == {"ordered", "influence"}
    runner.run("intervene", "visualize", set_=(*TWO, *ORDERED, *INTERVENE))
    assert read(studies[-1]) == {"ordered", "influence", "interventions"}
    drawn = len(studies)
    runner.run("visualize", set_=(*TWO, *ORDERED, *INTERVENE))
    assert len(studies) == drawn
    runner.run("fit", "visualize", set_=TWO)
    assert read(studies[-1]) == {"influence"}
