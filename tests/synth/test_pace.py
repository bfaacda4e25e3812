"""How many requests are in flight, and how long to wait."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from glasso_cli.synth import pace
from glasso_cli.synth.pace import Pace, backoff, retry_after


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
    found = Pace(16)
    for _ in range(5):
        found.slower(0.05)
    assert found.limit == 12
    time.sleep(0.06)
    found.slower(0.0)
    assert found.limit == 9
    for _ in range(9):
        found.faster()
    assert 9.8 < found.limit <= 10
    for _ in range(1000):
        found.faster()
    assert found.limit == 16


def test_one_is_always_in_flight() -> None:
    found = Pace(4)
    for _ in range(50):
        found.slower(0.0)
        found._not_before = 0.0
    assert found.limit == 1


def test_no_more_than_the_limit_have_their_turn_and_none_in_a_pause() -> None:
    async def run() -> tuple[int, float]:
        found = Pace(3)
        active = most = 0

        async def work() -> None:
            nonlocal active, most
            async with found.turn():
                active += 1
                most = max(most, active)
                await asyncio.sleep(0.005)
                active -= 1

        await asyncio.gather(*(work() for _ in range(10)))
        found.slower(0.1)
        started = time.monotonic()
        await work()
        return most, time.monotonic() - started

    most, waited = asyncio.run(run())
    assert most == 3
    assert waited >= 0.1


def test_a_turn_that_fails_makes_room() -> None:
    async def run() -> None:
        found = Pace(1)
        for _ in range(3):
            with pytest.raises(ValueError, match="no"):
                async with found.turn():
                    raise ValueError("no")
        async with found.turn():
            pass

    asyncio.run(asyncio.wait_for(run(), 5))
