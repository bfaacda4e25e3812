"""What ``glasso show`` adds for scores: areas of the curves, and the most important neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glasso_cli.artifacts import Scores

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_SHOWN = 10  # neurons
_REFERENCE = "write_norm"
_AREAS = {"deletion_log": "deletion", "cpr": "CPR", "cmd": "CMD"}


def preview_scores(scores: Scores) -> RenderableType:
    """Return a table of areas for each kind of ablation, and a table of neurons."""
    from rich.console import Group

    parts: list[RenderableType] = []
    for row, kind in enumerate(scores.ablations.tolist()):
        parts += ["", _areas(scores, row, kind)]
    return Group(*parts, "", _neurons(scores))


def _areas(scores: Scores, row: int, kind: str) -> Table:
    from rich.table import Table

    title = f"areas of the curves, {kind} ablation, ± standard errors over documents; deletion is over log k"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("ranking", no_wrap=True)
    for name in _AREAS.values():
        table.add_column(name, justify="right", no_wrap=True)
    names, areas = scores.rankings.tolist(), scores.area_names.tolist()
    at = areas.index("deletion_log")
    reference = names.index(_REFERENCE) if _REFERENCE in names else None
    if reference is not None:
        table.add_column("minus write norm", justify="right", no_wrap=True)
    for place, name in enumerate(names):
        columns = [areas.index(area) for area in _AREAS]
        cells = [f"{scores.areas[row, place, of]:.2f} ± {scores.area_errors[row, place, of]:.2f}" for of in columns]
        if reference is not None and place != reference:
            low, high = scores.difference_intervals[:, row, place, reference, at]
            cells.append(f"{scores.differences[row, place, reference, at]:+.2f} [{low:+.2f}, {high:+.2f}]")
        table.add_row(name, *cells)
    return table


def _neurons(scores: Scores) -> Table:
    from rich.table import Table

    table = Table(
        title=f"the most important neurons by {scores.forms[0]}, {scores.metrics.order}",
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("neuron", no_wrap=True)
    for form in scores.forms.tolist():
        table.add_column(form, justify="right", no_wrap=True)
    table.add_column("exact effect", justify="right", no_wrap=True)
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
