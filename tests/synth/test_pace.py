"""How many requests are in flight, and how long to wait."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from glasso_cli.synth import pace
from glasso_cli.synth.pace import Pace, backoff, retry_after


@dataclass
class Clock:
    """A clock that moves only while somebody sleeps."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_what_the_server_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_date_to_wait_for() -> None:
    later = datetime.now(timezone.utc) + timedelta(seconds=30)
    asked = retry_after({"retry-after": format_datetime(later, usegmt=True)})
    assert asked is not None
    assert 25 < asked <= 30
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0


def test_waits_double_up_to_a_limit_and_are_spread_over_all_of_it() -> None:
    for tries in range(12):
        limit = min(pace.LONGEST_WAIT, pace.FIRST_WAIT * 2**tries)
        drawn = [backoff(tries) for _ in range(300)]
        assert 0 <= min(drawn) < limit / 10
        assert limit * 0.9 < max(drawn) <= limit


def test_the_limit_falls_once_for_a_burst_and_rises_one_a_round() -> None:
    clock = Clock()
    pace_16 = Pace(16, clock)
    for _ in range(5):
        pace_16.slower(0.05)
    assert pace_16.limit == 12
    clock.now = 0.06
    pace_16.slower(0.0)
    assert pace_16.limit == 9
    for _ in range(9):
        pace_16.faster()
    assert 9.8 < pace_16.limit <= 10
    for _ in range(1000):
        pace_16.faster()
    assert pace_16.limit == 16


def test_one_is_always_in_flight() -> None:
    clock = Clock()
    pace_4 = Pace(4, clock)
    for second in range(50):
        clock.now = second
        pace_4.slower(0.5)
    assert pace_4.limit == 1


def test_no_more_than_the_limit_have_their_turn() -> None:
    async def run() -> int:
        pace_3 = Pace(3)
        active = most = 0

        async def work() -> None:
            nonlocal active, most
            async with pace_3.turn():
                active += 1
                most = max(most, active)
                for _ in range(20):  # the others run now, if they may
                    await asyncio.sleep(0)
                active -= 1

        await asyncio.gather(*(work() for _ in range(10)))
        return most

    assert asyncio.run(run()) == 3


def test_a_turn_begins_when_the_pause_is_over() -> None:
    async def run() -> list[float]:
        clock = Clock()
        pace_1 = Pace(1, clock, clock.sleep)
        starts = []
        for pause in (0.0, 0.1, 2.5):
            pace_1.slower(pause)
            async with pace_1.turn():
                starts.append(clock.now)
        return starts

    assert asyncio.run(run()) == pytest.approx([0.0, 0.1, 2.6])


def test_a_turn_that_fails_makes_room() -> None:
    async def run() -> None:
        pace_1 = Pace(1)
        for _ in range(3):
            with pytest.raises(ValueError, match="no"):
                async with pace_1.turn():
                    raise ValueError("no")
        async with pace_1.turn():
            pass

    asyncio.run(asyncio.wait_for(run(), 5))
