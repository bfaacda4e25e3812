"""Show a graph in a terminal: how many edges the neurons have, and the strongest edges."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.artifacts import Audit, Influence, OrderedGraph, Pathways, PrecisionPath, Scores, Structure
from glasso_cli.artifacts.manifest import stored_meta
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.cli.showing.audit_tables import full_tables
from glasso_cli.cli.showing.score_preview import preview_scores
from glasso_cli.cli.showing.structure_preview import preview_pathways, preview_structure
from glasso_cli.graph.sums import degrees

if TYPE_CHECKING:
    from rich.console import RenderableType

_LISTED = 10
_BAR = 36  # cells
_NAME = r'"((?:[^"\\]|\\.)*)"'
_NODE = re.compile(rf"\s*{_NAME} \[")
_EDGE = re.compile(
    rf"\s*{_NAME} (?:--|->) {_NAME} \[.*?\b(?:partial_correlation|change|influence|coefficient|slope)=([-+.\deE]+)"
)
_ESCAPE = re.compile(r"\\(.)")
_UNESCAPED = {"n": "\n", "r": "\r"}


@dataclass(frozen=True, eq=False)
class _Graph:
    names: list[str]
    rows: np.ndarray  # (E,)
    cols: np.ndarray
    values: np.ndarray

    @property
    def degree(self) -> np.ndarray:
        return degrees(len(self.names), self.rows, self.cols)


def preview(path: Path) -> RenderableType | None:
    """Return the degrees and the strongest edges of a fit, an ordered graph, an influence or a .dot file, and the tables of an audit
    and of scores.

    None for any other artifact.
    """
    from rich.console import Group

    kind = None if path.suffix == ".dot" else stored_meta(path)["kind"]
    if kind == Audit.kind:
        return full_tables(Audit.load(path))
    if kind == Scores.kind:
        return preview_scores(Scores.load(path))
    if kind == Structure.kind:
        return Group("", preview_structure(Structure.load(path)))
    if kind == Pathways.kind:
        return Group("", preview_pathways(Pathways.load(path)))
    graph = _graph(path)
    if graph is None:
        return None
    if not len(graph.values):
        return Group("", "  The graph has no edges.")
    return Group("", _degrees(graph), "", _strongest(graph))


def _graph(path: Path) -> _Graph | None:
    if path.suffix == ".dot":
        return _of_dot(path)
    kind = stored_meta(path)["kind"]
    if kind == Influence.kind:
        found = oriented(Influence.load(path))
        ends = (found.sources[found.edge], found.targets[found.edge])
        return _Graph([str(name) for name in found.neuron_ids], *ends, found.mean[found.edge])
    if kind == OrderedGraph.kind:
        graph = oriented(OrderedGraph.load(path))
        sources, targets, _ = (part[graph.kept] for part in graph.edges())
        names = [str(name) for name in graph.neuron_ids]
        return _Graph(names, sources, targets, graph.partial_correlations[graph.kept])
    if kind != PrecisionPath.kind:
        return None
    fit = oriented(PrecisionPath.load(path))
    rows, cols, rho = (part[fit.kept] for part in fit.edges())
    return _Graph([str(name) for name in fit.neuron_ids], rows, cols, rho)


def _of_dot(path: Path) -> _Graph:
    """Read a file that glasso wrote, with one statement per line."""
    index: dict[str, int] = {}
    edges: list[tuple[int, int, float]] = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if edge := _EDGE.match(line):
                ends = (index.setdefault(_text(name), len(index)) for name in edge.groups()[:2])
                edges.append((*ends, float(edge[3])))  # type: ignore[arg-type]
            elif node := _NODE.match(line):
                index.setdefault(_text(node[1]), len(index))
    table = np.array(edges).reshape(-1, 3)
    return _Graph(list(index), table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2])


def _text(quoted: str) -> str:
    return _ESCAPE.sub(lambda match: _UNESCAPED.get(match[1], match[1]), quoted)


# -- words ------------------------------------------------------------------------------------------


def _degrees(graph: _Graph) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("  edges", justify="right")
    table.add_column("neurons", justify="right")
    table.add_column("")
    bins = list(_bins(graph.degree))
    most = max(count for _, count in bins)
    for name, count in bins:
        table.add_row(name, f"{count:,}", Text("█" * max(1 if count else 0, round(_BAR * count / most))))
    return table


def _bins(degree: np.ndarray) -> Iterator[tuple[str, int]]:
    """Yield the number of neurons with no edge, one, two, 3-4, 5-8 edges, and so on."""
    yield "0", int(np.count_nonzero(degree == 0))
    low, high = 1, 1
    while low <= degree.max():
        name = str(low) if low == high else f"{low}-{high}"
        yield name, int(np.count_nonzero((degree >= low) & (degree <= high)))
        low, high = high + 1, 2 * high


def _strongest(graph: _Graph) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    order = np.argsort(-np.abs(graph.values), kind="stable")[:_LISTED]
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("  strongest", justify="right")
    for title in ("neuron", "neuron"):
        table.add_column(title, overflow="fold")
    for place in order.tolist():
        value = float(graph.values[place])
        names = (graph.names[int(end)] for end in (graph.rows[place], graph.cols[place]))
        table.add_row(
            Text(f"{value:+.3f}", style="blue" if value > 0 else "red"), *(Text(repr(name)[1:-1]) for name in names)
        )
    return table
