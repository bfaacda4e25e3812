"""`collect` divided among processes gives the bytes of one process, whoever is killed on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.calls import alive
from support.divided import (
    ARTIFACT,
    BLOCKS,
    HELD,
    POISON,
    ended,
    holder,
    pieces,
    python_with,
    started,
    write_experiment,
)
from support.waiting import until

pytestmark = pytest.mark.slow
DASK = ("--set", "engine={kind: dask, workers: 2}")
each_engine = pytest.mark.parametrize("options", [("--workers", "2"), DASK], ids=["processes", "dask"])
LONG = 300.0  # seconds, on a busy machine


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The artifact that one process makes."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("whole"))
    try:
        write_experiment()
        ended("collect", "c.yaml")
        return ARTIFACT.read_bytes()
    finally:
        os.chdir(before)


@pytest.fixture
def expected(whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What one process makes of the experiment that is in the working folder."""
    monkeypatch.chdir(tmp_path)
    write_experiment()
    return whole


def test_parts_give_the_bytes_of_one_process(expected: bytes) -> None:
    refused = ended("collect", "c.yaml", "--part", "1/2", code=3)
    assert "has no pilot for this configuration" in refused
    assert "glasso collect c.yaml --pilot" in refused
    ended("collect", "c.yaml", "--pilot")
    assert set(pieces()) == {"pilot.npz"}
    older = python_with("import glasso_cli\nglasso_cli.__version__ = '0.0.7'\n")
    said = ended("collect", "c.yaml", "--part", "1/2", code=2, environment=older)
    assert "the pilot has glasso 0.1.0, and this process has 0.0.7" in said.lower()
    parts = [started("collect", "c.yaml", "--part", part) for part in ("1/2", "2/2", "1/2")]  # the first one twice
    said_by = [part.communicate()[1] for part in parts]
    assert [part.returncode for part in parts] == [0, 0, 0], said_by
    assert "part 2/2 made block 1, block 3" in said_by[1]
    assert not any("made twice" in text for text in said_by)
    assert len(pieces()) == 1 + BLOCKS
    assert not ARTIFACT.exists()
    ended("collect", "c.yaml")
    assert ARTIFACT.read_bytes() == expected
    assert pieces() == {}
    assert "up to date" in ended("collect", "c.yaml", "--part", "1/2")


@each_engine
def test_a_killed_worker_is_replaced_and_the_bytes_are_those_of_one_process(
    expected: bytes, options: tuple[str, ...]
) -> None:
    driver = started("collect", "c.yaml", *options, environment=python_with(HELD))
    until(lambda: holder() is not None, driver, LONG)
    Path("released").touch()
    os.kill(holder() or 0, signal.SIGKILL)
    said = driver.communicate()[1]
    assert driver.returncode == 0, said
    assert "collect words: 36 documents, 36,864 steps" in said  # by the process that merged
    assert ARTIFACT.read_bytes() == expected
    assert pieces() == {}


@each_engine
def test_a_killed_driver_leaves_no_process_and_all_finished_blocks(expected: bytes, options: tuple[str, ...]) -> None:
    driver = started("collect", "c.yaml", *options, environment=python_with(HELD))
    until(lambda: holder() is not None and len(pieces()) == BLOCKS, driver, LONG)
    family = psutil.Process(driver.pid).children(recursive=True)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    psutil.wait_procs(family, timeout=60)
    assert not any(alive(child.pid) for child in family)
    assert set(pieces()) == {"pilot.npz", "block-0000.npz", "block-0001.npz", "block-0002.npz"}
    ended("collect", "c.yaml")
    assert ARTIFACT.read_bytes() == expected


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a Dask scheduler in a process of its own, with two workers in others, and its process."""
    at, environment = tmp_path / "scheduler.json", python_with(HELD)

    def dask(*words: str) -> subprocess.Popen[str]:
        command, none = [sys.executable, "-m", "dask", *words, "--no-dashboard"], subprocess.DEVNULL
        return subprocess.Popen(command, env=environment, text=True, cwd="/", stdout=none, stderr=none)

    own = dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(at))
    until(at.exists, own, LONG)
    address = json.loads(at.read_text())["address"]
    workers = [dask("worker", address, "--nthreads", "1", "--memory-limit", "0") for _ in range(2)]
    family = [child for worker in workers for child in psutil.Process(worker.pid).children(recursive=True)]
    yield address, own
    for process in (*workers, own):
        process.kill()
        process.wait()
    psutil.wait_procs(family, timeout=60)


def test_a_killed_scheduler_costs_the_running_blocks_alone(
    expected: bytes, scheduler: tuple[str, subprocess.Popen[str]]
) -> None:
    address, process = scheduler
    driver = started("collect", "c.yaml", "--set", f"engine={{kind: dask, address: '{address}'}}")
    until(lambda: holder() is not None and len(pieces()) == BLOCKS, driver, LONG)
    process.send_signal(signal.SIGKILL)
    said = driver.communicate()[1]
    assert driver.returncode == 4, said
    assert f"The Dask scheduler at {address} was lost" in said
    assert len(pieces()) == BLOCKS
    ended("collect", "c.yaml")
    assert ARTIFACT.read_bytes() == expected


@pytest.mark.parametrize("options", [("--workers", "2"), DASK, ("--part", "1/1")], ids=["processes", "dask", "part"])
def test_a_block_that_always_fails_is_told_and_the_others_are_kept(expected: bytes, options: tuple[str, ...]) -> None:
    if "--part" in options:
        ended("collect", "c.yaml", "--pilot")
    said = ended("collect", "c.yaml", *options, code=5, environment=python_with(POISON))
    assert "after up to 3 attempts, these were not made: block 1 (ValueError: this block is poison)" in said
    assert Path("tried").read_text() == "xxx"
    assert set(pieces()) == {"pilot.npz", "block-0000.npz", "block-0002.npz", "block-0003.npz"}
