"""The heat map's cells against the dense matrix, and its pixels against its cells."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.studies import random_edges

from glasso_cli.report.plots.figures import heatmap
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.binning import bin_entries, factor_for, limit_of
from glasso_cli.report.plots.parts.sheet import runs_of, signed_image
from glasso_cli.report.plots.study import Study


def dense_cells(
    rows: np.ndarray, cols: np.ndarray, values: np.ndarray, size: int, factor: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same cells from the full matrix, block by block."""
    matrix = np.zeros((size, size))
    matrix[rows, cols] = matrix[cols, rows] = values
    edges = range(0, size, factor)
    blocks = [[matrix[i : i + factor, j : j + factor] for j in edges] for i in edges]
    peak = [[max(b.ravel(), key=lambda v: (abs(v), v)) for b in line] for line in blocks]
    count = [[np.count_nonzero(b) for b in line] for line in blocks]
    mixed = [[b.min() < 0 < b.max() for b in line] for line in blocks]
    return np.array(peak), np.array(count), np.array(mixed)


@settings(max_examples=60, deadline=None)
@given(size=st.integers(2, 40), edges=st.integers(0, 120), factor=st.integers(1, 50), seed=st.integers(0, 99))
def test_cells_are_those_of_the_dense_matrix(size: int, edges: int, factor: int, seed: int) -> None:
    rows, cols, values = random_edges(size, edges, seed)
    values = np.round(values, 1)  # ties between signs
    values[values == 0] = 0.1
    cells = bin_entries(rows, cols, values, size, factor)
    peak, count, mixed = dense_cells(rows, cols, values, size, factor)
    np.testing.assert_array_equal(cells.peak, peak)
    np.testing.assert_array_equal(cells.count, count)
    np.testing.assert_array_equal(cells.mixed, mixed)


def test_a_single_strong_edge_survives_any_factor() -> None:
    rows, cols, values = random_edges(5000, 20_000)
    values[123] = -0.93
    for factor in (7, 14, 5000):
        cells = bin_entries(rows, cols, values, 5000, factor)
        assert cells.peak.min() == -0.93
        assert cells.count.sum() == 2 * len(values)


@given(size=st.integers(1, 20_000), pixels=st.integers(50, 2000), smallest=st.integers(1, 9))
def test_cells_fit_into_the_pixels(size: int, pixels: int, smallest: int) -> None:
    factor, zoom = factor_for(size, pixels, smallest)
    cells = -(-size // factor)
    assert cells * zoom <= pixels
    assert zoom >= smallest
    assert cells * factor >= size


def test_the_limit_is_a_percentile_of_the_nonzero_magnitudes() -> None:
    values = np.concatenate([np.zeros(5000), np.linspace(-1, 1, 1001)])
    assert limit_of(values) == pytest.approx(np.quantile(np.abs(values[values != 0]), 0.995))
    assert limit_of(np.zeros(4)) == 1.0


def test_runs_cover_every_position_once() -> None:
    runs = runs_of(np.array([0, 0, 0, 1, 1, -1, -1]))
    assert [(run.community, run.first, run.stop) for run in runs] == [(0, 0, 3), (1, 3, 5), (-1, 5, 7)]


# -- pixels -------------------------------------------------------------------------------------------


def rendered_matrix(study: Study) -> np.ndarray:
    """What the axes of the matrix hold in the finished file, ``(side, side, 3)``."""
    from PIL import Image

    study.fit.communities[:] = -1  # no frames around communities
    with style.look():
        (picture,) = heatmap.pictures(study)
        file = io.BytesIO()
        picture.figure.savefig(file, format="png")
        left, bottom, right, top = picture.figure.axes[0].bbox.extents.round().astype(int)
    page = np.asarray(Image.open(file).convert("RGB")).astype(int)
    return page[len(page) - top : len(page) - bottom, left:right]


@pytest.mark.slow
@pytest.mark.parametrize("dpi", [50, 97, 160])
@pytest.mark.parametrize("p", [90, 700])
def test_every_cell_is_a_whole_number_of_pixels_in_its_colour(
    make_study: Callable[..., Study], p: int, dpi: int
) -> None:
    study = make_study(p, 8 * p, sizes=(8 * p,), section={"dpi": dpi})
    found = rendered_matrix(study)
    factor = 1 if p == 90 else -(-p // (round(heatmap._PANEL * dpi) // max(1, round(heatmap._SMALLEST_CELL * dpi))))
    rows, cols, rho = study.edges
    cells = bin_entries(study.position[rows], study.position[cols], rho, p, factor)
    image = signed_image(cells.peak, limit_of(rho))[:, :, :3].astype(int)
    if p == 90:
        image[np.arange(p), np.arange(p)] = 0xD9  # the diagonal, left out
    zoom, rest = divmod(len(found), cells.size)
    assert rest == 0
    expected = image.repeat(zoom, axis=0).repeat(zoom, axis=1)
    inside = slice(2, -2)  # of the border line
    assert np.abs(found - expected)[inside, inside].max() <= 1  # rounding of a colour to a byte
