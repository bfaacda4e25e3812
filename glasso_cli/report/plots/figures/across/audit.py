"""How well every score of pairs predicts measured effects and later activations: dots with intervals, ceiling and chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts import Audit
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.plots.parts import style
from glasso_cli.report.words.audit import RULE, truth_in_words
from glasso_cli.report.words.labels import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CEILING = "ceiling"
_CHANCE = "chance"
_LOOKS = {
    "association": ("#0072B2", "o"),
    "weights": ("#009E73", "s"),
    "influence": ("#D55E00", "D"),
    "measured": ("#CC79A7", "^"),
}
_ROW = 0.24  # inches
_COLUMN = 2.15
_NAMES = 1.7
_FLOOR = 1e-3  # left end of a logarithmic axis, at most


@dataclass(frozen=True, eq=False)
class _Panel:
    """One kind of effects, or of predictions: value, low and high end ``(3, n)`` of the scores, nan where a score has none."""

    title: str
    numbers: np.ndarray
    predicts: np.ndarray  # (n,)
    ceiling: tuple[float, ...] | None  # value, low end, high end
    chance: float | None
    logarithmic: bool = True


def pictures(study: LayersStudy) -> Iterator[style.Picture]:
    """One picture for each target hook point; none without an audit."""
    audit = study.audit
    if audit is None:
        return
    for target in audit.metrics.targets:
        yield _picture(study, audit, target)


def _picture(study: LayersStudy, audit: Audit, target: str) -> style.Picture:
    scores, kinds = _scores(audit, target)
    panels = list(_panels(audit, target, scores))
    size = (_NAMES + _COLUMN * len(panels), 0.9 + _ROW * (len(scores) + 1))
    page = style.page(
        study, f"Which scores predict what neurons of {audit.metrics.source} do to {target}?", _note(audit), size
    )
    every = page.figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, panel in zip(every, panels):
        _draw(axes, panel, kinds)
    every[0].set_yticks(range(len(scores)), scores)
    every[0].set_ylim(len(scores) - 0.4, -0.6)
    name = "audit" if len(audit.metrics.targets) == 1 else f"audit-{target}"
    return style.Picture(name, page.figure, _alt(study, audit, target), _table(audit, target))


def _scores(audit: Audit, target: str) -> tuple[list[str], list[str]]:
    """The scores and their kinds, without chance and the ceiling, which are lines."""
    here = (audit.target == target) & ~np.isin(audit.score_kind, (_CEILING, _CHANCE))
    found = dict(zip(audit.score[here].tolist(), audit.score_kind[here].tolist()))
    return list(found), list(found.values())


def _panels(audit: Audit, target: str, scores: list[str]) -> Iterator[_Panel]:
    good = {(v.score, v.change, v.statistic) for v in audit.metrics.verdicts if v.predicts and v.target == target}
    for truth in audit.truths():
        if truth[0] != target:
            continue
        rows = audit.rows_of(*truth)
        place = dict(zip(audit.score[rows].tolist(), rows.tolist()))
        at = np.array([place[score] for score in scores])
        ceiling = rows[audit.score_kind[rows] == _CEILING]
        numbers = np.array([audit.precision, audit.precision_low, audit.precision_high])
        yield _Panel(
            truth_in_words(*truth[1:]).replace(" effect of", " effect\nof"),
            numbers[:, at],
            predicts=np.array([(score, *truth[1:]) in good for score in scores]),
            ceiling=tuple(numbers[:, ceiling[0]].tolist()) if len(ceiling) else None,
            chance=float(audit.base_rate[rows[0]]),
        )
    rows = np.flatnonzero(audit.predicted_target == target)
    if not len(rows):
        return
    place = dict(zip(audit.predicted_score[rows].tolist(), rows.tolist()))
    at = np.array([place[score] for score in scores])
    nothing = np.zeros(len(scores), bool)
    ranked = np.array([audit.associated, audit.associated_low, audit.associated_high])[:, at]
    explained = np.array([audit.explained, audit.explained_low, audit.explained_high])[:, at]
    yield _Panel("held-out correlation", ranked, nothing, None, float(audit.associated_base_rate[rows[0]]))
    yield _Panel("activations", explained, nothing, None, None, logarithmic=False)


def _draw(axes: Axes, panel: _Panel, kinds: list[str]) -> None:
    y = np.arange(len(kinds))
    if panel.logarithmic:
        floor = min(_FLOOR, 0.5 * (panel.chance or 1.0))
        axes.set(xscale="log", xlim=(floor, 1.15), xlabel="average precision")
        axes.set_xticks([0.001, 0.01, 0.1, 1], ["0.001", "0.01", "0.1", "1"])
        axes.minorticks_off()
    else:
        axes.set(xlim=(-0.15, 1.02), xlabel="R² on new documents")
        floor = -0.15
    if panel.ceiling is not None:
        value, low, high = panel.ceiling
        axes.axvspan(max(low, floor), high, color=style.FAINT, linewidth=0)
        axes.axvline(value, color=style.INK, linewidth=1.2)
    chance = 0.0 if panel.chance is None else panel.chance
    axes.axvline(chance, color=style.MUTED, linewidth=1.0, linestyle=(0, (2, 2)))
    values, *bounds = panel.numbers
    for row in np.flatnonzero(np.isfinite(values)).tolist():
        colour, marker = _LOOKS[kinds[row]]
        ends = np.clip([bound[row] for bound in bounds], floor, None)
        axes.plot(ends, [y[row]] * 2, color=colour, linewidth=1.4, solid_capstyle="butt")
        axes.plot(
            np.clip(values[row], floor, None), y[row], marker=marker, color=colour, markersize=5.5, markeredgewidth=1.2,
            markerfacecolor=colour if panel.predicts[row] or panel.ceiling is None else "white",
        )  # fmt: skip
    axes.set_title(panel.title, fontsize=9)
    axes.grid(axis="y")
    axes.tick_params(axis="y", length=0)


# -- words ------------------------------------------------------------------------------------------------


def _note(audit: Audit) -> str:
    metrics = audit.metrics
    texts = metrics.texts
    read = "that collect did not read" if texts.held_out else "that collect read, so that no score is judged"
    of_others = (
        f" Scores are from the texts of {metrics.scores_from}, and triangles are effects measured there."
        if metrics.scores_from
        else ""
    )
    return (
        f"Average precision for the {percent(metrics.share)} of pairs with the strongest measured effects: {metrics.sources:,} sources, "
        f"{count(texts.tokens, texts.sample)} of {count(texts.documents, 'document')} {read}.{of_others} Circles: association. Squares: weights. "
        f"Diamonds: influence. Lines: 95 % intervals over sources and documents. Black line: noise ceiling, one half of the documents ranked by "
        f"the other. Dashed line: chance. In the panels of effects, a filled mark is a score that predicts them: {RULE}."
    )


def _alt(study: LayersStudy, audit: Audit, target: str) -> str:
    found = [verdict for verdict in audit.metrics.verdicts if verdict.predicts and verdict.target == target]
    said = "; ".join(
        f"{verdict.score} for the {truth_in_words(verdict.change, verdict.statistic)}" for verdict in found
    )
    return f"Average precision of scores for measured effects on {target} ({study.title}). Shown to predict effects: {said or 'none'}."


def _table(audit: Audit, target: str) -> dict[str, Any]:
    rows = (audit.target == target) & (audit.rule == "strongest")
    return {name: np.asarray(values)[rows] for name, values in audit.score_columns().items()}
