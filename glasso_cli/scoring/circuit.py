"""The highest-ranked neurons and the edges between them as files, and sums of scores over communities."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts import Influence, PrecisionPath, Scores
from glasso_cli.artifacts.tables import write_table
from glasso_cli.files import atomic_write
from glasso_cli.graph.dot import SIGN_ATTRIBUTES, dot_head, edge_line, node_line, quoted

if TYPE_CHECKING:
    from glasso_cli.pipeline.run import Pipeline


@dataclass(frozen=True, eq=False)
class Edges:
    """E edges of a graph between named neurons, with signs relative to their heavier poles."""

    graph: str  # influence or fit
    sources: np.ndarray  # (E,) str; one of both ends, in a graph that is not directed
    targets: np.ndarray
    weights: np.ndarray  # (E,) influence, or partial correlation
    errors: np.ndarray  # (E,) standard errors over documents
    q_values: np.ndarray

    @property
    def directed(self) -> bool:
        return self.graph == "influence"

    @property
    def measure(self) -> str:
        """What a weight is."""
        return "influence" if self.directed else "partial_correlation"

    @classmethod
    def none(cls) -> Edges:
        """Where there is no graph."""
        words, numbers = np.zeros(0, np.str_), np.zeros(0)
        return cls("none", words, words, numbers, numbers, numbers)

    @classmethod
    def of(cls, graph: Influence | PrecisionPath) -> Edges:
        """All edges that are drawn."""
        if isinstance(graph, Influence):
            columns, kind = graph.edge_columns(), "influence"
            ends, drawn, weights = ("source", "target"), np.ones(len(columns["source"]), bool), columns["influence"]
        else:
            columns, kind = graph.edge_columns(), "fit"
            ends, drawn = ("neuron_i", "neuron_j"), columns["drawn"] == 1
            weights = columns["partial_correlation"]
        parts = (columns[ends[0]], columns[ends[1]], weights, columns["standard_error"], columns["q_value"])
        return cls(kind, *(np.asarray(part)[drawn] for part in parts))

    def between(self, ids: np.ndarray) -> Edges:
        """Those of which both ends are among ``ids``."""
        both = np.isin(self.sources, ids) & np.isin(self.targets, ids)
        parts = (self.sources, self.targets, self.weights, self.errors, self.q_values)
        return Edges(self.graph, *(part[both] for part in parts))

    def columns(self) -> dict[str, Any]:
        """The table, with the graph of each edge."""
        return {
            "source": self.sources,
            "target": self.targets,
            "graph": np.full(len(self.sources), self.graph),
            self.measure: self.weights,
            "standard_error": self.errors,
            "q_value": self.q_values,
        }


def write_circuits(pipeline: Pipeline, share: float) -> Iterator[Path]:
    """The files of :func:`write_top` for the scores of every corpus.

    Edges are those of the influence where it is up to date, otherwise those of the fit where that is.
    """
    for path in pipeline.made("score"):
        if path.suffix != ".npz":
            continue
        corpus = path.name.removesuffix(".npz")
        edges = Edges.none()
        if influence := pipeline.fresh("influence", corpus):
            edges = Edges.of(Influence.load(influence))
        elif fit := pipeline.fresh("fit", corpus):
            edges = Edges.of(PrecisionPath.load(fit))
        else:
            pipeline.console.note(
                f"score {corpus}: no edges, since neither influence nor fit is up to date; run one of them first for edges"
            )
        yield from write_top(path, share, edges)


def write_top(path: Path, share: float, edges: Edges) -> list[Path]:
    """Write the highest-ranked ``share`` of the neurons of the scores at ``path`` beside them, and return the files.

    ``.top.csv`` has their rows of the table, ``.top.edges.csv`` the ``edges`` between them, and ``.top.dot`` is a picture of both by
    layer. ``.top.txt`` lists the ids for ``intervene.sources``, and there is one list for each hook point.
    """
    made = Scores.load(path)
    chosen = top_neurons(made, share)
    inside = edges.between(made.neuron_ids[chosen])
    written = [
        write_table(path.with_suffix(".top.csv"), top_columns(made, share)),
        write_table(path.with_suffix(".top.edges.csv"), inside.columns()),
        path.with_suffix(".top.dot"),
    ]
    with atomic_write(written[-1], "w") as file:
        file.writelines(dot_of_top(made, share, inside))
    for old in path.parent.glob(f"{escape(path.stem)}.top.*.txt"):  # of a larger share, perhaps
        old.unlink()
    lists = {"": made.neuron_ids[chosen].tolist()}
    for number, label in enumerate(made.metrics.hook_points):
        own = made.neuron_ids[chosen[made.points[chosen] == number]].tolist()
        if own:
            lists["." + re.sub(r"[^A-Za-z0-9.-]", "_", label)] = own
    for name, ids in lists.items():
        written.append(path.with_suffix(f".top{name}.txt"))
        with atomic_write(written[-1], "w") as file:
            file.writelines(f"{neuron}\n" for neuron in ids)
    return written


def top_neurons(made: Scores, share: float) -> np.ndarray:
    """The first ``share`` of the neurons in their order, at least one, as indices."""
    return made.order()[: max(1, round(share * len(made.neuron_ids)))]


def top_columns(made: Scores, share: float) -> dict[str, Any]:
    """The rows of the highest-ranked neurons in the table of all."""
    count = len(top_neurons(made, share))
    return {name: values[:count] for name, values in made.neuron_columns().items()}


def dot_of_top(made: Scores, share: float, edges: Edges) -> Iterator[str]:
    """The Graphviz text of the highest-ranked neurons, a row for each layer, and of the ``edges`` between them."""
    chosen = top_neurons(made, share)
    count = len(edges.sources)
    words = {
        "influence": f"{count:,} edges of influence",
        "fit": f"{count:,} partial correlations of the fit",
        "none": "no graph for edges",
    }
    title = f"{made.meta['corpus']}: the {len(chosen):,} neurons that {made.metrics.scalar} depends on most, {words[edges.graph]}"
    yield dot_head(str(made.meta.get("key", "")), title, len(chosen), count, directed=edges.directed)
    yield "  rankdir=LR;\n"
    importance = made.importance()
    for layer in np.unique(made.layers[chosen]).tolist():
        yield f"  subgraph layer_{max(layer, 0)} {{\n    rank=same;\n"
        for neuron in chosen[made.layers[chosen] == layer].tolist():
            attributes = {
                "layer": layer,
                "importance": f"{importance[neuron]:.6g}",
                "community": made.communities[neuron],
            }
            yield "  " + node_line(quoted(str(made.neuron_ids[neuron])), attributes)
        yield "  }\n"
    for source, target, weight, error in zip(edges.sources, edges.targets, edges.weights, edges.errors):
        numbers = {
            "weight": f"{abs(weight):.6g}",
            edges.measure: f"{weight:.6g}",
            "standard_error": f"{error:.6g}",
        }
        ends = quoted(str(source)), quoted(str(target))
        yield edge_line(*ends, {**numbers, **SIGN_ATTRIBUTES[bool(weight > 0)]}, directed=edges.directed)
    yield "}\n"


def community_columns(made: Scores) -> dict[str, Any]:
    """The sums over the neurons of each community of the fit, the largest first: what a form expects of ablating it as a whole.

    A sum is exact only if the scalar is linear in the neurons; ``intervene.communities`` ablates a community at one hook point.
    """
    found = np.unique(made.communities[made.communities >= 0])
    members = [made.communities == number for number in found.tolist()]
    importance = made.importance()
    sums = np.array([importance[own].sum() for own in members])
    order = np.argsort(-sums, kind="stable")
    columns: dict[str, Any] = {"community": found[order]}
    columns["neurons"] = np.array([members[place].sum() for place in order], np.int64)
    for row, form in enumerate(made.forms.tolist()):
        columns[form] = np.array([made.attributions[row][members[place]].sum() for place in order])
    return columns
