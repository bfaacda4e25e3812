"""Arrays as text in a page: little-endian, gzip, base64, with what a reader needs to take them out again."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

_TYPES = {"|u1": "u1", "<u2": "u2", "<u4": "u4", "<i2": "i2", "<i4": "i4", "<f4": "f4", "|i1": "i1"}


@dataclass(frozen=True)
class Block:
    """One packed array (or JSON value): what stands in the page's list of blocks, and its text."""

    entry: dict[str, Any]
    text: str


def packed(array: np.ndarray) -> Block:
    """An array of a type that JavaScript has."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    kind = _TYPES[little.dtype.str]
    raw = little.tobytes()
    return Block({"type": kind, "shape": list(array.shape), "sha256": hashlib.sha256(raw).hexdigest()}, _text(raw))


def packed_json(value: Any) -> Block:
    """A list or mapping."""
    raw = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    return Block({"type": "json", "sha256": hashlib.sha256(raw).hexdigest()}, _text(raw))


def _text(raw: bytes) -> str:
    return base64.b64encode(gzip.compress(raw, compresslevel=9, mtime=0)).decode()


def indices(values: np.ndarray, size: int) -> np.ndarray:
    """Indices into ``size`` things in as few bytes as they need."""
    return values.astype(np.uint16 if size <= 2**16 else np.uint32)


def scaled(values: np.ndarray) -> np.ndarray:
    """Values between -1 and 1 as int16, in steps of 1/32,767; nan is -32,768."""
    steps = np.round(np.clip(values, -1, 1) * 32767)
    return np.where(np.isnan(values), -32768, steps).astype(np.int16)


def logarithms(q: np.ndarray) -> np.ndarray:
    """-log10 of values between 0 and 1 as uint16, in steps of 1/200: within 0.6 percent, and 1e-327 and below alike."""
    with np.errstate(divide="ignore"):
        steps = np.round(-200 * np.log10(np.nan_to_num(q, nan=1.0)))
    return np.asarray(np.clip(steps, 0, 65535).astype(np.uint16))
