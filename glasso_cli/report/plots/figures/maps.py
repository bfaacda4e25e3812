"""Two graphs and their difference as three matrices, neurons in one order, colours on one scale."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.report.plots.contrast import Contrast
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.binning import Cells, bin_entries, factor_for, limit_of
from glasso_cli.report.plots.parts.glyphs import drawable
from glasso_cli.report.plots.parts.sheet import Box, Sheet, draw_image, mark_communities, runs_of, signed_image
from glasso_cli.report.words.labels import count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANEL = 4.2  # inches
_GAP = 0.75
_LEFT = 0.8
_STRIP, _TITLE = 0.4, 0.25
_SMALLEST_CELL = 0.019  # inches: a dot that the eye finds on white


def pictures(contrast: Contrast) -> Iterator[style.Picture]:
    """A | B | B - A."""
    dpi = contrast.section.dpi
    factor, zoom = factor_for(contrast.p, round(_PANEL * dpi), max(1, round(_SMALLEST_CELL * dpi)))
    parts = _entries(contrast)
    limit = limit_of(np.concatenate([values for _, values in parts.values()]))
    cells = {name: _cells(contrast, where, values, factor) for name, (where, values) in parts.items()}
    yield style.Picture("maps", _draw(contrast, cells, limit, zoom), _alt(contrast), _table(cells))


def _entries(contrast: Contrast) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The title of every panel, which pairs it shows and their values."""
    comparison, (a, b) = contrast.comparison, contrast.names
    differs = comparison.differential
    return {
        f"A: {a}, {count(int(comparison.drawn_a.sum()), 'edge')}": (
            comparison.drawn_a,
            comparison.rho_a[comparison.drawn_a],
        ),
        f"B: {b}, {count(int(comparison.drawn_b.sum()), 'edge')}": (
            comparison.drawn_b,
            comparison.rho_b[comparison.drawn_b],
        ),
        f"B − A, {count(int(differs.sum()), 'pair')} that differ": (
            differs,
            comparison.rho_b[differs] - comparison.rho_a[differs],
        ),
    }


def _cells(contrast: Contrast, where: np.ndarray, values: np.ndarray, factor: int) -> Cells:
    rows, cols = (contrast.position[ends[where]] for ends in (contrast.comparison.rows, contrast.comparison.cols))
    return bin_entries(rows, cols, values, contrast.p, factor)


def _draw(contrast: Contrast, cells: dict[str, Cells], limit: float, zoom: int) -> Figure:
    dpi = contrast.section.dpi
    side = next(iter(cells.values())).size * zoom
    width = _LEFT + 3 * side / dpi + 2 * _GAP + 1.3
    note = (
        "Partial correlations without the penalty's bias. Neurons are ordered by the communities of A; white: no edge, or no "
        f"difference. All three share one scale of colours, up to ±{limit:.3f}. {contrast.doubt}"
    )
    headline = f"What {contrast.names[1]} changes against {contrast.names[0]}"
    page = style.page(contrast, headline, note, (max(width, 8.5), _STRIP + _TITLE + side / dpi), auto=False, signs=True)
    sheet = Sheet.of(page.figure, dpi)
    runs = runs_of(contrast.comparison.communities_a[contrast.order])
    top = sheet.pixels(page.top) - sheet.pixels(_STRIP + _TITLE)
    for number, (title, panel) in enumerate(cells.items()):
        box = Box(sheet.pixels(_LEFT) + number * (side + sheet.pixels(_GAP)), top - side, side, side)
        axes = sheet.axes(box)
        draw_image(axes, signed_image(panel.peak, limit), panel.size * panel.factor)
        mark_communities(sheet, axes, box, runs)
        w, h = sheet.figure.get_size_inches() * sheet.dpi
        sheet.figure.text(box.x / w, (top + sheet.pixels(0.42)) / h, drawable(title), fontsize=10, weight="bold")
    _colour_bar(sheet, limit, Box(box.x + side + sheet.pixels(0.25), top - side, sheet.pixels(0.16), side))
    return sheet.figure


def _colour_bar(sheet: Sheet, limit: float, box: Box) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    axes = sheet.axes(Box(box.x, box.y + box.height // 4, box.width, box.height // 2))
    bar = sheet.figure.colorbar(
        ScalarMappable(Normalize(-limit, limit), style.signed_colours()), cax=axes, extend="both"
    )
    bar.set_label("partial correlation (blue +, red −)", fontsize=8.5)
    bar.ax.tick_params(labelsize=8)


def _alt(contrast: Contrast) -> str:
    comparison, (a, b) = contrast.comparison, contrast.names
    return (
        f"Three matrices of {count(contrast.p, 'neuron')} ({contrast.title}): the "
        f"{count(int(comparison.drawn_a.sum()), 'edge')} of {a}, the {int(comparison.drawn_b.sum()):,} of {b}, and the "
        f"{count(int(comparison.differential.sum()), 'pair')} that differ."
    )


def _table(cells: dict[str, Cells]) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {name: [] for name in ("panel", "row_first", "column_first", "value", "entries")}
    for panel, part in zip(("A", "B", "B-A"), cells.values()):
        rows, cols = np.nonzero(np.triu(part.count))
        columns["panel"] += [panel] * len(rows)
        columns["row_first"] += (rows * part.factor).tolist()
        columns["column_first"] += (cols * part.factor).tolist()
        columns["value"] += part.peak[rows, cols].tolist()
        columns["entries"] += part.count[rows, cols].tolist()
    return columns
