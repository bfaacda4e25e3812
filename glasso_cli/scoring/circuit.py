"""The highest-ranked neurons as files, and sums of scores over communities."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli.artifacts import Scores
from glasso_cli.artifacts.tables import write_table
from glasso_cli.files import atomic_write
from glasso_cli.graph.dot import dot_head, node_line, quoted


def write_tops(made: Sequence[Path], share: float) -> Iterator[Path]:
    """The files of :func:`write_top` for all scores among the files ``made``."""
    for path in made:
        if path.suffix == ".npz":
            yield from write_top(path, share)


def write_top(path: Path, share: float) -> list[Path]:
    """Write the highest-ranked ``share`` of the neurons of the scores at ``path`` beside them, and return the files.

    ``.top.csv`` has their rows of the table, ``.top.dot`` is a picture of them by layer, and for each hook point there is a list of ids
    for ``intervene.sources``.
    """
    made = Scores.load(path)
    written = [write_table(path.with_suffix(".top.csv"), top_columns(made, share)), path.with_suffix(".top.dot")]
    with atomic_write(written[1], "w") as file:
        file.writelines(dot_of_top(made, share))
    chosen = top_neurons(made, share)
    for number, label in enumerate(made.metrics.hook_points):
        ids = made.neuron_ids[chosen[made.points[chosen] == number]].tolist()
        if ids:
            written.append(path.with_suffix(f".top.{re.sub(r'[^A-Za-z0-9.-]', '_', label)}.txt"))
            with atomic_write(written[-1], "w") as file:
                file.writelines(f"{name}\n" for name in ids)
    return written


def top_neurons(made: Scores, share: float) -> np.ndarray:
    """The first ``share`` of the neurons in their order, at least one, as indices."""
    return made.order()[: max(1, round(share * len(made.neuron_ids)))]


def top_columns(made: Scores, share: float) -> dict[str, Any]:
    """The rows of the highest-ranked neurons in the table of all."""
    count = len(top_neurons(made, share))
    return {name: values[:count] for name, values in made.neuron_columns().items()}


def dot_of_top(made: Scores, share: float) -> Iterator[str]:
    """The Graphviz text of the highest-ranked neurons, a row for each layer."""
    chosen = top_neurons(made, share)
    title = f"{made.meta['corpus']}: the {len(chosen):,} neurons that {made.metrics.scalar} depends on most"
    yield dot_head(str(made.meta.get("key", "")), title, len(chosen), 0, directed=True)
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
