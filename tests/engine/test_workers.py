"""Processes that stay: every outcome with its place, errors as values, and nothing left behind."""

from __future__ import annotations

import os
import signal
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

import pytest
from support.waiting import until

from glasso_cli.engine.processes import Workers
from glasso_cli.errors import InputError


def halved(number: int) -> tuple[int, int]:
    """Half of an even number, and the process that computed it."""
    if number % 2:
        raise InputError(f"{number} is odd.", "Give an even number.")
    return number // 2, os.getpid()


def die(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def threads_or_pause(pauses: bool) -> tuple[str, int]:
    if pauses:
        signal.pause()
    return os.environ["OMP_NUM_THREADS"], os.getpid()


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_every_outcome_comes_with_its_place_and_an_error_keeps_no_other(count: int) -> None:
    with Workers(count) as workers:
        for numbers in ([(4,), (5,), (6,)], [(8,)]):  # the same processes, twice
            found = dict(workers.outcomes(halved, numbers))
            for place, (number,) in enumerate(numbers):
                outcome = found[place]
                if isinstance(outcome, Exception):
                    assert isinstance(outcome, InputError)
                    assert (outcome.message, outcome.hint) == ("5 is odd.", "Give an even number.")
                else:
                    assert outcome[0] == number / 2
                    assert (outcome[1] == os.getpid()) == (count == 1)


@pytest.mark.slow
def test_a_process_that_is_killed_is_an_error_at_once() -> None:
    with Workers(2) as workers, pytest.raises(BrokenProcessPool):
        list(workers.outcomes(die, [(1,), (2,)]))


@pytest.mark.slow
def test_an_interrupt_leaves_no_process_that_works_on() -> None:
    """Each process has one thread, whatever this one has."""
    with pytest.raises(KeyboardInterrupt), Workers(2) as workers:
        for _, outcome in islice(workers.outcomes(threads_or_pause, [(False,), (True,), (True,)]), 1):
            assert not isinstance(outcome, Exception)
            threads, process = outcome
            assert threads == "1"
            raise KeyboardInterrupt
    until(lambda: not is_running(process))
