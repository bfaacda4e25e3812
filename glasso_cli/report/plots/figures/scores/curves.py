"""Deletion and insertion curves of all rankings, with intervals over documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.inference.ablation_curves import Curves, document_weights
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.scored import Scored, called

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which those who see colours otherwise can tell apart; baselines are grey, each with its own dashes.
_COLOURS = ("#D55E00", "#E69F00", "#0072B2", "#56B4E9", "#009E73", "#CC79A7")
_BASELINES = {"write_norm": "-", "mean_abs": "--", "random": ":", "matched": "-."}


def pictures(scored: Scored) -> Iterator[style.Picture]:
    """One picture for each kind of ablation."""
    scores = scored.scores
    for number, kind in enumerate(scores.ablations.tolist()):
        curves = Curves(
            scores.shares, scores.clean, scores.everything[number], scores.deletion[number], scores.insertion[number]
        )
        heights = curves.heights(document_weights(len(scores.clean), 0))
        yield _picture(scored, number, kind, heights)


def _picture(scored: Scored, number: int, kind: str, heights: tuple[np.ndarray, np.ndarray]) -> style.Picture:
    scores = scored.scores
    new = "their values in other documents" if kind == "resample" else "their means"
    note = (
        f"Ablated neurons get {new}. Bands are 95 % intervals over documents. Left: the higher, the more of the damage comes from the "
        "first neurons. Right: the higher, the more of the scalar the first neurons keep alone."
    )
    page = style.page(
        scored, "What the output loses without the first neurons, and keeps with them alone", note, (10, 4.6)
    )
    left, right = page.figure.subplots(1, 2, sharex=True)
    titles = ("Deletion: share of the damage of ablating all", "Insertion: share of the scalar that is left")
    for axes, values, title in zip((left, right), heights, titles):
        _draw(axes, scored, values, title)
    page.figure.legend(*left.get_legend_handles_labels(), loc="outside right center")
    columns = _table(scored, heights)
    area = scores.area_names.tolist().index("deletion_log")
    words = ", ".join(
        f"{called(name)} {scores.areas[number, row, area]:.2f}" for row, name in enumerate(scores.rankings.tolist())
    )
    alt = f"Curves of deletion and insertion over shares of the neurons ({scored.title}). Areas of deletion over log k: {words}."
    return style.Picture(f"curves-{kind}", page.figure, alt, columns)


def _draw(axes: Axes, scored: Scored, heights: np.ndarray, title: str) -> None:
    """``heights (W, S, K)``: the first row is of all documents, further ones are bootstrap samples."""
    shares = scored.scores.shares
    colours = iter(_COLOURS * 4)
    low, high = np.quantile(heights[1:], [0.025, 0.975], axis=0)
    for row, name in enumerate(scored.scores.rankings.tolist()):
        baseline = _BASELINES.get(name)
        colour = "#8A8A8A" if baseline else next(colours)
        axes.fill_between(shares, low[row], high[row], color=colour, alpha=0.12, linewidth=0)
        axes.plot(
            shares,
            heights[0, row],
            baseline or "-",
            color=colour,
            label=called(name),
            linewidth=1.2 if baseline else 1.8,
        )
    axes.axhline(0, color=style.FAINT, linewidth=0.8)
    axes.axhline(1, color=style.FAINT, linewidth=0.8)
    top = max(1.1, float(heights[0].max()) * 1.05)
    axes.set(
        xscale="log", title=title, xlabel="share of the neurons", ylim=(min(-0.1, float(heights[0].min()) * 1.05), top)
    )
    style.plain_log(axes.xaxis)


def _table(scored: Scored, heights: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
    scores = scored.scores
    kinds, rows, places = np.meshgrid(
        np.arange(2), np.arange(len(scores.rankings)), np.arange(len(scores.shares)), indexing="ij"
    )
    both = np.stack(heights)
    low, high = np.quantile(both[:, 1:], [0.025, 0.975], axis=1)
    at = (kinds.ravel(), rows.ravel(), places.ravel())
    return {
        "curve": np.array(["deletion", "insertion"])[at[0]],
        "ranking": scores.rankings[at[1]],
        "share": scores.shares[at[2]],
        "height": both[:, 0][at],
        "low": low[at],
        "high": high[at],
    }
