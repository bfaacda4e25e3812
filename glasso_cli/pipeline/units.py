"""Units of work that each end in a file: made by this process or by others, and read when all are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glasso_cli.artifacts.pieces import read_piece, write_piece, written_piece
from glasso_cli.console import Advance, Reporter
from glasso_cli.engine.shares import Unit, each_unit, own_size, require_units

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class PieceUnit:
    """A unit that ends in one file.

    ``file`` is the name of the file without its ending, and ``name`` what people read. ``make`` calls its argument with the
    work that it has done, ``size`` in all.
    """

    file: str
    name: str
    size: float
    make: Callable[[Advance], Mapping[str, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Pieces:
    """The pieces of one kind in a folder."""

    folder: Path
    kind: str
    schema: int
    reporter: Reporter
    prefix: str = ""  # of every name: on what the pieces depend beside what names the folder

    def once(self, file: str, make: Callable[[], Mapping[str, np.ndarray]]) -> Arrays:
        """What ``make`` gives, which all units need; from its file where that is there."""
        found = self._found(file)
        if found is None:
            write_piece(self._path(file), self.kind, self.schema, make(), {}, self.reporter.warn)
            found = self.read(file)
        return found

    def make(self, units: Sequence[PieceUnit], label: str, measure: str) -> None:
        """Make the units that are missing and of this process's share, with progress in ``measure``, such as tokens.

        The numbers of ``units`` are their places. Raises :class:`ShareDone` where units that other processes make are not there.
        """
        missing = {
            place: Unit(unit.name, unit.size) for place, unit in enumerate(units) if self._found(unit.file) is None
        }
        with self.reporter.progress(label, own_size(missing), measure) as advance:

            def make(place: int) -> None:
                unit, path = units[place], self._path(units[place].file)
                if not path.exists():  # another process may have made it meanwhile
                    write_piece(path, self.kind, self.schema, unit.make(advance), {}, self.reporter.warn)

            each_unit(missing, make)
        require_units(all(self._path(unit.file).exists() for unit in units))

    def read(self, file: str) -> Arrays:
        """The arrays of a piece that was made."""
        return written_piece(self._path(file), self.kind, self.schema)[0]

    def _found(self, file: str) -> Arrays | None:
        part = read_piece(self._path(file), self.kind, self.schema, self.reporter.detail)
        return None if part is None else part[0]

    def _path(self, file: str) -> Path:
        return self.folder / f"{self.prefix}{file}.npz"
