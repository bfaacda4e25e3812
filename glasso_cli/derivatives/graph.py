"""The edges of influence as a directed graph in Graphviz text."""

from __future__ import annotations

from collections.abc import Iterator

from glasso_cli.artifacts import Influence
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.graph import SIGN_ATTRIBUTES, dot_head, edge_line, node_line, quoted


def dot_lines(influence: Influence) -> Iterator[str]:
    """The lines of the text: all neurons, then the edges from source to target, the largest influence first."""
    order, turned = influence.strongest(), oriented(influence)
    title = f"{influence.meta['corpus']}: influence"
    yield dot_head(influence.meta["key"], title, influence.n_neurons, len(order), directed=True)
    names = [quoted(name) for name in influence.neuron_ids.tolist()]
    columns = influence.neuron_columns()
    for name, layer, leaving, reaching in zip(
        names, *(columns[key].tolist() for key in ("layer", "degree_out", "degree_in"))
    ):
        yield node_line(name, {"layer": layer, "degree_out": leaving, "degree_in": reaching})
    pairs = zip(
        *(part[order].tolist() for part in (turned.sources, turned.targets, turned.mean, turned.error, turned.rms))
    )
    for source, target, mean, error, rms in pairs:
        numbers = {"weight": abs(mean), "influence": mean, "standard_error": error, "rms": rms}
        written = {key: f"{value:.6g}" for key, value in numbers.items()}
        yield edge_line(names[source], names[target], {**written, **SIGN_ATTRIBUTES[mean > 0]}, directed=True)
    yield "}\n"
