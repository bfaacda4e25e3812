"""The pictures: ``PLOTS`` names each one's module, whose ``pictures(study)`` draws it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glasso_cli.plots.study import Study

PLOTS: dict[str, str] = {
    name: f"glasso_cli.plots.{name}"
    for name in ("heatmap", "network", "path", "degrees", "diagnostics")
}


def draw(study: Study, folder: Path) -> Iterator[list[Path]]:
    """The files of one picture after the other, written into ``folder``; the tables come first."""
    from matplotlib import pyplot

    from glasso_cli.plots import style, tables

    yield [
        tables.write_table(folder / "edges.csv", tables.edge_table(study)),
        tables.write_table(folder / "neurons.csv", tables.neuron_table(study)),
    ]
    for module in PLOTS.values():
        with style.look():
            for picture in importlib.import_module(module).pictures(study):
                yield style.save(picture, folder, study)
                pyplot.close(picture.figure)
