"""One look for all pictures: colours, headline, note, and files with fixed bytes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

import glasso_cli
from glasso_cli.artifacts.tables import write_table
from glasso_cli.config import VisualizeSection
from glasso_cli.files import atomic_write
from glasso_cli.report.plots.parts import glyphs
from glasso_cli.report.words.labels import SIGNS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LinearSegmentedColormap, ListedColormap
    from matplotlib.figure import Figure

INK = "#222222"
MUTED = "#5F5F5F"
FAINT = "#D9D9D9"
ACCENT = "#333333"  # bars and lines that carry no sign
MARK = "#E69F00"  # the selected alpha


_COMPRESSION = 3  # of PNG files: a third less work than the default of 6, and smaller for figures of letters and lines
_DATE = "1980-01-01T00:00:00"
_RC: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": "#888888",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "text.hinting": "none",  # letters take the same room at every resolution
    "text.parse_math": False,  # ids and contexts may hold dollar signs
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "svg.hashsalt": "glasso",
    "svg.fonttype": "path",  # the same letters everywhere
    "image.composite_image": False,
}


class Subject(Protocol):
    """What a picture is about, as far as its words and files need it."""

    @property
    def section(self) -> VisualizeSection:
        """Formats and resolution."""

    @property
    def title(self) -> str:
        """Model and corpora."""

    @property
    def subject(self) -> str:
        """What a stranger must know, for under the headline."""

    @property
    def key(self) -> str:
        """The key of the artifact drawn."""


@dataclass(frozen=True)
class Picture:
    """One figure: ``name`` of its files, a sentence that says what it shows, and the plotted numbers."""

    name: str
    figure: Figure
    alt: str
    table: Mapping[str, Any]  # column → values
    texts: Mapping[str, str] = field(default_factory=dict)  # further files: suffix → content
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # further numbers: end of the name → columns


@contextmanager
def look() -> Iterator[None]:
    """The style of all pictures, whatever the user's matplotlib is set to."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        mpl.rcParams["font.family"] = [glyphs.SANS, *glyphs.wide_fonts()]
        yield


def signed_colours() -> ListedColormap:
    """RdBu without its pale middle, so that the smallest nonzero value differs from the white of a zero."""
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap

    base = mpl.colormaps["RdBu"]
    halves = [np.linspace(0, 0.42, 128), np.linspace(0.58, 1, 128)]
    return ListedColormap(base(np.concatenate(halves)), name="signed")


def count_colours() -> LinearSegmentedColormap:
    """Pale to dark violet, for counts and shares: no hue that means a sign."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("count", ["#E3DCEC", "#8E6BB0", "#2D0B45"])


# -- the page -----------------------------------------------------------------------------------------

_MARGIN = 0.3  # inches
_HEAD = 13.0  # points
_BODY = 9.0
_LEADING = 1.4
_GLYPH = 0.53  # mean width of a letter, in ems


@dataclass(frozen=True)
class Page:
    """A figure with headline and note in place; ``top`` and ``bottom`` bound the rest, in inches from below."""

    figure: Figure
    top: float
    bottom: float


def page(
    study: Subject, headline: str, note: str, size: tuple[float, float], *, auto: bool = True, signs: bool = False
) -> Page:
    """A page whose body is ``size`` (inches), with what a stranger must know above and how to read it below.

    ``auto`` lets matplotlib arrange the axes of the body; ``signs`` adds what signs are relative to.
    """
    from matplotlib.figure import Figure

    note = f"{note} {SIGNS}" if signs else note
    width, body = size
    head = wrapped(headline, width, _HEAD)
    subject = wrapped(glyphs.drawable(study.subject), width, _BODY)
    foot = wrapped(glyphs.drawable(note), width, _BODY)
    above = _MARGIN + _inches(head, _HEAD) + _inches(subject, _BODY) + 0.12
    below = _MARGIN * 0.7 + (_inches(foot, _BODY) + 0.1 if foot else 0)
    height = above + body + below
    figure = Figure(figsize=(width, height), dpi=study.section.dpi, facecolor="white")
    line = height - _MARGIN
    _write(figure, head, line, _HEAD, weight="bold")
    _write(figure, subject, line - _inches(head, _HEAD), _BODY, color=MUTED)
    _write(figure, foot, below - 0.1, _BODY, color=MUTED)
    if auto:
        side = 0.6 * _MARGIN / width
        rect = (side, below / height, 1 - 2 * side, body / height)
        figure.set_layout_engine("constrained", rect=rect, w_pad=0.08, h_pad=0.08)
    return Page(figure, height - above, below)


def wrapped(text: str, width: float, size: float) -> list[str]:
    """``text`` broken into lines for ``width`` inches at ``size`` points."""
    columns = int((width - 2 * _MARGIN) * 72 / (size * _GLYPH))
    return textwrap.wrap(text, max(columns, 20), break_on_hyphens=False)


def _inches(lines: list[str], size: float) -> float:
    return len(lines) * size * _LEADING / 72


def _write(figure: Figure, lines: list[str], top: float, size: float, **look: Any) -> None:
    width, height = figure.get_size_inches()
    for number, line in enumerate(lines):
        y = top - number * size * _LEADING / 72
        figure.text(_MARGIN / width, y / height, line, fontsize=size, va="top", **look)


def plain_log(axis: Any) -> None:
    """A logarithmic axis with plain numbers: 0.05, 1,000, 1e-07."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = sorted(axis.get_view_interval())
    decades = np.log10(high / low)
    subs = (1.0, 2.0, 5.0) if decades < 2.2 else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axis.set_minor_formatter(NullFormatter())


def plain(value: float) -> str:
    """A number as one writes it: 0.05, 2.5, 1,000, 1e-07."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return f"{value:.1e}".replace(".0e", "e")


def empty(axes: Axes, sentence: str) -> None:
    """Say in the middle of ``axes`` why there is nothing to see."""
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, sentence, transform=axes.transAxes, ha="center", va="center", color=MUTED)


# -- files ----------------------------------------------------------------------------------------------


def save(picture: Picture, folder: Path, study: Subject) -> list[Path]:
    """The files written for ``picture``: one per format, and its numbers as CSV. Same input, same bytes."""
    written = []
    _settle(picture.figure)
    for suffix in study.section.formats:
        path = folder / f"{picture.name}.{suffix}"
        with atomic_write(path) as file:
            _save(picture.figure, file, suffix, _metadata(picture, study, suffix))
        written.append(path)
    tables = [write_table(folder / f"{picture.name}.csv", picture.table)]
    tables += [write_table(folder / f"{picture.name}-{end}.csv", table) for end, table in picture.tables.items()]
    for ending, text in picture.texts.items():
        written.append(folder / f"{picture.name}.{ending}")
        with atomic_write(written[-1], "w") as file:
            file.write(text)
    return [*written, *tables]


def _save(figure: Figure, file: IO[bytes], suffix: str, metadata: dict[str, str]) -> None:
    """Write a figure whose axes have their places; ``savefig`` would first draw it all without writing, to place them."""
    if suffix == "png":
        _canvas(figure).print_png(file, metadata=metadata, pil_kwargs={"compress_level": _COMPRESSION})
    else:
        figure.savefig(file, format=suffix, metadata=metadata)


def _canvas(figure: Figure) -> FigureCanvasAgg:
    """The canvas of a figure with one buffer of pixels; the one it was made with takes a new one to measure each text."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = figure.canvas
    return canvas if isinstance(canvas, FigureCanvasAgg) else FigureCanvasAgg(figure)


def _settle(figure: Figure) -> None:
    """Arrange the axes once and round their places: the last digits of the constraint solver differ between runs."""
    from matplotlib.transforms import Bbox

    engine = figure.get_layout_engine()
    if engine is None:
        return
    _canvas(figure)
    engine.execute(figure)
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position(Bbox(np.round(axes.get_position().get_points(), 6)))


def _metadata(picture: Picture, study: Subject, suffix: str) -> dict[str, str]:
    writer = f"glasso {glasso_cli.__version__}"
    title = glyphs.one_line(f"{study.title}: {picture.name}")
    alt = glyphs.one_line(picture.alt)
    if suffix == "svg":
        return {
            "Title": title,
            "Description": alt,
            "Creator": writer,
            "Identifier": f"glasso:{study.key}",
            "Date": _DATE,
        }
    return {
        "Title": title,
        "Description": alt,
        "Software": writer,
        "Source": f"glasso:{study.key}",
        "Creation Time": _DATE,
    }
