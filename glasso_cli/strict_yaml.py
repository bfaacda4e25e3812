"""YAML with the scalars of YAML 1.2, no duplicate keys, and a position for every value.

PyYAML follows YAML 1.1, in which ``1e-3`` is a string, ``no`` is false, ``012`` is ten and ``12:30`` is 750, and in
which the last of two equal keys wins in silence. The core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema)
has none of that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

Loc = tuple[str | int, ...]
_MAX_DEPTH = 64


@dataclass(frozen=True)
class Position:
    """Where a key or value stands: 1-based line and column."""

    line: int
    column: int


@dataclass
class Document:
    """A parsed YAML text: plain Python values, and where each key and value came from."""

    data: Any
    lines: list[str]
    keys: dict[Loc, Position] = field(default_factory=dict)
    values: dict[Loc, Position] = field(default_factory=dict)
    duplicates: list[tuple[Loc, Position]] = field(default_factory=list)
    bad_keys: list[tuple[Loc, str]] = field(default_factory=list)

    def locate(self, loc: Loc, *, key: bool = False) -> Position | None:
        """The position of ``loc``, or of the nearest parent that was written in the text."""
        first, second = (self.keys, self.values) if key else (self.values, self.keys)
        for end in range(len(loc), -1, -1):
            for table in (first, second):
                if loc[:end] in table:
                    return table[loc[:end]]
        return None


class StrictYamlError(Exception):
    """A text that is not YAML, with the place of the first problem."""

    def __init__(self, problem: str, position: Position | None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.position = position


class _CoreLoader(yaml.SafeLoader):
    """A SafeLoader whose implicit scalars are those of the YAML 1.2 core schema."""

    yaml_implicit_resolvers: dict[str, Any] = {}


def _resolver(tag: str, pattern: str, first: str) -> None:
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolver("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolver("null", r"^(?:~|null|Null|NULL|)$", "~nN")
_CoreLoader.yaml_implicit_resolvers.setdefault("", []).append(
    ("tag:yaml.org,2002:null", re.compile(r"^$"))
)
# Underscores between digits (200_000) are the one extension: they read well and mean nothing else.
_resolver("int", r"^(?:[-+]?[0-9](?:_?[0-9])*|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789")
_resolver(
    "float",
    r"^(?:[-+]?(?:\.[0-9]+|[0-9](?:_?[0-9])*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    "-+.0123456789",
)


def _int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text if base == 10 else text[2:], base)


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    text = loader.construct_scalar(node).replace("_", "").lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


_CoreLoader.add_constructor("tag:yaml.org,2002:int", _int)
_CoreLoader.add_constructor("tag:yaml.org,2002:float", _float)


def parse(text: str) -> Document:
    """The document in ``text``; raises :class:`StrictYamlError` where it is not YAML."""
    loader = None
    try:
        loader = _CoreLoader(text)
        node = loader.get_single_node()
        document = Document(data=None, lines=text.splitlines())
        if node is not None:
            document.data = _build(loader, node, (), document)
        return document
    except yaml.MarkedYAMLError as error:
        raise StrictYamlError(_problem(error), _position(error.problem_mark)) from None
    except yaml.YAMLError as error:
        raise StrictYamlError(str(error).splitlines()[0], None) from None
    finally:
        if loader is not None:
            loader.dispose()


def parse_scalar(text: str) -> Any:
    """The value of a ``--set`` right-hand side: flow YAML with the same scalar rules."""
    return parse(text).data


def _build(loader: _CoreLoader, node: yaml.Node, loc: Loc, document: Document) -> Any:
    if len(loc) > _MAX_DEPTH:  # an anchor that contains itself has no end
        raise StrictYamlError("nested too deeply, or an anchor contains itself", _start(node))
    document.values.setdefault(loc, _start(node))
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, loc, document)
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, item, (*loc, i), document) for i, item in enumerate(node.value)]
    return loader.construct_object(node)


def _mapping(
    loader: _CoreLoader, node: yaml.MappingNode, loc: Loc, document: Document
) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _key(loader, key_node)
        if not isinstance(key, str):
            # `1:` and `true:` as corpus names: keep them usable, but say so.
            document.bad_keys.append(((*loc, str(key)), f"the key {key!r} is not text; quote it"))
            key = str(key)
        here = (*loc, key)
        if key in data:
            document.duplicates.append((here, _start(key_node)))
            continue
        document.keys[here] = _start(key_node)
        data[key] = _build(loader, value_node, here, document)
    return data


def _key(loader: _CoreLoader, node: yaml.Node) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        raise StrictYamlError("a key must be a plain word", _start(node))
    return loader.construct_object(node)


def _start(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _position(mark: yaml.Mark | None) -> Position | None:
    return None if mark is None else Position(mark.line + 1, mark.column + 1)


def _problem(error: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    return ", ".join(parts) or "not YAML"
