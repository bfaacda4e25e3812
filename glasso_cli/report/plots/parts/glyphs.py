"""Untrusted text made drawable: control characters shown, and no character without a glyph."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

SANS = "DejaVu Sans"  # both come with matplotlib
MONO = "DejaVu Sans Mono"
UNDRAWABLE = "□"

# Fonts with wide coverage that are common on Linux, macOS and Windows; those installed are used where DejaVu has no glyph.
_WIDE = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans JP",
    "Noto Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "IPAGothic",
    "Hiragino Sans",
    "Arial Unicode MS",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Noto Sans Devanagari",
    "Noto Emoji",
    "Symbola",
    "Segoe UI Symbol",
)
_SHOWN = {"\n": "⏎", "\r": "↵", "\t": "⇥", "\u2028": "⏎", "\u2029": "⏎", "\u00a0": " "}
_HIDDEN = ("Cc", "Cf", "Cs", "Cn", "Co")  # controls, bidirectional marks and joiners, surrogates


@lru_cache(maxsize=1)
def wide_fonts() -> tuple[str, ...]:
    """The installed families of wide coverage."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return tuple(name for name in _WIDE if name in installed)


@lru_cache(maxsize=1)
def _code_points() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    families = (SANS, *wide_fonts())
    maps = (get_font(findfont(FontProperties(family=name))).get_charmap() for name in families)
    return frozenset().union(*maps)


def drawable(text: str) -> str:
    """``text`` on one line: ⏎ for a newline, ⇥ for a tab, □ for a character that no font here can draw."""
    return "".join(map(_glyph, text))


@lru_cache(maxsize=4096)
def _glyph(character: str) -> str:
    if character in _SHOWN:
        return _SHOWN[character]
    category = unicodedata.category(character)
    if category in _HIDDEN:
        return "" if category == "Cf" else UNDRAWABLE
    return character if ord(character) in _code_points() else UNDRAWABLE


def one_line(text: str) -> str:
    """``text`` without line breaks and control characters, for metadata; any letter may stay."""
    return "".join(
        _SHOWN.get(character, "" if unicodedata.category(character) in ("Cc", "Cs") else character)
        for character in text
    )


def cells(text: str) -> int:
    """Columns that ``text`` takes in a monospaced font: two for wide East Asian characters and emoji."""
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
