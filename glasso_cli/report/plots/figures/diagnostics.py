"""What the statistics rest on: tokens kept and masked, their dependence, and the shape of each neuron's values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts.metrics.collect import MASKS, SELDOM
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.labels import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_RULES = {
    "read": "read",
    "special": "special tokens",
    "first": "first of a window",
    "unrouted": "sent to other experts",
    "massive": "massive activation",
    "border": "border of an image",
    "kept": "kept",
}
_BAR = 0.66
_APART = 0.16  # of the width of a distribution, between two labels below it
_ROUND = [digit * 10.0**power for power in range(-9, 7) for digit in (1, 3)]


@dataclass(frozen=True)
class _Bars:
    """Named amounts; those in ``muted`` are drawn pale."""

    names: list[str]
    values: list[float]
    muted: frozenset[str] = frozenset()


def pictures(study: Study) -> Iterator[style.Picture]:
    """Eight panels about the collected statistics, of all neurons that were collected."""
    n, sample = study.stats.n_neurons, study.stats.metrics.sample
    note = (
        f"All {count(n, 'collected neuron')}, of which {study.p:,} are in the graph. Effective {sample}s: how many "
        f"independent {sample}s would say as much about a correlation; neighbouring {sample}s repeat each other. "
        f"Excess kurtosis is 0 for a Gaussian: large values mean that a few {sample}s rule the correlations."
    )
    page = style.page(study, "What the statistics rest on", note, (15.0, 6.6))
    axes = page.figure.subplots(2, 4)
    _tokens(axes[0, 0], study)
    _effective(axes[0, 1], study)
    _blocks(axes[0, 2], study)
    _neurons(axes[0, 3], study)
    _autocorrelation(axes[1, 0], study)
    _kurtosis(axes[1, 1], study)
    _deviation(axes[1, 2], study)
    _top_share(axes[1, 3], study)
    yield style.Picture("diagnostics", page.figure, _alt(study), _table(study))


def _alive(study: Study) -> np.ndarray:
    return ~study.stats.dead


# -- words and numbers --------------------------------------------------------------------------------


def _alt(study: Study) -> str:
    stats = study.stats
    kurtosis = stats.kurtosis[_alive(study)]
    shape = f"median excess kurtosis {np.nanmedian(kurtosis):.1f}; " if len(kurtosis) else ""
    return (
        f"Diagnostics of the collected statistics ({study.title}): {count(stats.n_tokens, stats.metrics.sample)} kept, "
        f"worth about {stats.n_effective:,.0f} independent ones, {count(len(stats.counts), 'block')}; {shape}{count(int(stats.dead.sum()), 'dead neuron')}, "
        f"{count(int((stats.duplicate_of >= 0).sum()), 'duplicate')}."
    )


def _table(study: Study) -> dict[str, Any]:
    """One row per number drawn in a bar or a band; the values of every neuron are in neurons.csv."""
    stats, sample = study.stats, study.stats.metrics.sample
    low, middle, high = _bands(study)
    entries: list[tuple[str, Any, Any]] = [
        (f"{sample}s {rule}", "", amount)
        for rule, amount in sorted(asdict(stats.metrics.tokens).items())
        if rule not in SELDOM or amount
    ]
    entries += [
        (f"effective {sample}s {k.replace('token', sample)}", "", v)
        for k, v in sorted(asdict(stats.metrics.n_effective).items())
    ]
    entries += [(f"{sample}s in block", i, int(amount)) for i, amount in enumerate(stats.counts)]
    neurons = _neuron_bars(study)
    entries += [("neurons", name, value) for name, value in zip(neurons.names, neurons.values)]
    for name, band in (("5 %", low), ("median", middle), ("95 %", high)):
        entries += [(f"autocorrelation {name}", lag + 1, float(v)) for lag, v in enumerate(band)]
    names, places, values = zip(*entries)
    return {"quantity": names, "of": [str(place) for place in places], "value": [str(v) for v in values]}


def _bands(study: Study) -> np.ndarray:
    """5 %, median and 95 % over neurons of the autocorrelation at every lag, ``(3, L)``."""
    rows = np.asarray(study.stats.autocorrelation)[_alive(study)]
    if rows.size == 0:
        return np.empty((3, 0))
    bands: np.ndarray = np.nanquantile(rows, (0.05, 0.5, 0.95), axis=0)
    return bands


# -- bars -----------------------------------------------------------------------------------------------


def _draw_bars(axes: Axes, bars: _Bars, title: str, whole: float | None = None) -> None:
    """Horizontal bars with their values written beside; shares of ``whole`` where given."""
    rows = np.arange(len(bars.names))
    fills = [style.FAINT if name in bars.muted else style.ACCENT for name in bars.names]
    axes.barh(rows, bars.values, height=_BAR, color=fills)
    longest = max([*bars.values, 1])
    for row, value in zip(rows, bars.values):
        share = f"  ({percent(value / whole)})" if whole else ""
        axes.annotate(
            f"{value:,.0f}{share}", (value, row), (4, 0), textcoords="offset points",
            va="center", fontsize=8.5,
        )  # fmt: skip
    axes.set_title(title)
    axes.set_yticks(rows, bars.names)
    axes.tick_params(axis="y", length=0)
    axes.set(xticks=[], xlim=(0, longest * 1.6), ylim=(len(rows) - 0.4, -0.6))
    axes.spines["bottom"].set_visible(False)


def _tokens(axes: Axes, study: Study) -> None:
    tokens = study.stats.metrics.tokens
    rules = {rule: name for rule, name in _RULES.items() if rule not in SELDOM or getattr(tokens, rule)}
    bars = _Bars(
        list(rules.values()),
        [float(getattr(tokens, rule)) for rule in rules],
        frozenset(rules[rule] for rule in MASKS if rule in rules),
    )
    _draw_bars(
        axes, bars, f"{study.stats.metrics.sample.capitalize()}s, and those masked (pale)", whole=float(tokens.read)
    )


def _effective(axes: Axes, study: Study) -> None:
    effective = study.stats.metrics.n_effective
    bars = _Bars(
        [f"{study.stats.metrics.sample}s kept", "effective,\nmedian pair", "effective,\n5 % of pairs"],
        [float(effective.n_tokens), effective.median, effective.q05],
    )
    _draw_bars(axes, bars, "How many count as independent", whole=bars.values[0])


def _neuron_bars(study: Study) -> _Bars:
    stats = study.stats
    dead, duplicate = int(stats.dead.sum()), int((stats.duplicate_of >= 0).sum())
    unfitted = len(stats.usable()) - study.p
    names = ["collected", "dead", "duplicates", "not asked for", "in the graph"]
    values = [float(v) for v in (stats.n_neurons, dead, duplicate, unfitted, study.p)]
    return _Bars(names, values, frozenset(names[1:4]))


def _neurons(axes: Axes, study: Study) -> None:
    _draw_bars(axes, _neuron_bars(study), "Neurons, and those left out (pale)")


def _blocks(axes: Axes, study: Study) -> None:
    counts = study.stats.counts
    axes.bar(np.arange(len(counts)), counts, width=0.8, color=style.ACCENT)
    sample = study.stats.metrics.sample
    axes.set(title=f"{sample.capitalize()}s per block of documents", xlabel="block", ylabel=f"{sample}s kept")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.set_major_formatter(lambda value, _: style.plain(value))
    axes.axhline(counts.mean(), color=style.MARK, linewidth=1.6)
    axes.set_ylim(0, max(1, counts.max()) * 1.18)
    axes.annotate(
        f"mean {counts.mean():,.0f}", (1, 1), (0, -2), xycoords="axes fraction",
        textcoords="offset points", ha="right", va="top", fontsize=8.5,
    )  # fmt: skip


# -- distributions --------------------------------------------------------------------------------------


def _autocorrelation(axes: Axes, study: Study) -> None:
    low, middle, high = _bands(study)
    axes.set_title("Autocorrelation inside documents")
    if not len(middle):
        style.empty(axes, "not recorded")
        return
    lags = np.arange(1, len(middle) + 1)
    axes.fill_between(lags, low, high, color=style.ACCENT, alpha=0.18, linewidth=0, label="5 – 95 % of neurons")
    axes.plot(lags, middle, color=style.ACCENT, marker="o", markersize=3, label="median neuron")
    axes.axhline(0, color=style.MUTED, linewidth=0.8)
    other = study.stats.metrics.sample == "sample"
    axes.set(xlabel="lag, from near to far" if other else "lag (tokens)", ylabel="autocorrelation")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()


def _kurtosis(axes: Axes, study: Study) -> None:
    """On the scale of log(kurtosis), of which the excess is 3 less and at least −2."""
    values = study.stats.kurtosis[_alive(study)]
    plain = np.log10(np.maximum(values[np.isfinite(values)] + 3, 1))
    _distribution(axes, plain, "Excess kurtosis", "excess kurtosis (log scale)")
    if len(plain):
        shown = [t for t in (-1, 0, 3, 10, 30, 100, 300, 1000, 3000) if t + 3 <= 10 ** plain.max() * 1.1]
        _label(axes, np.log10(np.array(shown) + 3.0), [f"{t:,}".replace("-", "−") for t in shown])
        _median(axes, float(np.median(plain)), f"median {10 ** np.median(plain) - 3:.3g}")


def _deviation(axes: Axes, study: Study) -> None:
    values = study.stats.std[_alive(study)]
    values = np.log10(values[values > 0])
    _distribution(axes, values, "Standard deviation", "standard deviation (log scale)")
    if len(values):
        shown = [t for t in _ROUND if values.min() <= np.log10(t) <= values.max()]
        _label(axes, np.log10(shown), [style.plain(t) for t in shown])
        _median(axes, float(np.median(values)), f"median {10 ** np.median(values):.2g}")


def _top_share(axes: Axes, study: Study) -> None:
    values = study.stats.top_share[_alive(study)]
    _distribution(
        axes, values, "Concentration", f"share of the variance in the strongest 1 % of {study.stats.metrics.sample}s"
    )
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    if len(values):
        _median(axes, float(np.median(values)), f"median {100 * np.median(values):.0f} %")


def _distribution(axes: Axes, values: np.ndarray, title: str, label: str) -> None:
    import seaborn as sns

    axes.set_title(title)
    if not len(values):
        style.empty(axes, "no neuron has any variance")
        return
    sns.histplot(x=values, ax=axes, bins=40, color=style.ACCENT, edgecolor="white", linewidth=0.4)
    axes.set(xlabel=label, ylabel="neurons")


def _label(axes: Axes, places: np.ndarray, labels: Sequence[str]) -> None:
    """Ticks at increasing ``places (n,)``, without those that would stand in the label before them."""
    left, right = axes.get_xlim()
    chosen: list[int] = []
    for index, place in enumerate(places):
        if not chosen or place - places[chosen[-1]] >= _APART * (right - left):
            chosen.append(index)
    axes.set_xticks(places[chosen], [labels[index] for index in chosen])


def _median(axes: Axes, place: float, text: str) -> None:
    axes.axvline(place, color=style.MARK, linewidth=1.6)
    left, right = axes.get_xlim()
    over = place > (left + right) / 2
    axes.annotate(
        text, (place, 1), (-4 if over else 4, -1), xycoords=("data", "axes fraction"),
        textcoords="offset points", fontsize=8.5, va="top", ha="right" if over else "left",
    )  # fmt: skip
