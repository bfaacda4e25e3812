"""From dataclasses of metrics to JSON values and back: a field too many, too few or of another type is refused.

A field with a default may be missing: it is one that older artifacts have not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from glasso_cli.errors import InputError

M = TypeVar("M")
EMPTY_FOR_NONE = {"empty_for_none": True}  # metadata of a field whose None is written as {}
LEFT_OUT_AT_DEFAULT = {"left_out_at_default": True}  # metadata of a field that is not written where it has its default
_ACCEPTED: dict[Any, tuple[type, ...]] = {float: (float, int), int: (int,), str: (str,), bool: (bool,)}


def to_json(value: Any) -> Any:
    """The metrics as JSON values: dataclasses as dictionaries, tuples as lists."""
    if is_dataclass(value):
        return {
            item.name: _written(getattr(value, item.name), item.metadata)
            for item in fields(value)
            if item.metadata != LEFT_OUT_AT_DEFAULT or getattr(value, item.name) != item.default
        }
    if isinstance(value, dict):
        return {name: to_json(item) for name, item in value.items()}
    return [to_json(item) for item in value] if isinstance(value, tuple | list) else value


def _written(value: Any, metadata: Mapping[str, Any]) -> Any:
    return {} if value is None and metadata == EMPTY_FOR_NONE else to_json(value)


def metrics_of(kind: type[M], meta: Mapping[str, Any]) -> M:
    """The metrics in the ``meta`` of an artifact; raises :class:`InputError` where they are not those of ``kind``."""
    try:
        metrics: M = _read(kind, meta.get("metrics"), "metrics")
    except _MisfitError as error:
        name = f"{meta.get('kind', 'artifact')} of {meta.get('corpus', 'a corpus')}"
        raise InputError(
            f"The {name} was damaged or written by another version of glasso: {error}.", "Run its stage again."
        ) from None
    return metrics


class _MisfitError(Exception):
    """What does not fit, in words."""


def _read(kind: Any, value: Any, where: str) -> Any:
    """``value`` as ``kind``: a dataclass, an optional type, a tuple, a dictionary, a number, text or anything."""
    if is_dataclass(kind):
        return _dataclass(kind, value, where)
    options = [option for option in get_args(kind) if option is not type(None)]
    if get_origin(kind) is dict:
        return {name: _read(options[1], item, f"{where}.{name}") for name, item in _checked(value, dict, where).items()}
    if get_origin(kind) is tuple:
        items = _checked(value, list, where)
        return tuple(_read(options[0], item, f"{where}[{place}]") for place, item in enumerate(items))
    if options:  # X | None
        return None if value is None else _read(options[0], value, where)
    if kind is not Any and (not isinstance(value, _ACCEPTED[kind]) or isinstance(value, bool) != (kind is bool)):
        raise _MisfitError(f"{where} is {value!r}")
    return value


def _dataclass(kind: Any, value: Any, where: str) -> Any:
    _checked(value, dict, where)
    wanted = {item.name: item for item in fields(kind)}
    value = {name: item.default for name, item in wanted.items() if item.default is not MISSING} | value
    for names, what in ((wanted.keys() - value.keys(), "missing"), (value.keys() - wanted.keys(), "unknown")):
        if names:
            raise _MisfitError(f"{where}.{min(names)} is {what}")
    empty = [name for name, item in wanted.items() if item.metadata == EMPTY_FOR_NONE and value[name] == {}]
    read = {**value, **dict.fromkeys(empty)}
    return kind(**{name: _read(_types(kind)[name], read[name], f"{where}.{name}") for name in wanted})


def _checked(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, kind):
        raise _MisfitError(f"{where} is {'missing' if value is None else repr(value)}")
    return value


@cache
def _types(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)
