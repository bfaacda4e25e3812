"""Processes that work side by side: what they leave, and when they end."""

from __future__ import annotations

import os
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from glasso_cli.engine.processes import Workers, run_all

pytestmark = pytest.mark.slow


def workers() -> set[int]:
    """The processes of this one that wait for work."""
    found = set()
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # it has ended by now, also where nobody has waited for it
            if "spawn_main" in " ".join(child.cmdline()):
                found.add(child.pid)
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").write_text("text")
    return tmp_path / "source"


def test_without_a_team_no_process_is_left(source: Path) -> None:
    before = workers()
    places = [source.with_name(str(k)) for k in range(3)]
    assert len(list(run_all(os.link, source, [(place,) for place in places], 2))) == 3
    assert [place.read_text() for place in places] == ["text"] * 3
    assert workers() == before


def test_a_team_goes_on_with_its_processes_and_they_end_with_it(source: Path) -> None:
    before, team, seen = workers(), Workers(1), []
    for batch in range(2):
        places = [source.with_name(f"{batch}-{k}") for k in range(3)]
        list(run_all(os.link, source, [(place,) for place in places], 2, team))
        assert all(place.read_text() == "text" for place in places)
        seen.append(workers() - before)
    assert len(seen[0]) == 2
    assert seen[0] == seen[1]
    processes = [psutil.Process(number) for number in seen[0]]
    team.end()
    assert not psutil.wait_procs(processes, timeout=30)[1]


def test_after_an_error_a_team_starts_anew(source: Path) -> None:
    before, team = workers(), Workers(1)
    with pytest.raises(FileNotFoundError):
        list(run_all(os.link, source.with_name("none"), [(source,)] * 2, 2, team))
    _gone(workers() - before)
    list(run_all(os.link, source, _places(source, "again"), 2, team))
    assert source.with_name("again-1").read_text() == "text"
    for number in workers() - before:
        with suppress(psutil.NoSuchProcess):  # one of those before may just have ended
            psutil.Process(number).kill()
    with pytest.raises(BrokenProcessPool):
        list(run_all(os.link, source, _places(source, "broken"), 2, team))
    list(run_all(os.link, source, _places(source, "last"), 2, team))
    team.end()
    _gone(workers() - before)


def test_one_worker_is_this_process(source: Path) -> None:
    before, team = workers(), Workers(1)
    list(run_all(os.link, source, [(source.with_name("copy"),)], 1, team))
    assert source.with_name("copy").read_text() == "text"
    assert workers() == before


def _places(source: Path, name: str) -> list[tuple[Path]]:
    return [(source.with_name(f"{name}-{k}"),) for k in range(2)]


def _gone(numbers: set[int]) -> None:
    for number in numbers:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(number).wait(30)
