"""Finished parts of a fit of many sparse neurons, one file each, so that an interrupted fit goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glasso_cli.artifacts.keys import key_of
from glasso_cli.artifacts.pieces import read_piece, replace_piece
from glasso_cli.inference.sparse.finished import Arrays

_PART = ("fit-sparse-part", 1)  # kind and schema of a piece


@dataclass(frozen=True)
class FinishedParts:
    """The parts of one fit in a folder that belongs to its key alone, as :mod:`glasso_cli.inference.sparse.finished` says."""

    folder: Path
    tell: Callable[[str], None]  # hears of damaged files
    of: str = ""  # whose parts they are, in the same fit

    def __call__(self, name: str, make: Callable[[], Arrays]) -> Arrays:
        """The arrays of a part: those of its file, or those of ``make``, which are written to it."""
        path = self.folder / f"part-{key_of({'of': self.of, 'name': name})[:16]}.npz"
        finished = read_piece(path, *_PART, self.tell)
        if finished is not None:
            return {name: np.array(array) for name, array in finished[0].items()}
        arrays = make()
        replace_piece(path, *_PART, arrays, {"part": f"{self.of} {name}".strip()})
        return arrays

    def within(self, of: str) -> FinishedParts:
        """The parts of something else in the same fit."""
        return replace(self, of=of)
