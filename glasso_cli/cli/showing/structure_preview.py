"""What ``glasso show`` adds for structure and pathways: the best predicted neurons, and the strongest paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.artifacts import Pathways, Structure

if TYPE_CHECKING:
    from rich.table import Table

_SHOWN = 10
_SCORES = ("predictability", "strength", "bridge_strength", "between_layers")


def preview_structure(structure: Structure) -> Table:
    """Return the neurons that are best predicted, with some of their scores."""
    columns = structure.neuron_columns()
    names = [name for name in _SCORES if np.any(columns[name])]
    title = "the best predicted neurons, ± standard errors over documents"
    rows = [
        [
            str(columns["neuron"][at]),
            *(_number(columns[name][at], columns[f"{name}_standard_error"][at]) for name in names),
        ]
        for at in range(min(_SHOWN, len(columns["neuron"])))
    ]
    return _table(title, ["neuron", *names], rows)


def preview_pathways(found: Pathways) -> Table:
    """Return the strongest paths, and what was measured of them."""
    columns = found.path_columns()
    tried = "through" in columns
    rows = []
    for at in range(min(_SHOWN, len(columns["path"]))):
        row = [str(columns["path"][at]), _number(columns["effect"][at], columns["standard_error"][at])]
        if tried:
            known = np.isfinite(columns["through"][at])
            row.append(_number(columns["through"][at], columns["through_standard_error"][at]) if known else "")
        rows.append(row)
    title = "the strongest paths, ± standard errors over documents"
    return _table(title, ["path", "effect", *(["measured through the middle"] if tried else [])], rows)


def _number(value: float, error: float) -> str:
    return f"{value:.3g} ± {error:.1g}"


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, padding=(0, 1))
    table.add_column(head[0], overflow="fold")
    for name in head[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table
