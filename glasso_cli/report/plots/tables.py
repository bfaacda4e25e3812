"""The numbers behind the pictures, as columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from glasso_cli.across.columns import edge_columns
from glasso_cli.across.table import EdgesAcross
from glasso_cli.artifacts.orientation import pair_signs
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.labels import community_name


def edge_table(study: Study) -> dict[str, Any]:
    """All edges that are drawn, from strong to weak."""
    ids, (rows, cols, rho) = study.fit.neuron_ids, study.edges
    names = np.array(study.names.texts, dtype=object)
    return {
        "neuron_i": ids[rows],
        "neuron_j": ids[cols],
        "name_i": names[rows],
        "name_j": names[cols],
        "partial_correlation": rho,
        "precision": study.precision,
        "correlation": study.correlation,
        "debiased": study.tested("debiased"),
        "standard_error": study.tested("standard_error"),
        "q_value": study.tested("q_values"),
        "frequency": study.tested("frequencies"),
        "orientation": pair_signs(study.fit.orientation, rows, cols),
    }


def across_table(study: LayersStudy, edges: EdgesAcross) -> dict[str, Any]:
    """All edges across layers, from strong to weak, with the names of their neurons."""
    table = edge_columns(edges, study.collected, study.association_graph)
    names = np.array(study.collected_names.texts, dtype=object)
    named = {"name_source": names[edges.sources], "name_target": names[edges.targets]}
    ends = {name: table.pop(name) for name in ("source", "target")}
    return {**ends, **named, **table}


def neuron_table(study: Study) -> dict[str, Any]:
    """All fitted neurons, from strong to weak."""
    order = study.by_strength
    stats, chosen = study.stats, study.fit.neurons[order]
    return {
        "neuron": study.fit.neuron_ids[order],
        "label": np.array(study.labels)[order],
        "name": np.array(study.names.texts, dtype=object)[order],
        "name_score": study.names.scores[order],
        "layer": study.fit.layers[order],
        "community": [community_name(int(c)) for c in study.communities[order]],
        "position": study.position[order],
        "degree": study.degree[order],
        "strength": study.strength[order],
        "expected_influence": study.expected_influence[order],
        "orientation": stats.orientation[chosen],
        "mean": stats.mean[chosen],
        "std": stats.std[chosen],
        "skewness": stats.skewness[chosen],
        "excess_kurtosis": stats.kurtosis[chosen],
        "top_share": stats.top_share[chosen],
    }
