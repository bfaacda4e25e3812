"""The rows as Markdown tables and as a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from ladder import OVER, REACHED
from results import COLD, PATH, Row

COLORS = dict(
    zip(["newton", "R huge", "R glasso", "scikit-learn", "gglasso", "skglm"], ["C3", "C0", "C1", "C2", "C4", "C7"])
)


def headline(rows: Sequence[Row]) -> float:
    """The gap that tables are about: 1e-7, or the tightest there is."""
    targets = {row.target for row in rows}
    return 1e-7 if 1e-7 in targets else min(targets)


# -- Markdown -------------------------------------------------------------------------------------


def markdown(rows: Sequence[Row], machine: dict[str, str]) -> str:
    """A table for every problem, number of threads and density, with a column for every size."""
    lines = [f"- {name}: {value}" for name, value in machine.items()]
    if rows:
        shown = [row for row in rows if row.target == headline(rows)]
        for kind in (COLD, PATH):
            for some in _grouped([row for row in shown if row.kind == kind]):
                lines += ["", *_table(some)]
    return "\n".join(lines) + "\n"


def _grouped(rows: list[Row]) -> Iterator[list[Row]]:
    def group(row: Row) -> tuple[Any, ...]:
        return row.problem, row.threads, row.wanted

    order = {key: number for number, key in enumerate(dict.fromkeys(map(group, rows)))}
    return (list(some) for _, some in groupby(sorted(rows, key=lambda row: order[group(row)]), group))


def _table(rows: list[Row]) -> Iterator[str]:
    first = rows[0]
    what = "One cold fit" if first.kind == COLD else "A path of alphas from 0.5 down"
    threads = "1 thread" if first.threads == 1 else f"{first.threads} threads"
    yield (
        f"**{what}, {first.problem}, {first.wanted}, {threads}**: seconds (CI) to a certified gap of "
        f"{first.target:.0e} nats per neuron · the gap."
    )
    columns = {row.p: row for row in reversed(rows)}  # the first row of every size, ours where it took part
    sizes = sorted(columns)
    yield ""
    yield "| | " + " | ".join(_heading(columns[p]) for p in sizes) + " |"
    yield "| --- |" + " --- |" * len(sizes)
    for solver in dict.fromkeys(row.solver for row in rows):
        cells = {row.p: _cell(row) for row in rows if row.solver == solver}
        yield f"| {solver} | " + " | ".join(cells.get(p, "") for p in sizes) + " |"
    ours = [row for row in rows if np.isfinite(row.buffers) and row.solver == "newton"]
    if ours:
        yield ""
        peaks = (f"{row.peak_gb:.2f} GB for {row.p:,} neurons ({row.buffers:.1f} arrays of p × p)" for row in ours)
        yield "Peak memory of newton: " + ", ".join(peaks) + "."


def _heading(row: Row) -> str:
    edges = f", {row.degree:.0f} edges each" if np.isfinite(row.degree) else ""
    return f"{row.p:,} neurons, α = {row.alpha:.3g}{edges}; {row.source}"


def _cell(row: Row) -> str:
    if row.status == REACHED:
        ratio = f" · {row.ratio:.2f} cold fits" if row.kind == PATH and np.isfinite(row.ratio) else ""
        return f"{_short(row.seconds)} s ({_short(row.ci)} CI) · {row.gap:.0e}{ratio}{_after(row)}"
    if row.status == OVER:
        return f"over {_short(row.seconds)} s{_after(row)}"
    return f"{row.status}{_after(row)}"


def _after(row: Row) -> str:
    return f"; {row.note.replace('|', '/')}" if row.note else ""


def _short(number: float) -> str:
    """Two digits, or as many as stand before the point."""
    return f"{number:.2g}" if number < 10 else f"{number:,.0f}"


# -- the picture ----------------------------------------------------------------------------------


def picture(rows: Sequence[Row], file: Path) -> None:
    """Time against size for the gap of the tables, and time against gap for the problem that says most."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    cold = [row for row in rows if row.kind == COLD and row.status == REACHED]
    if not cold:
        return
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    gap = headline(rows)
    by_size = _most(cold, lambda row: (row.problem, row.wanted, row.threads), lambda row: (row.p, row.solver))
    _lines(left, [row for row in by_size if row.target == gap], lambda row: row.p)
    left.set(title=_title(by_size[0], f"to a gap of {gap:.0e}"), xlabel="neurons", xscale="log")
    sizes = sorted({row.p for row in by_size})
    left.set_xticks(sizes, [f"{p:,}" for p in sizes])
    left.minorticks_off()
    by_gap = _most(
        cold, lambda row: (row.problem, row.wanted, row.threads, row.p), lambda row: (row.solver, row.target)
    )
    _lines(right, by_gap, lambda row: row.target)
    right.set(
        title=_title(by_gap[0], f"{by_gap[0].p:,} neurons"), xlabel="certified gap, nats per neuron", xscale="log"
    )
    right.invert_xaxis()
    for axes in (left, right):
        axes.set(ylabel="seconds", yscale="log")
        axes.grid(alpha=0.3)
    left.legend()
    figure.savefig(file, dpi=150)
    plt.close(figure)


def _most(rows: list[Row], group: Callable[[Row], Any], count: Callable[[Row], Any]) -> list[Row]:
    """The rows of the group with the most different counts; of equals the last one, which is the hardest."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(group(row), []).append(row)
    return max(reversed(list(groups.values())), key=lambda some: len(set(map(count, some))))


def _lines(axes: Any, rows: list[Row], place: Callable[[Row], float]) -> None:
    for solver in dict.fromkeys(row.solver for row in rows):
        points = sorted((place(row), row.seconds) for row in rows if row.solver == solver)
        axes.plot(*zip(*points), "o-", label=solver, color=COLORS.get(solver))


def _title(row: Row, more: str) -> str:
    return f"{row.problem}, {row.wanted}, {more}, threads: {row.threads}"
