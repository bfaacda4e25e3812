"""Replicates in parts: the same numbers in any order and in other processes, and what is said where one fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glasso_cli.auditing import replicates
from glasso_cli.auditing.effects import Effects
from glasso_cli.auditing.measures import Case, Settings
from glasso_cli.auditing.replicates import Part, Workplace, parts_of, read_case, replicated, written_case
from glasso_cli.auditing.scores import CORRELATION, Score, random_score
from glasso_cli.auditing.truth import Truth
from glasso_cli.console import PythonWarnings
from glasso_cli.engine.pool import Pool
from glasso_cli.engine.tasks import Function, Item, Outcome, using
from glasso_cli.errors import UnitsFailed

S, B, T = 7, 4, 30
TRUTHS = (
    Truth("step", "mean", "strongest", 0.05),
    Truth("mean", "rms", "strongest", 0.05),
    Truth("step", "mean", "beyond", 0.5),
)


class Backwards(Pool):
    """Makes the calls in this process, the last one first."""

    def run(
        self, function: Function, shared: Any, work: Sequence[Item], n_threads: int | None = None
    ) -> Iterator[Outcome]:
        yield from super().run(function, shared, work[::-1], n_threads)


def case_of(sources: int = S, blocks: int = B, splits: int = 3) -> Case:
    """Arrays that lie in memory as those of interventions and of influence do: blocks or sources last."""
    rng = np.random.default_rng(0)
    sums = (40 * rng.standard_normal((2, T, sources, blocks))).astype(np.float32).transpose(0, 2, 3, 1)
    values = rng.standard_normal((T, sources)).T
    scores = (
        random_score(sources, T),
        Score(CORRELATION, "association", values, unit=("step", "mean"), note="plain"),
        Score("weights", "weights", np.round(np.abs(values), 1), sign_of=""),
    )
    counts = rng.integers(20, 60, blocks)
    return Case(Effects(("step", "mean"), counts, sums, sums**2), TRUTHS, scores, Settings(5, 25, splits, 3))


def numbers(case: Case, folder: Path | None = None) -> list[bytes]:
    place = None if folder is None else Workplace(folder / "pieces", "audit toy", PythonWarnings())
    made = replicated(case, place)
    return [array.tobytes() for array in (made.draws, made.splits, made.ceilings)]


def test_parts_cover_every_replicate_and_every_split_once() -> None:
    parts = parts_of(case_of())
    assert [(part.kind, part.first, part.last) for part in parts] == [
        *(("draws", 0, 10), ("draws", 10, 20), ("draws", 20, 25)),
        *(("split", 0, 1), ("split", 1, 2), ("split", 2, 3)),
    ]
    assert [part.name for part in parts[2:4]] == ["replicates 21 to 25", "split 1"]
    assert {part.kind for part in parts_of(case_of(sources=1))} == {"split"}
    assert parts_of(case_of(blocks=1)) == []
    made = replicated(case_of(), None)
    assert (made.draws.shape, made.splits.shape, made.ceilings.shape) == ((25, 3, 3, 6), (3, 3, 6), (25, 3, 6))
    assert not np.isnan(made.draws[..., :3]).any()
    assert not np.isnan(made.ceilings[..., :3]).any()


def test_a_case_is_read_as_it_lies_in_memory(tmp_path: Path) -> None:
    case = case_of()
    file = written_case(case, tmp_path)
    read = read_case(file)
    pairs = [(case.effects.sums, read.effects.sums), (case.effects.squares, read.effects.squares)]
    pairs += [(score.values, other.values) for score, other in zip(case.scores, read.scores)]
    for array, other in pairs:
        np.testing.assert_array_equal(array, other)
        assert (array.dtype, array.strides) == (other.dtype, other.strides)
    assert (read.truths, read.settings, read.effects.changes) == (case.truths, case.settings, case.effects.changes)
    assert [(score.name, score.kind, score.sign_of, score.unit) for score in read.scores] == [
        (score.name, score.kind, score.sign_of, score.unit) for score in case.scores
    ]
    assert written_case(read, tmp_path) == file
    assert written_case(case_of(splits=4), tmp_path) != file


@pytest.mark.parametrize(("sources", "blocks"), [(S, B), (1, B), (S, 1)])
def test_parts_in_any_order_give_the_numbers_of_one_process(tmp_path: Path, sources: int, blocks: int) -> None:
    case = case_of(sources, blocks)
    expected = numbers(case)
    assert numbers(case, tmp_path) == expected  # without an engine nothing is written
    assert list(tmp_path.iterdir()) == []
    with using(Backwards()):
        assert numbers(case) == expected  # and without a place
        assert list(tmp_path.iterdir()) == []
        assert numbers(case, tmp_path) == expected
    assert len(list(tmp_path.rglob("*.npz"))) == len(parts_of(case)) + (blocks > 1)


@pytest.mark.slow
def test_other_processes_give_the_same_numbers(tmp_path: Path) -> None:
    case = case_of()
    with Pool.of(2) as pool, using(pool):
        assert numbers(case, tmp_path) == numbers(case)


def test_a_part_that_fails_is_told_and_the_others_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, made = case_of(), Part.made
    tried: list[str] = []
    poison = ""

    def poisoned(part: Part, case: Case) -> np.ndarray:
        tried.append(part.name)
        if part.name == poison:
            raise ValueError("this part is poison")
        return made(part, case)

    monkeypatch.setattr(Part, "made", poisoned)
    expected = numbers(case)
    with using(Pool()):
        poison = "replicates 11 to 20"
        tried.clear()
        with pytest.raises(UnitsFailed) as caught:
            numbers(case, tmp_path)
        assert tried == [part.name for part in parts_of(case)]
        assert caught.value.message == (
            "audit toy: after up to 3 attempts, these were not made: replicates 11 to 20 (ValueError: this part is poison)."
        )
        (damaged,) = tmp_path.rglob("*-split-1.npz")
        damaged.write_bytes(damaged.read_bytes()[:-1])
        poison = ""
        tried.clear()
        assert numbers(case, tmp_path) == expected
        assert tried == ["replicates 11 to 20", "split 2"]


def test_a_process_reads_a_case_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def counted(file: Path) -> Case:
        read.append(file)
        return read_case(file)

    monkeypatch.setattr(replicates, "read_case", counted)
    replicates._case.cache_clear()
    with using(Pool()):
        numbers(case_of(), tmp_path)
        numbers(case_of(splits=4), tmp_path)
    assert len(read) == 2
