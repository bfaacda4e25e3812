"""Community against community: how much partial correlation is between them, and how many of the pairs are edges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.glyphs import drawable
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.labels import community_name, count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 20  # the largest communities
_CELL = 0.31  # inches


@dataclass(frozen=True, eq=False)
class _Matrix:
    """Of the k largest communities; the diagonal is what is inside one."""

    sizes: np.ndarray  # (k,)
    net: np.ndarray  # (k, k) sum of partial correlations
    edges: np.ndarray  # (k, k)
    of: int  # communities there are

    @property
    def strength(self) -> np.ndarray:
        """``net`` per neuron: over the geometric mean of the two sizes, ``(k, k)``."""
        root = np.sqrt(self.sizes)
        return np.asarray(self.net / np.multiply.outer(root, root))

    @property
    def density(self) -> np.ndarray:
        """Edges as a share of the pairs, ``(k, k)``."""
        pairs = np.multiply.outer(self.sizes, self.sizes).astype(float)
        np.fill_diagonal(pairs, self.sizes * (self.sizes - 1) / 2)
        return np.asarray(self.edges / np.maximum(pairs, 1))


def pictures(study: Study) -> Iterator[style.Picture]:
    """Signed strength beside density, the communities with their names."""
    matrix = _matrix(study)
    found = study.community_names[: len(matrix.sizes)]
    names = [drawable(name.text) for name in found]
    side = max(2.6, _CELL * len(matrix.sizes))
    page = style.page(study, _headline(matrix), _note(matrix), (2 * side + 5.4, side + 1.1), signs=True)
    axes = page.figure.subplots(1, 2)
    if not len(matrix.sizes):
        for panel in axes:
            style.empty(panel, "no edges at this α, so no communities")
    else:
        _strength(axes[0], matrix, names)
        _density(axes[1], matrix)
    yield style.Picture(
        "communities", page.figure, _alt(study, matrix), _table(matrix, names, np.array([name.score for name in found]))
    )


def _matrix(study: Study) -> _Matrix:
    communities, (rows, cols, rho) = study.communities, study.edges
    of = int(communities.max(initial=-1)) + 1
    k = min(of, _SHOWN)
    a, b = communities[rows], communities[cols]
    shown = (a >= 0) & (b >= 0) & (a < k) & (b < k)
    low, high = np.minimum(a, b)[shown], np.maximum(a, b)[shown]
    net = np.bincount(low * k + high, rho[shown], minlength=k * k).reshape(k, k)
    edges = np.bincount(low * k + high, minlength=k * k).reshape(k, k)
    sizes = np.bincount(communities[communities >= 0], minlength=k)[:k]
    return _Matrix(sizes, net + np.triu(net, 1).T, edges + np.triu(edges, 1).T, of)


# -- words ------------------------------------------------------------------------------------------


def _headline(matrix: _Matrix) -> str:
    if matrix.of == 1:
        return "One community"
    return f"{matrix.of} communities, and what is between them"


def _note(matrix: _Matrix) -> str:
    words = (
        "Left: the sum of the partial correlations between two communities over the geometric mean of their sizes, blue positive and "
        "red negative, the number being the edges. Right: edges as a share of all pairs. Communities: Leiden on the sizes of "
        "partial correlations. Names: words at which their neurons are strongest more often than those of the others, where they "
        "also tell the communities apart on other documents."
    )
    return words if matrix.of <= _SHOWN else f"{words} The {_SHOWN} largest are shown."


def _alt(study: Study, matrix: _Matrix) -> str:
    words = f"Two matrices of {matrix.of} communities ({study.title})"
    if not len(matrix.sizes):
        return f"{words}: no edges at alpha {study.alpha:.4g}."
    inside = int(np.trace(matrix.edges))
    total = int(np.triu(matrix.edges).sum())
    return (
        f"{words}: {percent(inside / max(1, total))} of the {count(total, 'edge')} shown are inside one; the largest has "
        f"{count(int(matrix.sizes[0]), 'neuron')}."
    )


def _table(matrix: _Matrix, names: list[str], scores: np.ndarray) -> dict[str, Any]:
    a, b = np.triu_indices(len(matrix.sizes))
    return {
        "community_a": [community_name(int(c)) for c in a],
        "community_b": [community_name(int(c)) for c in b],
        "name_a": [names[c] for c in a],
        "name_b": [names[c] for c in b],
        "name_score_a": scores[a],
        "name_score_b": scores[b],
        "neurons_a": matrix.sizes[a],
        "neurons_b": matrix.sizes[b],
        "edges": matrix.edges[a, b],
        "sum_of_partial_correlations": matrix.net[a, b],
        "strength_per_neuron": matrix.strength[a, b],
        "density": matrix.density[a, b],
    }


# -- drawing ----------------------------------------------------------------------------------------


def _strength(axes: Axes, matrix: _Matrix, names: list[str]) -> None:
    import seaborn as sns

    strength = matrix.strength
    limit = float(np.abs(strength).max()) or 1.0
    counts = np.where(matrix.edges > 0, matrix.edges.astype(str), "")
    sns.heatmap(
        np.where(matrix.edges > 0, strength, np.nan), ax=axes, cmap=style.signed_colours(), vmin=-limit, vmax=limit,
        annot=counts, fmt="", annot_kws={"fontsize": 6.5}, square=True, linewidths=0.4, linecolor=style.FAINT,
        xticklabels=False, yticklabels=False, cbar_kws={"label": "per neuron (blue +, red −)", "shrink": 0.6},
    )  # fmt: skip
    axes.set_title("Partial correlation, with its sign")
    _ticks(axes, len(strength))
    titles = [f"{community_name(c)}  {name}".strip() for c, name in enumerate(names)]
    axes.set_yticks(np.arange(len(strength)) + 0.5, titles)


def _density(axes: Axes, matrix: _Matrix) -> None:
    import seaborn as sns
    from matplotlib.colors import LogNorm

    density = np.where(matrix.edges > 0, matrix.density, np.nan)
    least, most = float(np.nanmin(density)), float(np.nanmax(density))
    sns.heatmap(
        density, ax=axes, cmap=style.count_colours(), norm=LogNorm(least * 0.9, most * 1.1), square=True, linewidths=0.4,
        linecolor=style.FAINT, xticklabels=False, yticklabels=False,
        cbar_kws={"label": "edges as a share of pairs", "shrink": 0.6},
    )  # fmt: skip
    style.plain_log(axes.collections[0].colorbar.ax.yaxis)
    axes.set_title("Density")
    _ticks(axes, len(density))


def _ticks(axes: Axes, communities: int) -> None:
    """Names of communities below a matrix; seaborn would measure each of them to see whether it turns them."""
    axes.set_xticks(np.arange(communities) + 0.5, [community_name(c) for c in range(communities)])
    axes.tick_params(axis="both", length=0, labelsize=7.5, rotation=0)
    axes.tick_params(axis="x", rotation=90 if len(axes.get_xticks()) > 12 else 0)
