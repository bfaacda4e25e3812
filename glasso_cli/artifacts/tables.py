"""Columns of numbers and names as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli.files import atomic_write

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a formula begins


def write_table(path: Path, table: Mapping[str, Any]) -> Path:
    """``path``, after writing the columns of ``table``, all of one length, with a header line.

    Floats keep the shortest text that reads back as the same number; not a number is left empty. A text that a
    spreadsheet would take for a formula gets an apostrophe before it.
    """
    columns = [_plain(values) for values in table.values()]
    with atomic_write(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table)
        writer.writerows(zip(*columns, strict=True))
    return path


def _plain(values: Iterable[Any]) -> list[Any]:
    array = np.asarray(values)
    if array.dtype.kind in "UO":
        return [f"'{value}" if isinstance(value, str) and _is_formula(value) else value for value in array.tolist()]
    if array.dtype.kind != "f":
        return list(array.tolist())
    texts = array.astype(str)
    return list(np.where(np.isnan(array), "", texts).tolist())


def _is_formula(text: str) -> bool:
    if not text.startswith(_FORMULA):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False
