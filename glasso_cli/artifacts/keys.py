"""What determines an artifact, its key, and the difference between two materials in words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

FORMAT = "glasso.key/1"
Material = dict[str, Any]


def material_of(stage: str, version: int, config: dict[str, Any], inputs: dict[str, Any]) -> Material:
    """What determines an artifact of ``stage``."""
    return {
        "format": FORMAT,
        "stage": stage,
        "stage_version": version,
        "config": config,
        "inputs": inputs,
    }


def key_of(material: Material) -> str:
    """The cache key: SHA-256 of the canonical JSON, in hexadecimal."""
    text = json.dumps(material, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(old: Material, new: Material) -> list[str]:
    """The changes between two materials in words, such as ``collect.max_tokens 1000 → 2000``."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    changes = []
    for name in sorted(set(before) | set(after)):
        if before.get(name, _ABSENT) != after.get(name, _ABSENT):
            changes.append(_change(name, before.get(name, _ABSENT), after.get(name, _ABSENT)))
    return changes


_ABSENT = object()


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}" if name else key)
    else:
        yield name, value


def _change(name: str, old: Any, new: Any) -> str:
    name = name.removeprefix("config.")
    if name.startswith("inputs."):
        parts = name.split(".")
        return f"{parts[-1]} changed" if parts[1] == "upstream" else f"{'.'.join(parts[1:])} changed"
    if old is _ABSENT or new is _ABSENT:
        return f"{name} is {'new' if old is _ABSENT else 'gone'}"
    return f"{name} {_short(old)} → {_short(new)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 48 else text[:45] + "…"
