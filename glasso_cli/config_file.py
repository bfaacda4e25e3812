"""Read a configuration file: ``extends``, ``--set``, and every problem at once with its place.

Precedence: ``--set``, then the file, then what it extends, then the defaults of :mod:`glasso_cli.config`.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from glasso_cli.config import Config
from glasso_cli.errors import ConfigError
from glasso_cli.strict_yaml import Document, Loc, StrictYamlError, parse, parse_scalar


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a configuration, and where it was written."""

    place: str  # "run.yaml:14:10", or "--set fit.alpa=0.1"
    key: str  # "fit.alhpa"
    message: str
    line: str = ""  # the line of the file
    column: int = 0  # 1-based, 0 for none

    @property
    def order(self) -> tuple[int, int]:
        """By line and column of the file; overrides, which have no line, come last."""
        parts = self.place.rsplit(":", 2)
        return (int(parts[1]), self.column) if self.line else (1 << 30, 0)


@dataclass
class _Merged:
    """The merged values, and for every leaf the document (or override) that set it."""

    data: dict[str, Any] = field(default_factory=dict)
    documents: list[tuple[Path, Document]] = field(default_factory=list)  # nearest first
    overrides: dict[Loc, str] = field(default_factory=dict)


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """The validated configuration of ``path`` with ``overrides`` (``section.key=value``) applied.

    Raises :class:`ConfigError` that lists every problem with file, line and column.
    """
    merged = _Merged()
    problems: list[Problem] = []
    merged.data = _read(path, merged, problems, chain=())
    for override in overrides:
        _apply(override, merged, problems)
    merged.data.setdefault("name", path.stem)
    try:
        config = Config.model_validate(merged.data)
    except ValidationError as error:
        problems += [_problem(item, merged, path) for item in error.errors()]
    if problems:
        problems.sort(key=lambda problem: problem.order)
        raise ConfigError(_report(path, problems), _hint(problems))
    return config


# -- files ----------------------------------------------------------------------------------------


def _read(
    path: Path, merged: _Merged, problems: list[Problem], chain: tuple[Path, ...]
) -> dict[str, Any]:
    resolved = path.resolve()
    if resolved in chain:
        names = " → ".join(p.name for p in (*chain[chain.index(resolved) :], resolved))
        raise ConfigError(f"{path} extends itself: {names}.", "Remove one of the extends lines.")
    document = _parse_file(path)
    merged.documents.append((path, document))
    problems += _structure_problems(path, document)
    data = document.data
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(
            f"{path} is a {type(data).__name__}, not a mapping of sections.",
            "Start from `glasso init`, which writes a commented configuration.",
        )
    bases = data.pop("extends", [])
    bases = [bases] if isinstance(bases, str) else bases
    if not isinstance(bases, list) or not all(isinstance(base, str) for base in bases):
        problems.append(
            _located(path, document, ("extends",), "should be a file name or a list of file names")
        )
        bases = []
    below: dict[str, Any] = {}
    for base in bases:
        below = _deep_merge(
            below, _read(path.parent / base, merged, problems, (*chain, resolved))
        )
    return _deep_merge(below, data)


def _parse_file(path: Path) -> Document:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.y*ml")])
        found = f"; there is {', '.join(near)}" if near else ""
        raise ConfigError(
            f"There is no configuration file {path}{found}.",
            "Give the path of a YAML file, or write one with `glasso init`.",
        ) from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder.", "Give the path of a YAML file.") from None
    except PermissionError:
        raise ConfigError(f"{path} may not be read.", "Change its permissions.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8 text (byte {error.start}).", "Save it as UTF-8."
        ) from None
    try:
        return parse(text)
    except StrictYamlError as error:
        where = f"{path}:{error.position.line}:{error.position.column}" if error.position else path
        raise ConfigError(
            f"{where} is not YAML: {error.problem}.", "Check indentation, quotes and brackets there."
        ) from None


def _structure_problems(path: Path, document: Document) -> list[Problem]:
    found = []
    for loc, position in document.duplicates:
        first = document.keys[loc]
        message = f"given twice; the first is on line {first.line}"
        found.append(
            Problem(
                f"{path}:{position.line}:{position.column}",
                _dotted(loc),
                message,
                _line(document, position.line),
                position.column,
            )
        )
    found += [_located(path, document, loc, message) for loc, message in document.bad_keys]
    return found


def _deep_merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Mappings merge key by key; anything else in ``above`` replaces what is below."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _deep_merge(merged[key], value) if both else value
    return merged


# -- --set ----------------------------------------------------------------------------------------


def _apply(override: str, merged: _Merged, problems: list[Problem]) -> None:
    place = f"--set {override}"
    dotted, equals, text = override.partition("=")
    keys = tuple(dotted.strip().split("."))
    if not equals or not all(keys):
        problems.append(Problem(place, dotted, "should read section.key=value"))
        return
    try:
        value = parse_scalar(text)
    except StrictYamlError as error:
        problems.append(Problem(place, dotted, f"the value is not YAML: {error.problem}"))
        return
    target = merged.data
    for key in keys[:-1]:
        if not isinstance(target.get(key), dict):
            target[key] = {}
        target[key] = dict(target[key])
        target = target[key]
    if value is None and not _nullable(keys):
        target.pop(keys[-1], None)  # `--set fit.tol=null` restores the default
    else:
        target[keys[-1]] = value
    merged.overrides[keys] = place


def _nullable(keys: Loc) -> bool:
    """Whether null is a value of its own at ``keys``, such as "no limit"."""
    model = _model_at(keys[:-1])
    field_info = model.model_fields.get(str(keys[-1])) if model else None
    return field_info is None or type(None) in get_args(field_info.annotation)


# -- what pydantic found, in the words of a person ---------------------------------------------------


def _problem(error: Any, merged: _Merged, path: Path) -> Problem:
    loc: Loc = tuple(error["loc"])
    unknown = error["type"] == "extra_forbidden"
    message = _message(error, loc)
    for length in range(len(loc), 0, -1):
        if loc[:length] in merged.overrides:
            return Problem(merged.overrides[loc[:length]], _dotted(loc), message)
    for file, document in merged.documents:
        position = document.locate(loc, key=unknown) if _wrote(document, loc) else None
        if position:
            line = _line(document, position.line)
            place = f"{file}:{position.line}:{position.column}"
            return Problem(place, _dotted(loc), message, line, position.column)
    parent = loc[:-1]
    if parent and error["type"] == "missing":
        for file, document in merged.documents:
            if parent in document.keys:
                return _located(file, document, parent, message, name=_dotted(loc), key=True)
    return Problem(str(path), _dotted(loc), message)


def _wrote(document: Document, loc: Loc) -> bool:
    """Whether ``document`` itself gives ``loc`` (a list item counts as its list)."""
    return any(
        loc[:end] in document.keys
        for end in range(len(loc), 0, -1)
        if end == len(loc) or isinstance(loc[end], int)
    )


def _message(error: Any, loc: Loc) -> str:
    kind, value, context = error["type"], error.get("input"), error.get("ctx", {})
    shown = repr(value) if len(repr(value)) < 60 else repr(value)[:57] + "..."
    if kind == "extra_forbidden":
        return _unknown_key(loc)
    if kind == "missing":
        return "missing, and there is no default"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        allowed = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        near = difflib.get_close_matches(str(value), allowed.split(", "), n=1)
        return f"{shown} is not one of: {allowed}" + (f"; did you mean {near[0]}?" if near else "")
    wanted = {
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_type": "a number",
        "bool_type": "true or false",
        "string_type": "text",
        "tuple_type": "a list",
        "dict_type": "a mapping of names",
        "model_type": "a mapping of keys",
        "path_type": "a path",
    }.get(kind)
    if wanted:
        return f"should be {wanted}, not {shown}"
    limits = {
        "greater_than": ("greater than", "gt"),
        "greater_than_equal": ("at least", "ge"),
        "less_than": ("less than", "lt"),
        "less_than_equal": ("at most", "le"),
    }
    if kind in limits:
        words, name = limits[kind]
        return f"should be {words} {context[name]}, not {shown}"
    if kind in ("too_short", "string_too_short"):
        return "is empty"
    return f"{error['msg'].lower()}: {shown}"


def _unknown_key(loc: Loc) -> str:
    model = _model_at(loc[:-1])
    allowed = sorted(model.model_fields) if model else []
    near = difflib.get_close_matches(str(loc[-1]), allowed, n=1, cutoff=0.5)
    if near:
        return f"unknown key; did you mean '{near[0]}'?"
    return f"unknown key; the keys here are: {', '.join(allowed)}"


def _model_at(loc: Loc) -> type[BaseModel] | None:
    """The section that stands at ``loc`` in the schema; the name of a corpus matches any."""
    model: Any = Config
    for key in loc:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            arguments = get_args(model)  # dict[str, Section]
            model = arguments[-1] if arguments else None
            continue
        info = model.model_fields.get(str(key))
        model = info.annotation if info else None
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


# -- the report -----------------------------------------------------------------------------------


def _located(
    path: Path, document: Document, loc: Loc, message: str, *, name: str = "", key: bool = False
) -> Problem:
    position = document.locate(loc, key=key)
    if position is None:
        return Problem(str(path), name or _dotted(loc), message)
    place = f"{path}:{position.line}:{position.column}"
    line = _line(document, position.line)
    return Problem(place, name or _dotted(loc), message, line, position.column)


def _line(document: Document, number: int) -> str:
    return document.lines[number - 1] if 0 < number <= len(document.lines) else ""


def _dotted(loc: Loc) -> str:
    parts = [f"[{key}]" if isinstance(key, int) else f".{key}" for key in loc]
    return "".join(parts).lstrip(".") or "(whole file)"


def _report(path: Path, problems: list[Problem]) -> str:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    rows = [f"{path} has {count}"]
    width = max(len(p.place) for p in problems)
    key_width = max(len(p.key) for p in problems)
    for problem in problems:
        rows.append(
            f"  {problem.place:<{width}}  {problem.key:<{key_width}}  {problem.message}"
        )
        if problem.line:
            number = problem.place.rsplit(":", 2)[1]
            rows.append(f"    {number:>4} | {problem.line}")
            rows.append(f"         | {' ' * (problem.column - 1)}^")
    return "\n".join(rows)


def _hint(problems: list[Problem]) -> str:
    sections = {p.key.split(".")[0] for p in problems} & set(Config.model_fields)
    name = sections.pop() if len(sections) == 1 else ""
    return f"`glasso schema {name}`".replace(" `", "`") + " lists every key with its help."
