"""Describe the problems of a configuration in plain words, each with its place and line."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from rich.cells import cell_len

from glasso_cli.config.experiment import Config
from glasso_cli.config.secrets import hide_keys
from glasso_cli.config.sections.section import Section
from glasso_cli.config.sections.values import shown
from glasso_cli.config.strict_yaml import Loc, Position

MOST_SHOWN = 40  # problems
EXCERPT = 68  # cells of a source line that are shown, so that a report fits 80 columns
LONGEST = 1_000  # characters of the message of one problem
_ANY = "NAME"  # stands for every name in a mapping of sections


@dataclass(frozen=True)
class Problem:
    """One problem of a configuration, and where it was written."""

    key: str  # "fit.alhpa"
    message: str
    file: str = "--set"
    position: Position | None = None
    line: str = ""  # of the file
    rank: int = 1_000  # files in the order of precedence, overrides last

    @property
    def place(self) -> str:
        at = self.position
        return f"{self.file}:{at.line}:{at.column}" if at else self.file

    @property
    def order(self) -> tuple[int, int, int]:
        at = self.position or Position(0, 0)
        return (self.rank, at.line, at.column)


def dotted(loc: Loc) -> str:
    """``loc`` as it is written on the command line: ``collect.hook_points[0]``."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in loc).lstrip(".")


# -- the sections by their places ---------------------------------------------------------------


@cache
def sections() -> dict[Loc, type[Section]]:
    """Every section of the schema by its place; ``NAME`` stands for any corpus."""
    by_place: dict[Loc, type[Section]] = {(): Config}
    todo: list[Loc] = [()]
    while todo:
        loc = todo.pop()
        for name, info in by_place[loc].model_fields.items():
            kind = info.annotation
            here: Loc = (*loc, name)
            if arguments := get_args(kind):  # dict[str, Section]
                kind, here = arguments[-1], (*here, _ANY)
            if isinstance(kind, type) and issubclass(kind, Section):
                by_place[here] = kind
                todo.append(here)
    return by_place


def section_at(loc: Loc) -> type[Section] | None:
    """The section at ``loc`` in the schema, or None; the name of a corpus matches ``NAME``."""
    for pattern, section in sections().items():
        if len(pattern) == len(loc) and all(want in (_ANY, key) for want, key in zip(pattern, loc)):
            return section
    return None


def _unknown_key(loc: Loc) -> str:
    section, name = section_at(loc[:-1]), str(loc[-1])
    allowed = sorted(section.model_fields) if section else []
    if near := difflib.get_close_matches(name, allowed, n=1):
        return f"unknown key; did you mean '{near[0]}'?"
    if elsewhere := [dotted((*at, name)) for at, other in sections().items() if name in other.model_fields]:
        return f"unknown key here; did you mean {' or '.join(elsewhere)}?"
    return f"unknown key; the keys here are: {', '.join(allowed)}"


# -- what pydantic found ------------------------------------------------------------------------------

_WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "a mapping of names",
    "model_type": "a mapping of keys",
    "path_type": "a path",
}
_LIMITS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def message(error: Any) -> str:
    """Describe one of pydantic's errors as a statement about the value."""
    kind, value, context = error["type"], error.get("input"), error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(tuple(error["loc"]))
    if kind == "missing":
        return "missing, and there is no default"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return _not_one_of(value, str(context["expected"]).replace("'", "").replace(" or ", ", "))
    if value is None and kind in ("model_type", "dict_type"):
        return "is empty; write its keys below it, or delete it"
    if kind == "tuple_type" and isinstance(value, str):
        advice = "remove the quotes" if value.startswith("[") else f"write [{value}]"
        return f"should be a list, not {shown(value)}; {advice}"
    if kind in _WANTED:
        return f"should be {_WANTED[kind]}, not {shown(value)}"
    if kind in _LIMITS:
        words, name = _LIMITS[kind]
        limit = context[name]
        return f"should be {words} {f'{limit:g}' if isinstance(limit, float) else limit}, not {shown(value)}"
    if kind in ("too_short", "string_too_short"):
        return "is empty"
    return f"{error['msg'].lower()}: {shown(value)}"


def _not_one_of(value: Any, allowed: str) -> str:
    near = difflib.get_close_matches(str(value), allowed.split(", "), n=1)
    return f"{shown(value)} is not one of: {allowed}" + (f"; did you mean {near[0]}?" if near else "")


# -- the report -----------------------------------------------------------------------------------


def report(title: str, problems: Sequence[Problem]) -> str:
    """Return ``title``, then every problem with its source line and a mark under the column."""
    rows, more = [title], problems[MOST_SHOWN:]
    problems = problems[:MOST_SHOWN]
    places = [_visible(problem.place) for problem in problems]
    keys = [_visible(_short(problem.key)) for problem in problems]
    width, key_width = (max(map(cell_len, column)) for column in (places, keys))
    for problem, place, key in zip(problems, places, keys):
        row = f"  {_padded(place, width)}  {_padded(key, key_width)}  "
        rows.append(
            (row if problem.key else row.rstrip() + "  ") + _visible(_short(hide_keys(problem.message), LONGEST))
        )
        if problem.position and problem.line:
            rows += _excerpt(problem.line, problem.position)
    if more:
        rows.append(f"  and {len(more):,} more")
    return "\n".join(rows)


def _excerpt(line: str, at: Position) -> list[str]:
    before, after = _visible(hide_keys(line[: at.column - 1])), _visible(hide_keys(line[at.column - 1 :]))
    if len(before) > EXCERPT * 3 // 4:
        before = "…" + before[-EXCERPT // 2 :]
    return [f"    {at.line:>4} | {_short(before + after)}", f"         | {' ' * cell_len(before)}^"]


def _short(text: str, most: int = EXCERPT) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _visible(text: str) -> str:
    """``text`` with control characters escaped, so that no file controls the terminal, and tabs as arrows."""
    return "".join(char if char.isprintable() else "→" if char == "\t" else repr(char)[1:-1] for char in text)


def hint(problems: Sequence[Problem]) -> str:
    """Say where to find the help for the keys of ``problems``."""
    sections = {problem.key.split(".")[0] for problem in problems} & set(Config.model_fields)
    name = f" {sections.pop()}" if len(sections) == 1 else ""
    return f"`glasso schema{name}` lists every key with its help."
