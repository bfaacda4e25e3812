"""Edges across layers as a data frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from glasso_cli.artifacts import Influence, Interventions, OrderedGraph, PrecisionPath
from glasso_cli.errors import InputError, extras_needed

if TYPE_CHECKING:
    import pandas as pd

Given = OrderedGraph | PrecisionPath | Influence | Interventions
AnArtifact = TypeVar("AnArtifact")


@extras_needed()
def edges_across(*artifacts: Given) -> pd.DataFrame:
    """Association, influence and measured effects of pairs of neurons in different layers, and how each pair is read.

    Give at most one of each: an :class:`OrderedGraph` or a :class:`PrecisionPath` (association), an :class:`Influence`, and
    :class:`Interventions`. A pair is in the table if one of them found something in it, or if its effect was measured. The columns
    are those of ``edges_across_layers.csv``; numbers that were not estimated or not kept are nan.

    Raises :class:`InputError` for another artifact, for two of a kind, and for artifacts of different models.
    """
    from glasso_cli.across import from_artifacts
    from glasso_cli.across.columns import edge_columns
    from glasso_cli.artifacts.artifact import frame_of

    graph = _only([item for item in artifacts if isinstance(item, OrderedGraph | PrecisionPath)], "graph")
    influence = _only([item for item in artifacts if isinstance(item, Influence)], "influence")
    interventions = _only([item for item in artifacts if isinstance(item, Interventions)], "interventions")
    others = [item for item in artifacts if not isinstance(item, Given)]
    if others or not artifacts:
        raise InputError(
            f"{others[0]!r} says nothing of edges across layers."
            if others
            else "There is no artifact to take edges from.",
            "Give an ordered graph or a fit, influence, and interventions, such as those that `load` reads.",
        )
    neurons = from_artifacts.neurons_of(artifacts)
    edges = from_artifacts.edges_across(neurons, graph, influence, interventions)
    return frame_of(edge_columns(edges, neurons, graph))


def _only(found: Sequence[AnArtifact], kind: str) -> AnArtifact | None:
    if len(found) > 1:
        raise InputError(f"There are {len(found)} artifacts of the kind {kind}.", "Give one of each kind.")
    return found[0] if found else None
