"""The numbers behind the pictures, as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli.files import atomic_write
from glasso_cli.plots.study import Study, community_name


def write_table(path: Path, table: Mapping[str, Any]) -> Path:
    """``path``, after writing the columns of ``table``, all of one length, with a header line.

    Floats keep the shortest text that reads back as the same number; not a number is left empty.
    """
    columns = [_plain(values) for values in table.values()]
    with atomic_write(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table)
        writer.writerows(zip(*columns, strict=True))
    return path


def _plain(values: Iterable[Any]) -> list[Any]:
    array = np.asarray(values)
    if array.dtype.kind != "f":
        return array.tolist()
    texts = array.astype(str)
    return np.where(np.isnan(array), "", texts).tolist()


def edge_table(study: Study) -> dict[str, Any]:
    """All edges of the selected alpha, from strong to weak."""
    ids, (rows, cols, rho) = study.path.neuron_ids, study.edges
    return {
        "neuron_a": ids[rows],
        "neuron_b": ids[cols],
        "partial_correlation": rho,
        "precision": study.precision,
        "correlation": study.correlation,
    }


def neuron_table(study: Study) -> dict[str, Any]:
    """All fitted neurons, from strong to weak."""
    order = study.by_strength
    stats, chosen = study.stats, study.path.neurons[order]
    return {
        "neuron": study.path.neuron_ids[order],
        "label": np.array(study.labels)[order],
        "layer": study.path.layers[order],
        "community": [community_name(int(c)) for c in study.communities[order]],
        "position": study.position[order],
        "degree": study.degree[order],
        "strength": study.strength[order],
        "expected_influence": study.influence[order],
        "mean": stats.mean[chosen],
        "std": stats.std[chosen],
        "excess_kurtosis": stats.kurtosis[chosen],
        "fraction_active": stats.fraction_active[chosen],
    }
