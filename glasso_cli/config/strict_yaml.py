"""Read YAML with the scalars of YAML 1.2, without duplicate keys, and with a position for every value.

PyYAML follows YAML 1.1, in which ``1e-3`` is a string, ``no`` is false, ``012`` is ten and ``12:30`` is 750,
and the last of two equal keys silently wins. The core schema of YAML 1.2
(https://yaml.org/spec/1.2.2/#103-core-schema) has none of that. Aliases are accepted. Merge keys (``<<``) are
rejected, and so are tags that change the type of a value, except to text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

Loc = tuple[str | int, ...]
_MAX_DEPTH = 64
_MAX_DIGITS = 400  # of a whole number; Python neither reads nor shows more than 4300
_MAX_VALUES = 100_000  # aliases of aliases multiply: a few lines can stand for billions of values
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Position:
    """The place of a key or value: line and column, both counted from 1."""

    line: int
    column: int


@dataclass
class Document:
    """A parsed YAML text: plain Python values, and the place of every key and value."""

    data: Any
    lines: list[str]
    keys: dict[Loc, Position] = field(default_factory=dict)
    values: dict[Loc, Position] = field(default_factory=dict)
    duplicates: list[tuple[Loc, Position]] = field(default_factory=list)
    bad_keys: list[tuple[Loc, str]] = field(default_factory=list)

    def locate(self, loc: Loc, *, key: bool = False) -> Position | None:
        """The position of ``loc``, or of its nearest parent that is written in the text."""
        first, second = (self.keys, self.values) if key else (self.values, self.keys)
        for end in range(len(loc), -1, -1):
            for table in (first, second):
                if loc[:end] in table:
                    return table[loc[:end]]
        return None


class StrictYamlError(Exception):
    """A text that is not valid YAML, with the place of the first problem."""

    def __init__(self, problem: str, position: Position | None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.position = position


class _CoreLoader(yaml.SafeLoader):
    """A SafeLoader whose implicit scalars are those of the YAML 1.2 core schema."""


_CoreLoader.yaml_implicit_resolvers = {}


def _resolver(tag: str, pattern: str, first: str) -> None:
    _CoreLoader.add_implicit_resolver(_TAG + tag, re.compile(pattern), list(first))


_resolver("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolver("null", r"^(?:~|null|Null|NULL|)$", "~nN")
_CoreLoader.yaml_implicit_resolvers[""] = [(f"{_TAG}null", re.compile(r"^$"))]
# Underscores between digits (200_000) are the only extension: they are easy to read and have no other meaning.
_resolver("int", r"^(?:[-+]?[0-9](?:_?[0-9])*|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789")
_resolver(
    "float",
    r"^(?:[-+]?(?:\.[0-9]+|[0-9](?:_?[0-9])*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    "-+.0123456789",
)


def _int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    if len(text) > _MAX_DIGITS:
        raise StrictYamlError(f"a number of {len(text)} digits is too long", _start(node))
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text if base == 10 else text[2:], base)


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    text = loader.construct_scalar(node).replace("_", "").lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


_CoreLoader.add_constructor(f"{_TAG}int", _int)
_CoreLoader.add_constructor(f"{_TAG}float", _float)


def parse(text: str) -> Document:
    """Return the document in ``text``; raises :class:`StrictYamlError` if it is not valid YAML."""
    try:
        loader = _CoreLoader(text)
        node = loader.get_single_node()
        document = Document(data=None, lines=text.splitlines())
        if node is not None:
            document.data = _build(loader, node, (), document)
        return document
    except yaml.MarkedYAMLError as error:
        raise StrictYamlError(_problem(error), _position(error.problem_mark)) from None
    except yaml.reader.ReaderError as error:
        raise StrictYamlError(*_unreadable(error, text)) from None
    except RecursionError:
        raise StrictYamlError("the values are nested too deeply", None) from None


def parse_argument(text: str) -> Document:
    """As :func:`parse`, of one argument of the command line, in which ``#`` begins no comment.

    ``issue #5`` is all of it. Raises :class:`StrictYamlError` where something follows a value that ends before.
    """
    document = parse(text)
    node = yaml.compose(text, _CoreLoader)
    if node is None:
        if text.startswith("#"):
            document.data = text
        return document
    rest = text[node.end_mark.index :].strip()
    if rest and isinstance(node, yaml.ScalarNode) and node.style is None:
        document.data = text
    elif rest:
        raise StrictYamlError(f"{rest!r} follows the value; put the whole value in quotes", _position(node.end_mark))
    return document


def _build(loader: _CoreLoader, node: yaml.Node, loc: Loc, document: Document) -> Any:
    if len(loc) > _MAX_DEPTH:  # an anchor that contains itself has no end
        raise StrictYamlError("the values are nested too deeply, or an anchor contains itself", _start(node))
    if len(document.values) >= _MAX_VALUES:
        raise StrictYamlError(f"more than {_MAX_VALUES:,} values after expanding the aliases", _start(node))
    document.values[loc] = _start(node)
    _check_tag(loader, node)
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, loc, document)
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, item, (*loc, i), document) for i, item in enumerate(node.value)]
    return loader.construct_object(node)


def _check_tag(loader: _CoreLoader, node: yaml.Node) -> None:
    """Reject a tag that changes the type of the value, except to text."""
    if isinstance(node, yaml.ScalarNode):
        plain = loader.resolve(yaml.ScalarNode, node.value, (True, False))  # type: ignore[no-untyped-call]  # no stub of it
        fits = node.tag in (plain, f"{_TAG}str")
    else:
        fits = node.tag == _TAG + ("map" if isinstance(node, yaml.MappingNode) else "seq")
    if not fits:
        tag = node.tag.replace(_TAG, "!!")
        raise StrictYamlError(f"the tag {tag} is not supported; write the plain value", _start(node))


def _mapping(loader: _CoreLoader, node: yaml.MappingNode, loc: Loc, document: Document) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _key(key_node)
        here = (*loc, key)
        if key in data:
            document.duplicates.append((here, _start(key_node)))
            continue
        document.keys[here] = _start(key_node)
        if key == "<<" and key_node.style is None:
            message = "merge keys are not part of YAML 1.2; repeat the keys, or use extends"
            document.bad_keys.append((here, message))
            continue
        _check_tag(loader, key_node)
        if key_node.tag != f"{_TAG}str" and key != "null":  # `null` is the name of a field
            # Report `1:` and `true:` as names but keep them, so that all problems are found at once.
            document.bad_keys.append((here, f"the key {key} is not text; quote it"))
        data[key] = _build(loader, value_node, here, document)
    return data


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise StrictYamlError("a key must be a single word or a quoted text", _start(node))
    return str(node.value)


def _start(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _position(mark: yaml.Mark | None) -> Position | None:
    return None if mark is None else Position(mark.line + 1, mark.column + 1)


def _problem(error: yaml.MarkedYAMLError) -> str:
    """The message of the parser, in plainer words for frequent mistakes."""
    said = error.problem or ""
    if "'\\t'" in said:
        return "YAML does not allow tabs for indentation; use spaces"
    if "cannot start any token" in said:
        return f"{said}; put the value in quotes"
    if said == "mapping values are not allowed here":
        return "there is a second ':' on this line; check the indentation, or put the value in quotes"
    if error.context and error.context_mark:
        return f"{error.context} that begins on line {error.context_mark.line + 1}, {said}"
    return said


def _unreadable(error: yaml.reader.ReaderError, text: str) -> tuple[str, Position]:
    """The message for a character that YAML does not allow, and its place."""
    before = text[: error.position].splitlines() or [""]
    message = f"the control character {text[error.position]!r} is not allowed in YAML; delete it"
    return message, Position(len(before), len(before[-1]) + 1)
