"""The tables of an audit in a terminal: one of all scores, and one with every measure for each kind of effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.artifacts import Audit
from glasso_cli.report.words.audit import truth_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import RenderableType
    from rich.table import Table

    from glasso_cli.console import Console

_NOTHING = "–"


def show_audits(paths: Sequence[Path], console: Console) -> None:
    """Print the short table of every audit among ``paths`` beside the results."""
    for path in paths:
        if path.suffix == ".npz":
            console.show(short_table(Audit.load(path)), beside=True)


def short_table(audit: Audit) -> RenderableType:
    """For each target hook point: average precision of every score for every kind of effect, and the predicted activations."""
    from rich.console import Group

    return Group(*(part for target in audit.metrics.targets for part in ("", _short(audit, target))))


def full_tables(audit: Audit) -> RenderableType:
    """The short table, every measure for every kind of effect, and how each score was made."""
    from rich.console import Group

    details = [part for truth in audit.truths() for part in ("", _detailed(audit, *truth))]
    return Group(short_table(audit), *details, "", _notes(audit))


def _short(audit: Audit, target: str) -> Table:
    truths = [truth for truth in audit.truths() if truth[0] == target]
    rows = {truth: audit.rows_of(*truth) for truth in truths}
    base = ", ".join(f"{audit.base_rate[at[0]]:.3g}" for at in list(rows.values())[:1] if len(at))
    table = _table(f"{audit.metrics.source} → {target}: average precision (chance: {base})")
    table.add_column("score")
    for _, change, statistic in truths:
        table.add_column(f"{change}\n{statistic}", justify="right")
    predicted = np.flatnonzero(audit.predicted_target == target)
    if len(predicted):
        table.add_column("R² of\nactivations", justify="right")
        table.add_column("held-out\ncorrelation", justify="right")
    good = {
        (item.score, item.change, item.statistic)
        for item in audit.metrics.verdicts
        if item.predicts and item.target == target
    }
    for score in dict.fromkeys(name for at in rows.values() for name in audit.score[at].tolist()):
        cells = []
        for truth, at in rows.items():
            own = at[audit.score[at] == score]
            text = _with_error(audit, "precision", int(own[0])) if len(own) else _NOTHING
            cells.append(f"[bold]{text}[/bold]" if (score, truth[1], truth[2]) in good else text)
        if len(predicted):
            place = predicted[audit.predicted_score[predicted] == score]
            cells += [
                _with_error(audit, name, int(place[0])) if len(place) else _NOTHING
                for name in ("explained", "associated")
            ]
        table.add_row(score, *cells)
    return table


def _detailed(audit: Audit, target: str, change: str, statistic: str) -> Table:
    at = audit.rows_of(target, change, statistic)
    table = _table(
        f"{truth_in_words(change, statistic)}, {audit.metrics.source} → {target}: {audit.true_pairs[at[0]]:,} true pairs; chance "
        f"{audit.base_rate[at[0]]:.3g}, by source {audit.base_rate_by_source[at[0]]:.3g}"
    )
    table.add_column("score")
    titles = ("average\nprecision", "by source", f"precision\nat {audit.metrics.top}", "right signs", "slope")
    for title in titles:
        table.add_column(title, justify="right")
    for row in at.tolist():
        cells = [_interval(audit, name, row) for name in ("precision", "by_source", "top", "signs", "slope")]
        table.add_row(str(audit.score[row]), *cells)
    return table


def _notes(audit: Audit) -> Table:
    table = _table("how scores were made")
    table.add_column("score")
    table.add_column("", overflow="fold")
    several = len(audit.metrics.targets) > 1
    for target, score, note in zip(audit.made_target, audit.made_score, audit.made_note):
        if note:
            table.add_row(f"{score}, {target}" if several else str(score), str(note))
    return table


def _table(title: str) -> Table:
    from rich.table import Table

    return Table(title=title, title_justify="left", title_style="", box=None, padding=(0, 1), pad_edge=False)


def _with_error(audit: Audit, name: str, row: int) -> str:
    """A number with half of its interval, or a dash."""
    value, low, high = (float(getattr(audit, key)[row]) for key in _keys(name))
    if not np.isfinite(value):
        return _NOTHING
    return f"{value:.3f}" if not np.isfinite(low) else f"{value:.3f} ± {(high - low) / 2:.3f}"


def _interval(audit: Audit, name: str, row: int) -> str:
    """A number with the ends of its interval, or a dash."""
    value, low, high = (float(getattr(audit, key)[row]) for key in _keys(name))
    if not np.isfinite(value):
        return _NOTHING
    return f"{value:.3f}" if not np.isfinite(low) else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _keys(name: str) -> Sequence[str]:
    return (name, f"{name}_low", f"{name}_high")
