"""What ``glasso show`` adds for scores: areas of the curves, and the most important neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.artifacts import Scores

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_SHOWN = 10  # neurons
_REFERENCE = "write_norm"
_AREAS = {"deletion_log": "deletion, log k", "cpr": "CPR", "cpr_log": "insertion, log k", "cmd": "CMD"}


def preview_scores(scores: Scores) -> RenderableType:
    """Return a table of areas for each kind of ablation, and a table of neurons."""
    from rich.console import Group

    parts: list[RenderableType] = []
    for row, kind in enumerate(scores.ablations.tolist()):
        parts += ["", _areas(scores, row, kind)]
    return Group(*parts, "", _neurons(scores))


def _areas(scores: Scores, row: int, kind: str) -> Table:
    from rich.table import Table

    table = Table(
        title=f"areas of the curves, {kind} ablation, with 95 % intervals over documents",
        title_justify="left",
        box=None,
    )
    table.add_column("ranking")
    for name in _AREAS.values():
        table.add_column(name, justify="right")
    names, areas = scores.rankings.tolist(), scores.area_names.tolist()
    reference = names.index(_REFERENCE) if _REFERENCE in names else None
    if reference is not None:
        table.add_column("deletion, log k, against write norm", justify="right")
    for place, name in enumerate(names):
        cells = [_with_ends(scores.areas[row, place, areas.index(area)], scores.area_intervals[:, row, place, areas.index(area)])
                 for area in _AREAS]  # fmt: skip
        if reference is not None and place != reference:
            at = areas.index("deletion_log")
            cells.append(
                _with_ends(
                    scores.differences[row, place, reference, at],
                    scores.difference_intervals[:, row, place, reference, at],
                )
            )
        table.add_row(name, *cells)
    return table


def _with_ends(value: float, ends: np.ndarray) -> str:
    return f"{value:.3f} [{ends[0]:.3f}, {ends[1]:.3f}]"


def _neurons(scores: Scores) -> Table:
    from rich.table import Table

    table = Table(title=f"the most important neurons by {scores.forms[0]}", title_justify="left", box=None)
    table.add_column("neuron")
    for form in scores.forms.tolist():
        table.add_column(form, justify="right")
    table.add_column("exact effect", justify="right")
    measured = {int(neuron): place for place, neuron in enumerate(scores.measured)}
    for neuron in scores.order()[:_SHOWN].tolist():
        cells = [
            f"{value:+.2e} ± {error:.0e}"
            for value, error in zip(scores.attributions[:, neuron], scores.errors[:, neuron])
        ]
        place = measured.get(neuron)
        exact = "" if place is None else f"{scores.effects[place]:+.2e} ± {scores.effect_errors[place]:.0e}"
        table.add_row(str(scores.neuron_ids[neuron]), *cells, exact)
    return table
