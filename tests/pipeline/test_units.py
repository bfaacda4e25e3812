"""Units that end in files: each is made once, by whoever makes it, and what needs others waits for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glasso_cli.console import Advance, PythonWarnings
from glasso_cli.engine.shares import Part, ShareDone, sharing
from glasso_cli.pipeline.units import Arrays, Pieces, PieceUnit


def pieces(folder: Path, prefix: str = "") -> Pieces:
    return Pieces(folder, "test", 1, PythonWarnings(), prefix)


def units(made: list[int]) -> list[PieceUnit]:
    def unit(number: int) -> PieceUnit:
        def make(advance: Advance) -> Arrays:
            made.append(number)
            advance(1)
            return {"number": np.array(number)}

        return PieceUnit(f"unit-{number}", f"unit {number}", 1, make)

    return [unit(number) for number in range(4)]


def test_units_that_are_there_are_not_made_again(tmp_path: Path) -> None:
    made: list[int] = []
    for _ in range(2):
        pieces(tmp_path).make(units(made), "test", "units")
    assert made == [0, 1, 2, 3]
    (tmp_path / "unit-2.npz").write_bytes(b"damaged")
    pieces(tmp_path).make(units(made), "test", "units")
    assert made == [0, 1, 2, 3, 2]
    assert [int(pieces(tmp_path).read(f"unit-{number}")["number"]) for number in range(4)] == [0, 1, 2, 3]


def test_a_part_goes_on_only_where_the_others_are_there(tmp_path: Path) -> None:
    made: list[int] = []
    with sharing(Part(1, 2)), pytest.raises(ShareDone):
        pieces(tmp_path).make(units(made), "test", "units")
    assert made == [0, 2]
    with sharing(Part(2, 2)):
        pieces(tmp_path).make(units(made), "test", "units")
    assert made == [0, 2, 1, 3]


def test_what_all_units_need_is_made_once(tmp_path: Path) -> None:
    first = pieces(tmp_path).once("all", lambda: {"x": np.arange(3.0)})
    again = pieces(tmp_path).once("all", lambda: pytest.fail("made again"))
    np.testing.assert_array_equal(first["x"], again["x"])


def test_pieces_of_another_prefix_are_others(tmp_path: Path) -> None:
    made: list[int] = []
    for prefix in ("cpu-", "cuda-"):
        pieces(tmp_path, prefix).make(units(made), "test", "units")
    assert made == [0, 1, 2, 3] * 2
