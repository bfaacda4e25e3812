"""What neurons are in a graph, and paths through it, in memory: no model is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from glasso_cli.api.settings import section_of
from glasso_cli.api.stages import made_from
from glasso_cli.artifacts import ActivationStats, Influence, OrderedGraph, Pathways, PrecisionPath, Scores, Structure
from glasso_cli.config import FitSection, PathwaysSection, StructureSection
from glasso_cli.errors import InputError


def structure(stats: ActivationStats, fit: PrecisionPath, *, seed: int = 0, **settings: Any) -> Structure:
    """What each neuron is in the graph of ``fit``: predictability, strength and others, with errors over documents.

    The numbers are those of ``glasso structure``. ``stats`` are those that were fitted. ``settings`` are the keys of the section
    ``structure`` (``subsets``).

    Raises :class:`ConfigError` for a setting that does not exist or is out of bounds.
    """
    from glasso_cli.scoring.structure.assemble import structure_artifact
    from glasso_cli.scoring.structure.scores import structure_scores

    section = section_of(StructureSection, "structure", settings)
    stored = fit.meta.get("material", {}).get("config", {}).get("fit", {})
    fitting = section_of(FitSection, "fit", {name: stored[name] for name in stored if name in FitSection.model_fields})
    found = structure_scores(stats, fit, fitting, subsets=section.subsets, seed=seed)
    name = str(stats.meta.get("corpus", "corpus"))
    made = structure_artifact(found, fit, stats.n_effective, int((stats.counts > 0).sum()), name)
    return replace(made, meta={**made.meta, **made_from(structure=section, seed=seed)})


def pathways(
    graph: Influence | OrderedGraph,
    stats: ActivationStats | None = None,
    scores: Scores | None = None,
    **settings: Any,
) -> Pathways:
    """The strongest paths through a graph across layers, the effects along all paths, and the pruned view.

    The numbers are those of ``glasso pathways``. With ``stats``, the errors include those of the standard deviations that are the
    unit. With ``scores``, paths end in their scalar. ``settings`` are the keys of the section ``pathways`` (``sources``, ``targets``, ``count``, …). Paths are tried on the
    network by ``glasso pathways`` alone.

    Raises :class:`ConfigError` for a setting that does not exist or is out of bounds, and :class:`InputError` for neurons that are not
    in the graph, and where no path leads from the sources to the targets.
    """
    from glasso_cli.scoring.pathways.graph import LayeredGraph
    from glasso_cli.scoring.pathways.run import pathways as pathways_of
    from glasso_cli.scoring.pathways.units import units_of

    kind = "association" if isinstance(graph, OrderedGraph) else "influence"
    end = {} if scores is None else {"to": "scalar"}
    section = section_of(PathwaysSection, "pathways", {**settings, "graph": kind, **end})
    if section.mediate:
        raise InputError(
            "Trials of paths need the model and the texts.", "Run `glasso pathways`, or leave out mediate."
        )
    units = None
    if stats is not None:
        units = units_of(graph, stats, stats.meta["material"]["config"]["collect"]["transform"])
    name = str(graph.meta.get("corpus", "corpus"))
    std = graph.std if isinstance(graph, Influence) else None
    made = pathways_of(LayeredGraph.of(graph), graph.orientation, section, name, units=units, scores=scores, std=std)
    return replace(made, meta={**made.meta, **made_from(pathways=section, seed=0)})
