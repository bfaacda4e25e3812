"""The replicates of an audit, made here or in parts on a cluster.

The command writes what all parts read to one file, and every part ends in a file of its own: an interrupted run goes on where it
was. Parts are the same however many processes there are, and each is made on one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from glasso_cli.artifacts.keys import key_of
from glasso_cli.artifacts.pieces import read_piece, write_piece, written_piece
from glasso_cli.auditing.effects import Effects
from glasso_cli.auditing.measures import MEASURES, Case, Settings
from glasso_cli.auditing.scores import Score
from glasso_cli.auditing.truth import Truth
from glasso_cli.console import Reporter
from glasso_cli.engine import threads
from glasso_cli.engine.tasks import Engine, at_end, current
from glasso_cli.pipeline.parts import units_failed

_CASE, _PART = ("audit-case", 1), ("audit-part", 1)  # kinds and schemas of pieces
_TOGETHER = 10  # replicates of a part, or more where there would be over _MOST of them
_MOST = 256


@dataclass(frozen=True)
class Workplace:
    """Where finished parts of the artifact ``name`` are kept, and who hears of them."""

    folder: Path
    name: str
    reporter: Reporter


@dataclass(frozen=True)
class Part:
    """The replicates ``first`` … ``last`` - 1 of the scores, or one split of the documents for the ceiling, ``first``."""

    kind: Literal["draws", "split"]
    first: int
    last: int

    @property
    def name(self) -> str:
        """What people read."""
        return f"replicates {self.first + 1} to {self.last}" if self.kind == "draws" else f"split {self.first + 1}"

    def made(self, case: Case) -> np.ndarray:
        """The numbers of :meth:`Case.of_draw` for each replicate, ``(R, K, Q, 6)``, or those of :meth:`Case.of_split`."""
        with threads.limited(1):
            if self.kind == "split":
                return case.of_split(self.first)
            return np.stack([case.of_draw(draw) for draw in case.drawn[self.first : self.last]])


@dataclass(frozen=True, eq=False)
class Replicated:
    """The numbers of R replicates for K truths and Q scores, in the order of :data:`MEASURES`.

    ``draws (R, K, Q, 6)`` are those of the scores, and ``ceilings (R, K, 6)`` those of the ceiling. ``splits (N, K, 6)`` are
    those of every split, where all sources count once. With one block there are no ceilings, and with one block or one source
    no draws.
    """

    draws: np.ndarray
    splits: np.ndarray
    ceilings: np.ndarray


def replicated(case: Case, place: Workplace | None) -> Replicated:
    """All replicates. The cluster makes them where there is one (:func:`glasso_cli.engine.tasks.current`) and a ``place``.

    Raises :class:`UnitsFailed` for parts that fail on the cluster, after all others are made.
    """
    parts, engine = parts_of(case), current()
    if engine is not None and place is not None and parts:
        made = _elsewhere(case, parts, engine, place)
    else:
        made = [part.made(case) for part in parts]
    count, K, settings = len(case.drawn), len(case.truths), case.settings
    draws = [values for part, values in zip(parts, made) if part.kind == "draws"]
    splits = [values for part, values in zip(parts, made) if part.kind == "split"]
    ceilings = np.full((count, K, len(MEASURES)), np.nan)
    for split, values in enumerate(splits):
        ceilings[split :: settings.splits] = values[1:]
    none = np.zeros((0, K, len(case.scores), len(MEASURES)))
    return Replicated(np.concatenate([none, *draws]), np.array([values[0] for values in splits]), ceilings)


def parts_of(case: Case) -> list[Part]:
    """All parts, in order. One block has no halves, and one source or block no interval."""
    count, parts = len(case.drawn), list[Part]()
    if case.blocks > 1:
        if case.sources > 1:
            size = max(_TOGETHER, -(-count // _MOST))
            parts += [Part("draws", first, min(first + size, count)) for first in range(0, count, size)]
        parts += [Part("split", split, split + 1) for split in range(case.settings.splits)]
    return parts


def _elsewhere(case: Case, parts: Sequence[Part], engine: Engine, place: Workplace) -> list[np.ndarray]:
    """What every part gives; those that are not there are made by ``engine``."""
    shared = written_case(case, place.folder)
    files = {part: shared.with_name(f"{shared.stem}-{part.kind}-{part.first}.npz") for part in parts}
    missing = [(part, file) for part, file in files.items() if read_piece(file, *_PART, place.reporter.detail) is None]
    failed: dict[str, BaseException] = {}
    with place.reporter.progress(place.name, len(missing), "parts") as advance:
        for outcome in engine.run(_make, shared, missing):
            advance(1)
            if outcome.error is not None:
                failed[outcome.item[0].name] = outcome.error
    if failed:
        raise units_failed(place.name, failed)
    return [written_piece(file, *_PART)[0]["measures"] for file in files.values()]


# -- in another process -------------------------------------------------------------------------------


def _make(shared: Path, part: Part, file: Path) -> None:
    write_piece(file, *_PART, {"measures": part.made(_case(shared))}, {})


@lru_cache(maxsize=1)
def _case(file: Path) -> Case:
    """The case of the parts that are made here one after the other; the name of a file is that of its content."""
    return read_case(file)


at_end(_case.cache_clear)


# -- the file that all parts read -----------------------------------------------------------------------


def written_case(case: Case, folder: Path) -> Path:
    """A file of the case in ``folder``, named after its content."""
    effects = case.effects
    values = {"sums": effects.sums, "squares": effects.squares}
    values |= {f"score-{number}": score.values for number, score in enumerate(case.scores)}
    axes = {name: _axes(array) for name, array in values.items()}
    arrays = {name: array.transpose(axes[name]) for name, array in values.items()} | {"counts": effects.counts}
    meta = {
        "changes": list(effects.changes),
        "truths": [asdict(truth) for truth in case.truths],
        "scores": [
            {"name": score.name, "kind": score.kind, "sign_of": score.sign_of, "unit": score.unit}
            for score in case.scores
        ],
        "settings": asdict(case.settings),
        "axes": axes,
    }
    digests = {name: sha256(np.ascontiguousarray(array).data).hexdigest() for name, array in arrays.items()}
    file = folder / f"case-{key_of({**meta, 'arrays': digests})[:16]}.npz"
    if read_piece(file, *_CASE) is None:
        write_piece(file, *_CASE, arrays, meta)
    return file


def read_case(file: Path) -> Case:
    """What :func:`written_case` wrote, each number at its place in memory: the order of sums depends on the layout."""
    arrays, meta = written_piece(file, *_CASE)

    def values(name: str) -> np.ndarray:
        return np.asarray(np.array(arrays[name]).transpose(np.argsort(meta["axes"][name])))

    return Case(
        Effects(tuple(meta["changes"]), np.array(arrays["counts"]), values("sums"), values("squares")),
        tuple(Truth(**truth) for truth in meta["truths"]),
        tuple(Score(values=values(f"score-{number}"), **_of_score(item)) for number, item in enumerate(meta["scores"])),
        Settings(**meta["settings"]),
    )


def _of_score(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "unit": None if item["unit"] is None else tuple(item["unit"])}


def _axes(array: np.ndarray) -> list[int]:
    """The axes of an array, the one with the longest stride in memory first."""
    return sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
