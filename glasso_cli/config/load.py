"""Read a configuration file with ``extends`` and ``--set``, and report all problems at once with their places.

Precedence: ``--set``, then the file, then the files it extends, then the defaults of :mod:`glasso_cli.config`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from glasso_cli.config.experiment import Config, without_default
from glasso_cli.config.problems import Problem, dotted, hint, message, report, section_at
from glasso_cli.config.strict_yaml import Document, Loc, StrictYamlError, parse, parse_argument
from glasso_cli.errors import ConfigError

MOST_BYTES = 2**20  # of a file
MOST_FILES = 100  # of a configuration


@dataclass
class _Loading:
    """The merged values so far, where they were written, and the problems found."""

    data: dict[str, Any] = field(default_factory=dict)
    documents: list[tuple[Path, Document]] = field(default_factory=list)  # in the order of precedence
    overrides: list[Loc] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    n_files: int = 0  # read so far

    def add(self, path: Path, document: Document, loc: Loc, text: str, *, key: bool = False) -> None:
        """Add a problem of ``path`` at ``loc``."""
        self.problems.append(_located(0, path, document, loc, text, key=key))


def load_config(path: Path, overrides: Sequence[str] = (), needed: Collection[str] | None = None) -> Config:
    """The validated configuration of ``path`` with ``overrides`` (``section.key=value``) applied.

    ``needed`` names the sections that will be read (all of them by default): others may be missing, and stand there with
    their defaults alone. Raises :class:`ConfigError` that lists every problem with file, line and column.
    """
    loading = _Loading()
    loading.data, loading.documents = _read(path, loading, chain=())
    for override in overrides:
        _apply(override, loading)
    loading.data.setdefault("name", path.stem)
    if needed is not None:
        for name, section in without_default().items():
            if name not in needed:
                loading.data.setdefault(name, section.model_construct())
    try:
        config = Config.model_validate(loading.data)
    except ValidationError as error:
        # For pydantic, a list with a bad item is also "too short"; only the item is worth reporting.
        errors = [item for item in error.errors() if not (item["type"] == "too_short" and item["input"])]
        loading.problems += [_problem(item, loading, path) for item in errors]
    if loading.problems:
        problems = sorted(dict.fromkeys(loading.problems), key=lambda problem: problem.order)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigError(report(f"{path} has {count}", problems), hint(problems))
    return config


# -- files ----------------------------------------------------------------------------------------

_Read = tuple[dict[str, Any], list[tuple[Path, Document]]]


def _read(path: Path, loading: _Loading, chain: tuple[Path, ...]) -> _Read:
    """The values of ``path`` merged with those it extends, and the documents in the order of precedence."""
    resolved = path.resolve()
    if resolved in chain:
        names = " → ".join(p.name for p in (*chain[chain.index(resolved) :], resolved))
        raise ConfigError(f"{path} extends itself: {names}.", "Remove one of the extends lines.")
    loading.n_files += 1
    if loading.n_files > MOST_FILES:
        raise ConfigError(
            f"More than {MOST_FILES} files are read, each extending others.",
            "Let every file extend what it needs once.",
        )
    document = _parse_file(path)
    data = _mapping_of(path, document)
    for loc, position in document.duplicates:
        text = f"is given twice, first on line {document.keys[loc].line}; delete one of them"
        problem = _located(0, path, document, loc, text)
        line = document.lines[position.line - 1]
        loading.problems.append(Problem(problem.key, text, str(path), position, line, rank=0))
    for loc, text in document.bad_keys:
        loading.add(path, document, loc, text, key=True)
    below: _Read = ({}, [])
    for base in _bases(path, document, data.pop("extends", []), loading):
        values, documents = _read(base, loading, (*chain, resolved))
        below = (_deep_merge(below[0], values), documents + below[1])
    return _deep_merge(below[0], data), [(path, document), *below[1]]


def _bases(path: Path, document: Document, value: Any, loading: _Loading) -> list[Path]:
    """The files that ``extends`` names; a name that cannot be a file is reported."""
    if isinstance(value, str):
        named: list[tuple[Loc, Any]] = [(("extends",), value)]
    elif isinstance(value, list):
        named = [(("extends", index), name) for index, name in enumerate(value)]
    else:
        named = [(("extends",), None)]
    files = []
    for loc, name in named:
        if not isinstance(name, str) or not name:
            loading.add(path, document, loc, "should be a file name or a list of file names")
        elif Path(name).name == ".env":
            loading.add(path, document, loc, "a .env file holds secrets and is no configuration")
        elif _is_there(path.parent / name):
            files.append(path.parent / name)
        else:
            loading.add(path, document, loc, f"there is no file {path.parent / name}{_near(path.parent / name)}")
    return files


def _is_there(path: Path) -> bool:
    """Whether ``path`` is a file, or something about it must be said when it is opened."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return os.path.lexists(path) if "\0" not in str(path) else False


def _mapping_of(path: Path, document: Document) -> dict[str, Any]:
    data = document.data
    if isinstance(data, dict):
        return data
    kinds = {type(None): "empty", list: "a list", str: "text", bool: "true or false"}
    raise ConfigError(
        f"{path} is {kinds.get(type(data), 'a number')}; it should contain sections such as `model:`.",
        "Start with `glasso init`, which writes a commented configuration.",
    )


def _parse_file(path: Path) -> Document:
    text = _text_of(path)
    try:
        return parse(text)
    except StrictYamlError as error:
        line = text.splitlines()[error.position.line - 1 :][:1] if error.position else []
        problem = Problem("", error.problem, str(path), error.position, "".join(line))
        raise ConfigError(
            report(f"{path} is not valid YAML", [problem]), "Check the indentation, quotes and brackets there."
        ) from None


def _text_of(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ConfigError(
                f"{path} is larger than {MOST_BYTES // 2**20} MB.",
                "Give the configuration; texts belong in files of their own, under corpora.",
            )
        return content.decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(
            f"There is no configuration file {path}{_near(path)}.",
            "Give the path of a YAML file, or write one with `glasso init`.",
        ) from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder.", "Give the path of a YAML file.") from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}).", "Check its permissions, or give another file."
        ) from None
    except UnicodeDecodeError as error:  # a ValueError too
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path} is not UTF-8 text (line {line}).", "Save it as UTF-8.") from None
    except ValueError:
        raise ConfigError(f"{str(path)!r} cannot be the name of a file.", "Give the path of a YAML file.") from None


def _near(path: Path) -> str:
    """The YAML files next to ``path`` with a similar name, as the end of a sentence."""
    stems = {other.stem: other.name for other in path.parent.glob("*.y*ml")}
    near = difflib.get_close_matches(path.stem, stems)
    return f"; there is {', '.join(stems[stem] for stem in near)}" if near else ""


def _deep_merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Merge two mappings key by key; any other value in ``above`` replaces the one in ``below``."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _deep_merge(merged[key], value) if both else value
    return merged


# -- --set ----------------------------------------------------------------------------------------


def _apply(override: str, loading: _Loading) -> None:
    name, equals, text = override.partition("=")
    keys: Loc = tuple(name.strip().split("."))
    try:
        document = parse_argument(text.strip())
    except StrictYamlError as error:
        loading.problems.append(Problem(name, f"the value is not valid YAML: {error.problem}"))
        return
    if not equals or not all(keys):
        loading.problems.append(Problem(name, "should be written as section.key=value"))
        return
    if not text.strip():
        loading.problems.append(Problem(name, "has no value; write one, or null to restore the default"))
        return
    wrong = [(loc, "is given twice; delete one of them") for loc, _ in document.duplicates] + document.bad_keys
    loading.problems += [Problem(dotted((*keys, *loc)), text) for loc, text in wrong]
    loading.overrides.append(keys)
    _put(loading.data, keys, document.data)


def _put(data: dict[str, Any], keys: Loc, value: Any) -> None:
    """Set one value. If null is not a valid value, it restores the default, or removes a corpus."""
    for key in keys[:-1]:
        if not isinstance(data.get(str(key)), dict):
            data[str(key)] = {}
        data = data[str(key)]
    section, last = section_at(keys[:-1]), str(keys[-1])
    info = section.model_fields.get(last) if section else None
    default = info is not None and type(None) not in get_args(info.annotation)
    if value is None and (default or (section is None and last in data)):
        data.pop(last, None)
    else:
        data[last] = value


# -- where a problem was written ------------------------------------------------------------------------


def _problem(error: Any, loading: _Loading, path: Path) -> Problem:
    loc: Loc = tuple(error["loc"])
    kind, text = error["type"], message(error)
    at_key = kind == "extra_forbidden" or loc[-1] == "[key]"
    loc = loc[:-1] if loc[-1] == "[key]" else loc
    over = any(loc[: len(keys)] == keys for keys in loading.overrides)
    beneath = any(keys[: len(loc)] == loc for keys in loading.overrides)
    # If a rule about a whole section is broken, the file has as much part in it as an override inside the section.
    if over or (beneath and kind != "value_error"):
        return Problem(dotted(loc), text)
    for rank, (file, document) in enumerate(loading.documents):
        if _wrote(document, loc):
            return _located(rank, file, document, loc, text, key=at_key)
    if beneath:
        return Problem(dotted(loc), text)
    for rank, (file, document) in enumerate(loading.documents):
        if kind == "missing" and loc[:-1] in document.keys:
            return _located(rank, file, document, loc, text, key=True)
    return Problem(dotted(loc), text, str(path), rank=0)


def _wrote(document: Document, loc: Loc) -> bool:
    """Whether ``document`` itself gives ``loc`` (a list item counts as its list)."""
    while loc and isinstance(loc[-1], int):
        loc = loc[:-1]
    return loc in document.keys


def _located(rank: int, path: Path, document: Document, loc: Loc, text: str, *, key: bool = False) -> Problem:
    position = document.locate(loc, key=key)
    line = document.lines[position.line - 1] if position else ""
    return Problem(dotted(loc), text, str(path), position, line, rank)
