"""The studies that `visualize` would draw, without the drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from glasso_cli.report import drawing
from glasso_cli.report.plots.layers_study import LayersStudy


@pytest.fixture
def studies(monkeypatch: pytest.MonkeyPatch) -> list[LayersStudy]:
    """The studies of all corpora that are drawn, of graphs and of edges across layers, one after the other."""
    seen: list[LayersStudy] = []

    def keep(files: drawing.Files, *rest: Any) -> list[Path]:
        subject = files.read()
        if isinstance(subject, LayersStudy):
            seen.append(subject)
        return []

    monkeypatch.setattr(drawing, "draw_all", keep)
    return seen
