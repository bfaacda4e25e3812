"""The partial correlations as a matrix, neurons ordered by community."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.graph import colours
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.binning import Cells, bin_entries, factor_for, limit_of
from glasso_cli.report.plots.parts.glyphs import drawable
from glasso_cli.report.plots.parts.sheet import (
    Box,
    Run,
    Sheet,
    count_image,
    count_scale,
    draw_image,
    frame,
    mark_communities,
    runs_of,
    signed_image,
)
from glasso_cli.report.plots.study import Edges, Study
from glasso_cli.report.words.labels import count, percent, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LARGEST_EXACT = 500  # neurons; above, pairs share cells and a count stands beside
_PANEL = 7.0  # inches
_SIDE = 3.6  # inches, the panel of counts
_STRIP, _TITLE = 0.4, 0.25  # inches above a panel: the strip of communities, and its title
_LARGEST_CELL = 0.4  # inches
_SMALLEST_CELL = 0.019  # inches, where pairs share cells: a dot that the eye finds on white
_LARGEST_NAMED = 40  # neurons whose names stand at the axes
_COARSE = 90  # cells per side in the panel of counts


@dataclass(frozen=True, eq=False)
class _Matrix:
    """What is drawn of the first ``p`` neurons: edges by position in the order, their cells, the colour limit, the communities."""

    p: int
    edges: Edges
    cells: Cells
    limit: float
    runs: list[Run]

    @property
    def strongest(self) -> float:
        return float(self.edges.rho[0]) if len(self.edges.rho) else 0.0


def pictures(study: Study) -> Iterator[style.Picture]:
    """The heat map: exact with seaborn up to 500 neurons, binned with a panel of counts above."""
    dpi = study.section.dpi
    pixels = round(_PANEL * dpi)
    p = _shown(study)
    exact = p <= min(LARGEST_EXACT, pixels)
    smallest = 1 if exact else max(1, round(_SMALLEST_CELL * dpi))
    factor, zoom = factor_for(p, pixels, smallest)
    matrix = _matrix(study, p, factor)
    draw = _exact if exact else _binned
    figure = draw(study, matrix, min(zoom, round(_LARGEST_CELL * dpi)))
    yield style.Picture("heatmap", figure, _alt(study, matrix), _table(matrix.cells, p))


def _shown(study: Study) -> int:
    """How many neurons are drawn, in their order: those without an edge are left out where they are more than half."""
    rows, cols, _ = study.edges
    connected = 1 + max(int(study.position[ends].max(initial=-1)) for ends in (rows, cols))
    return connected if 0 < 2 * connected < study.p else study.p


def _matrix(study: Study, p: int, factor: int) -> _Matrix:
    rows, cols, rho = study.edges
    edges = Edges(study.position[rows], study.position[cols], rho)
    cells = bin_entries(*edges, p, factor)
    return _Matrix(p, edges, cells, limit_of(rho), runs_of(study.communities[study.order[:p]]))


# -- words --------------------------------------------------------------------------------------------


def _note(study: Study, matrix: _Matrix) -> str:
    cells = matrix.cells
    words = [
        "Neurons are ordered by community (C1 is the largest), inside a community by strength; "
        + (
            "isolated neurons come last."
            if matrix.p == study.p
            else f"{count(study.p - matrix.p, 'isolated neuron')} are left out."
        )
        + " White: no edge that passes."
    ]
    if cells.factor == 1:
        words.append("Grey: the diagonal, left out.")
    if study.n_edges:
        clipped = abs(matrix.strongest) > matrix.limit
        words.append(
            f"Colours end at ±{matrix.limit:.3f}, the 99.5th percentile of the nonzero magnitudes"
            + (f"; the strongest is {signed(matrix.strongest)}." if clipped else ".")
        )
    if cells.factor > 1:
        mixed = cells.mixed.sum() / max(1, np.count_nonzero(cells.count))
        words.append(
            f"A cell of the large panel is {cells.factor} × {cells.factor} pairs and shows the "
            f"strongest of them with its sign; {percent(float(mixed))} of the occupied cells hold both signs."
        )
    return " ".join(words)


def _alt(study: Study, matrix: _Matrix) -> str:
    rho = study.edges.rho
    edges = f"{count(len(rho), 'edge')}"
    if len(rho):
        positive = np.count_nonzero(rho > 0) / len(rho)
        edges += f", {percent(positive)} of them positive, the strongest {signed(matrix.strongest)}"
    communities = int(study.communities.max(initial=-1)) + 1
    return (
        f"Heat map of the partial correlations of {count(study.p, 'neuron')} ({study.title}) at "
        f"alpha {study.alpha:.4g}: {edges}; ordered by {communities} communities."
    )


def _table(cells: Cells, p: int) -> dict[str, Any]:
    rows, cols = np.nonzero(np.triu(cells.count))
    return {
        "row_first": rows * cells.factor,
        "row_last": np.minimum((rows + 1) * cells.factor, p) - 1,
        "column_first": cols * cells.factor,
        "column_last": np.minimum((cols + 1) * cells.factor, p) - 1,
        "partial_correlation": cells.peak[rows, cols],
        "entries": cells.count[rows, cols],
        "both_signs": cells.mixed[rows, cols].astype(int),
    }


# -- drawing ------------------------------------------------------------------------------------------


def _sheet(study: Study, matrix: _Matrix, width: float, panel: float, head: float) -> tuple[Sheet, int]:
    """A sheet for panels of ``panel`` inches with ``head`` above, and their upper end in pixels from below."""
    some = "" if matrix.p == study.p else f"{matrix.p:,} of "
    headline = f"Partial correlations between {some}{count(study.p, 'neuron')}"
    page = style.page(study, headline, _note(study, matrix), (width, head + panel), auto=False, signs=True)
    sheet = Sheet.of(page.figure, study.section.dpi)
    return sheet, sheet.pixels(page.top) - sheet.pixels(head)


def _exact(study: Study, matrix: _Matrix, zoom: int) -> Figure:
    """Every pair a square of ``zoom`` pixels, drawn with seaborn."""
    import seaborn as sns

    side = matrix.p * zoom
    inches = side / study.section.dpi
    named = matrix.p <= _LARGEST_NAMED
    left, foot = (1.6, 1.2) if named else (1.0, 0.1)
    width, panel = max(left + inches + 1.6, 8.5), max(inches + foot, 2.2)
    sheet, top = _sheet(study, matrix, width, panel, _STRIP)
    box = Box(sheet.pixels(left), top - side, side, side)
    axes = sheet.axes(box)
    sns.heatmap(
        np.where(matrix.cells.peak == 0, np.nan, matrix.cells.peak),
        ax=axes,
        cmap=style.signed_colours(),
        vmin=-matrix.limit,
        vmax=matrix.limit,
        cbar=False,
        xticklabels=False,
        yticklabels=False,
        rasterized=True,
    )
    _mask_diagonal(axes, matrix.p)
    frame(axes, matrix.p)
    mark_communities(sheet, axes, box, matrix.runs)
    if named:
        _name_neurons(sheet, axes, study, matrix.p)
    _colour_bar(sheet, matrix, box)
    if not study.n_edges:
        axes.set_title("no edges at this α", fontsize=9, color=style.MUTED, y=1.02, pad=22)
    return sheet.figure


def _mask_diagonal(axes: Axes, p: int) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    squares = [Rectangle((i, i), 1, 1) for i in range(p)]
    grey = {"facecolor": style.FAINT, "edgecolor": "none", "antialiased": False}
    axes.add_collection(PatchCollection(squares, rasterized=True, **grey))


def _name_neurons(sheet: Sheet, axes: Axes, study: Study, p: int) -> None:
    names = [drawable(study.labels[neuron]) for neuron in study.order[:p]]
    middle = np.arange(p) + 0.5
    axes.set_xticks(middle, names, rotation=90, fontsize=7)
    axes.set_yticks(middle, names, rotation=0, fontsize=7)
    axes.tick_params(axis="x", length=2)
    axes.tick_params(axis="y", length=0, pad=30)  # beyond the strip and the names of communities


def _binned(study: Study, matrix: _Matrix, zoom: int) -> Figure:
    """Cells of whole pixels; beside them how many edges there are, and how strong."""
    dpi, cells = study.section.dpi, matrix.cells
    coarse = bin_entries(*matrix.edges, matrix.p, -(-matrix.p // _COARSE))
    side = cells.size * zoom
    small = coarse.size * max(1, round(_SIDE * dpi) // coarse.size)
    width = (side + small) / dpi + 3.7
    sheet, top = _sheet(study, matrix, width, side / dpi, _STRIP + _TITLE)
    box = Box(sheet.pixels(1.0), top - side, side, side)
    axes = sheet.axes(box)
    draw_image(axes, signed_image(cells.peak, matrix.limit), cells.size * cells.factor)
    mark_communities(sheet, axes, box, matrix.runs)
    _colour_bar(sheet, matrix, box)
    _headed(sheet, box, "The strongest edge of each cell")

    beside = Box(box.x + side + sheet.pixels(2.1), top - small, small, small)
    density = sheet.axes(beside)
    scale = count_scale(coarse.count)
    draw_image(density, count_image(coarse.count, scale), coarse.size * coarse.factor)
    mark_communities(sheet, density, beside, matrix.runs)
    _count_bar(sheet, scale, coarse, beside)
    _headed(sheet, beside, "How many edges")
    floor, ceiling = box.y + sheet.pixels(0.42), beside.y - sheet.pixels(1.2)
    if ceiling - floor > sheet.pixels(0.8):
        _strengths(sheet, matrix, Box(beside.x, floor, small, ceiling - floor))
    return sheet.figure


def _headed(sheet: Sheet, box: Box, title: str) -> None:
    _, height = sheet.figure.get_size_inches() * sheet.dpi
    width = sheet.figure.get_size_inches()[0] * sheet.dpi
    y = box.y + box.height + sheet.pixels(0.42)
    sheet.figure.text(box.x / width, y / height, title, fontsize=10, weight="bold")


def _colour_bar(sheet: Sheet, matrix: _Matrix, box: Box) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    height = min(max(box.height, sheet.pixels(1.5)), sheet.pixels(3.2))
    top = box.y + box.height
    axes = sheet.axes(Box(box.x + box.width + sheet.pixels(0.25), top - height, sheet.pixels(0.16), height))
    scale = ScalarMappable(Normalize(-matrix.limit, matrix.limit), style.signed_colours())
    extend = "both" if abs(matrix.strongest) > matrix.limit else "neither"
    bar = sheet.figure.colorbar(scale, cax=axes, extend=extend, extendfrac=0.04)
    bar.set_label("partial correlation (blue +, red −)", fontsize=8.5)
    bar.ax.tick_params(labelsize=8)


def _count_bar(sheet: Sheet, scale: Any, cells: Cells, box: Box) -> None:
    axes = sheet.axes(Box(box.x, box.y - sheet.pixels(0.25), box.width, sheet.pixels(0.14)))
    bar = sheet.figure.colorbar(scale, cax=axes, orientation="horizontal")
    style.plain_log(bar.ax.xaxis)
    bar.ax.tick_params(labelsize=8)
    bar.set_label(f"edges in a cell of {cells.factor} × {cells.factor} pairs", fontsize=8.5)


def _strengths(sheet: Sheet, matrix: _Matrix, box: Box) -> None:
    """Histograms of both signs, over each other."""
    import seaborn as sns

    axes = sheet.axes(box)
    rho = matrix.edges.rho
    for values, colour, name in (
        (rho[rho > 0], colours.POSITIVE, "positive"),
        (-rho[rho < 0], colours.NEGATIVE, "negative"),
    ):
        sns.histplot(
            x=values, ax=axes, bins=40, binrange=(0, abs(matrix.strongest)), element="step",
            fill=False, color=colour, linestyle="-" if name == "positive" else "--",
            label=count(len(values), f"{name} edge"),
        )  # fmt: skip
    axes.set(yscale="log", xlabel="|partial correlation|", ylabel="edges", xlim=(0, None))
    axes.set_title("How strong they are")
    style.plain_log(axes.yaxis)
    axes.legend()
