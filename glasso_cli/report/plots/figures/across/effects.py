"""Measured effects against influence, beside what the measurement itself repeats: the noise ceiling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.across.table import EdgesAcross
from glasso_cli.artifacts import Interventions
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.pairs import SHAPES, colour_of, list_pairs
from glasso_cli.report.words.across import SHORT, counts_by_reading, effect_words, has_reading, influence_words
from glasso_cli.report.words.labels import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABELLED = 8  # pairs with error bars
_HEIGHT = 5.0  # inches
_INTERVAL = 1.96  # standard errors


@dataclass(frozen=True, eq=False)
class _Measured:
    """The n pairs whose effect was measured and whose influence is known, as rows of the table, and their effects by block."""

    rows: np.ndarray  # (n,)
    influence: np.ndarray  # (n,)
    effect: np.ndarray  # (n,)
    by_block: np.ndarray  # (B, n) means over the tokens of a block
    tokens: np.ndarray  # (B,)

    def half(self, first: int) -> np.ndarray:
        """The effects ``(n,)`` over every second block, from ``first`` on."""
        part = slice(first, None, 2)
        return np.asarray(np.average(self.by_block[part], axis=0, weights=self.tokens[part]))

    @property
    def slope(self) -> tuple[float, float]:
        """The slope of the effect on influence through the origin, and its standard error over blocks of documents."""
        square = float((self.influence**2).sum())
        of_blocks = self.by_block @ self.influence / square
        share = self.tokens / self.tokens.sum()
        slope, blocks = float(share @ of_blocks), len(share)
        if blocks < 2:
            return slope, float("nan")
        return slope, float(np.sqrt(blocks / (blocks - 1) * ((share * (of_blocks - slope)) ** 2).sum()))


def pictures(study: LayersStudy) -> Iterator[style.Picture]:
    """Steps against influence, and one half of the documents against the other; none without both artifacts."""
    edges, made = study.across, study.interventions
    if edges is None or made is None or study.influence is None or "step" not in edges.effects:
        return
    measured = _measured(study, edges, made)
    if len(measured.rows) < 2 or not (measured.influence**2).sum():
        return
    halves = (measured.half(0), measured.half(1))
    numbers = _numbers(measured, halves)
    strongest = np.argsort(-np.maximum(np.abs(measured.effect), np.abs(measured.influence)), kind="stable")
    labelled = measured.rows[strongest[:_LABELLED]]
    page = style.page(
        study, "Measured effects against influence", _note(study, made, numbers), (13.5, _HEIGHT), signs=True
    )
    axes, ceiling, beside = page.figure.subplots(1, 3, width_ratios=[1, 1, 0.85])
    _draw(axes, beside, study, edges, measured, labelled, numbers)
    _draw_ceiling(ceiling, halves, numbers, axes.get_ylim())
    yield style.Picture(
        "effects",
        page.figure,
        _alt(study, numbers),
        _table(study, edges, measured, halves, labelled),
        tables={"summary": {"quantity": list(numbers), "value": list(numbers.values())}},
    )


def _measured(study: LayersStudy, edges: EdgesAcross, made: Interventions) -> _Measured:
    assert edges.influence is not None
    effect = edges.effects["step"]
    rows = np.flatnonzero(effect.looked & np.isfinite(effect.value) & np.isfinite(edges.influence.value))
    change = made.changes.tolist().index("step")
    sources, targets = (
        _places(ids, study.collected.ids[neurons[rows]])
        for ids, neurons in ((made.source_ids, edges.sources), (made.target_ids, edges.targets))
    )
    by_block = made.block_sums[change][sources, :, targets].T / made.counts[:, None]
    return _Measured(rows, edges.influence.value[rows], effect.value[rows], by_block.astype(float), made.counts)


def _places(ids: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    place = {name: index for index, name in enumerate(ids.tolist())}
    return np.array([place[name] for name in wanted.tolist()], dtype=np.int64)


def _numbers(measured: _Measured, halves: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    slope, error = measured.slope
    return {
        "pairs": float(len(measured.rows)),
        "slope": slope,
        "slope_standard_error": error,
        "correlation_with_influence": _correlation(measured.influence, measured.effect),
        "correlation_between_halves": _correlation(*halves),
        "same_sign": float(np.mean(np.sign(measured.influence) == np.sign(measured.effect))),
    }


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if not np.std(first) or not np.std(second):
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


# -- words --------------------------------------------------------------------------------------------


def _note(study: LayersStudy, made: Interventions, numbers: dict[str, float]) -> str:
    assert study.influence is not None
    return (
        f"{effect_words(made)} {influence_words(study.influence)} Every point is a pair whose effect of a step was measured and whose "
        "influence is on record. Slope: least squares through the origin, with its standard error over documents. The halves are "
        "every second block of documents: how well they agree is the noise ceiling of any score. Both correlations are over the same "
        f"{count(int(numbers['pairs']), 'pair')}. Bars: 95 % intervals. All pairs are in effects.csv."
    )


def _alt(study: LayersStudy, numbers: dict[str, float]) -> str:
    return (
        f"Measured effects of {count(int(numbers['pairs']), 'pair')} against their influence ({study.title}): slope "
        f"{numbers['slope']:.2f}, correlation {numbers['correlation_with_influence']:.2f}; the two halves of the documents correlate "
        f"at {numbers['correlation_between_halves']:.2f}."
    )


def _table(
    study: LayersStudy,
    edges: EdgesAcross,
    measured: _Measured,
    halves: tuple[np.ndarray, np.ndarray],
    labelled: np.ndarray,
) -> dict[str, Any]:
    from glasso_cli.report.plots.tables import across_table

    rows = measured.rows
    labels = {row: number for number, row in enumerate(labelled.tolist(), start=1)}
    table = {name: np.asarray(values)[rows] for name, values in across_table(study, edges).items()}
    return {
        **table,
        "effect_step_first_half": halves[0],
        "effect_step_second_half": halves[1],
        "label": [str(labels.get(row, "")) for row in rows.tolist()],
    }


# -- drawing ------------------------------------------------------------------------------------------


def _draw(
    axes: Axes,
    beside: Axes,
    study: LayersStudy,
    edges: EdgesAcross,
    measured: _Measured,
    labelled: np.ndarray,
    numbers: dict[str, float],
) -> None:
    assert edges.influence is not None
    shown = np.isin(np.arange(len(edges)), measured.rows)
    effect, influence = edges.effects["step"], edges.influence
    reach = 1.08 * max(np.abs(measured.influence).max(), np.abs(measured.effect).max())
    _square(axes, reach)
    x = np.array([-reach, reach])
    axes.plot(x, x, color=style.MUTED, linewidth=1.0, label="effect = influence")
    axes.plot(
        x, numbers["slope"] * x, color=style.INK, linewidth=1.4, linestyle=(0, (4, 2)),
        label=f"slope {numbers['slope']:.2f} ± {numbers['slope_standard_error']:.2f}",
    )  # fmt: skip
    for name, amount in reversed(counts_by_reading(edges, shown).items()):
        these = shown & has_reading(edges, name)
        axes.scatter(
            influence.value[these], effect.value[these], s=14, marker=SHAPES[name], color=colour_of(name), alpha=0.75,
            linewidths=1.0 if name == "neither" else 0, rasterized=True, label=f"{SHORT[name].partition(':')[0]}: {amount:,}",
        )  # fmt: skip
    for number, row in enumerate(labelled.tolist(), start=1):
        errors = [_INTERVAL * float(np.nan_to_num(column.error[row])) for column in (influence, effect)]
        point = (float(influence.value[row]), float(effect.value[row]))
        axes.errorbar(*point, xerr=errors[0], yerr=errors[1], color=style.INK, linewidth=1.0, capsize=2, linestyle="")
        axes.annotate(str(number), point, (3, 3), textcoords="offset points", fontsize=8, weight="bold", zorder=6)
    axes.set(xlabel="influence, SD per SD", ylabel="effect of a step, SD per SD")
    axes.set_title(f"Effect against influence: r = {numbers['correlation_with_influence']:.3f}")
    list_pairs(beside, study, edges, labelled, {"influence": influence, "effect": effect}, axes, _HEIGHT)


def _draw_ceiling(
    axes: Axes, halves: tuple[np.ndarray, np.ndarray], numbers: dict[str, float], limits: tuple[float, float]
) -> None:
    _square(axes, max(limits[1], 1.08 * float(np.max(np.abs(halves)))))
    reach = axes.get_xlim()[1]
    axes.plot([-reach, reach], [-reach, reach], color=style.MUTED, linewidth=1.0)
    axes.scatter(*halves, s=14, color=style.ACCENT, alpha=0.5, linewidths=0, rasterized=True)
    axes.set(xlabel="effect in one half of the documents", ylabel="effect in the other half")
    axes.set_title(f"Noise ceiling: r = {numbers['correlation_between_halves']:.3f}")


def _square(axes: Axes, reach: float) -> None:
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    for line in (axes.axhline, axes.axvline):
        line(0, color=style.FAINT, linewidth=0.8)
