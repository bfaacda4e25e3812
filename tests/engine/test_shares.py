"""Parts cover all units once, whatever is missing, and a failing unit costs only itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasso_cli.engine.shares import (
    ATTEMPTS,
    Part,
    ShareDone,
    Unit,
    each_unit,
    end_of_share,
    own_size,
    require_units,
    sharing,
)
from glasso_cli.errors import ConfigError, DiskError, InputError


def units(numbers: list[int]) -> dict[int, Unit]:
    return {number: Unit(f"block {number}", float(number)) for number in numbers}


@given(of=st.integers(1, 9), missing=st.lists(st.integers(0, 40), unique=True))
def test_parts_cover_the_missing_units_once(of: int, missing: list[int]) -> None:
    made: list[int] = []
    for number in range(1, of + 1):
        with sharing(Part(number, of)):
            each_unit(units(missing), made.append)
    assert sorted(made) == sorted(missing)


@given(of=st.integers(1, 9), number=st.data(), missing=st.sets(st.integers(0, 40)), unit=st.integers(0, 40))
def test_the_part_of_a_unit_does_not_depend_on_what_is_missing(
    of: int, number: st.DataObject, missing: set[int], unit: int
) -> None:
    part = Part(number.draw(st.integers(1, of)), of)
    alone, among = part.own(units([unit])), part.own(units(sorted(missing | {unit})))
    assert (unit in alone) == (unit in among)


def test_without_a_share_every_unit_is_made_and_the_work_goes_on() -> None:
    made: list[int] = []
    each_unit(units([3, 1]), made.append)
    assert made == [3, 1]
    assert own_size(units([3, 1])) == 4
    end_of_share()


def test_a_part_does_not_merge() -> None:
    with sharing(Part(1, 2)):
        assert own_size(units([0, 1, 2])) == 2
        with pytest.raises(ShareDone):
            end_of_share()
    end_of_share()


def test_units_that_need_others_wait_for_them_where_others_make_them() -> None:
    require_units(False)  # nobody else makes them, so that reading them says what is wrong
    with sharing(Part(1, 2)):
        require_units(True)
        with pytest.raises(ShareDone):
            require_units(False)


def test_what_comes_before_the_units_is_a_share_without_units() -> None:
    made: list[int] = []
    with sharing(Part.nothing()):
        each_unit(units([0, 1]), made.append)
    assert made == []


def test_a_unit_that_always_fails_is_tried_again_and_left_out() -> None:
    tried: list[int] = []

    def make(number: int) -> None:
        tried.append(number)
        if number == 1 or (number == 2 and tried.count(2) < ATTEMPTS):
            raise ValueError("poison")

    part = Part(1, 1)
    with sharing(part):
        each_unit(units([0, 1, 2, 3]), make)
    assert tried == [0, 1, 1, 1, 2, 2, 2, 3]
    assert part.made == ["block 0", "block 2", "block 3"]
    assert list(part.failed) == ["block 1"]
    assert str(part.failed["block 1"]) == "poison"


def test_a_wrong_configuration_ends_the_part() -> None:
    tried: list[int] = []

    def make(number: int) -> None:
        tried.append(number)
        raise ConfigError("no")

    with sharing(Part(1, 1)), pytest.raises(ConfigError, match="no"):
        each_unit(units([0, 1]), make)
    assert tried == [0]


@pytest.mark.parametrize("error", [InputError("no"), DiskError("full")])
def test_a_unit_that_would_fail_again_is_tried_once(error: Exception) -> None:
    tried: list[int] = []

    def make(number: int) -> None:
        tried.append(number)
        raise error

    part = Part(1, 1)
    with sharing(part):
        each_unit(units([0, 1]), make)
    assert tried == [0, 1]
    assert list(part.failed) == ["block 0", "block 1"]


def test_an_interrupt_is_no_failure() -> None:
    def make(number: int) -> None:
        raise KeyboardInterrupt

    with sharing(Part(1, 1)), pytest.raises(KeyboardInterrupt):
        each_unit(units([0]), make)


@pytest.mark.parametrize("text", ["3/2", "0/2", "1/0", "0/0"])
def test_a_part_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"--part {text} does not exist"):
        Part.parsed(text)


@pytest.mark.parametrize("text", ["", "1", "1/", "/2", "a/b", "1/2/3", "-1/2", "1.5/2", "²/2", " 1/2"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a part such as 2/8"):
        Part.parsed(text)


def test_a_part_is_read_as_it_is_written() -> None:
    assert (Part.parsed("2/8").number, Part.parsed("2/8").of) == (2, 8)
    assert Part.parsed("8/8") == Part(8, 8)
