"""Many repetitions of a small experiment in processes of one thread, and what is printed of a rate."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import machine
import numpy as np

from glasso_cli.engine import threads

CaseT = TypeVar("CaseT")
FoundT = TypeVar("FoundT")


def repeat(
    measure: Callable[[CaseT], list[FoundT]],
    cases: Sequence[CaseT],
    kind: type[Any],
    table: Callable[[list[FoundT]], str],
    out: Path,
    workers: int,
) -> None:
    """Measure all ``cases``, write every row of ``kind`` to ``out`` (.csv) and its ``table`` beside it (.md), and print that."""
    out.parent.mkdir(parents=True, exist_ok=True)
    found: list[FoundT] = []
    with threads.limited(1), open(out, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(field.name for field in fields(kind))
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for done, rows in enumerate(pool.map(measure, cases), 1):
                writer.writerows(astuple(row) for row in rows)  # type: ignore[call-overload]
                file.flush()
                found += rows
                if done % 25 == 0:
                    print(f"{done} of {len(cases)}", flush=True)
    text = table(found)
    out.with_suffix(".md").write_text(text, encoding="utf-8")
    print("\n".join(["", *(f"{name}: {value}" for name, value in machine.described().items())]))
    print(text)


def rate(shares: np.ndarray, asked: float) -> str:
    """The mean of observed false discovery rates with its standard error; bold above 1.5 times what was ``asked`` for."""
    text = f"{shares.mean():.3f} ± {shares.std(ddof=1) / math.sqrt(len(shares)):.3f}"
    return f"**{text}**" if shares.mean() > 1.5 * asked else text
