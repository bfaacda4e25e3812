"""Pieces: the first that is written stays, wherever the second comes from, and damage is made good."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.divided import plain_environment

from glasso_cli.artifacts.pieces import read_piece, replace_piece, write_piece

KIND = ("test", 1)
ARRAYS = {"values": np.arange(3.0)}
OTHER = {"values": np.arange(3.0) + 1e-9}

# Writes one piece as soon as it may, again and again, and says what it hears.
WRITER = """
import sys
from pathlib import Path
import numpy as np
from glasso_cli.artifacts.pieces import write_piece
print("ready", flush=True)
sys.stdin.readline()
for number in range(200):
    write_piece(Path(sys.argv[1]) / f"{number}.npz", "test", 1, {"values": np.full(5000, number)}, {}, print)
"""


def test_the_first_piece_stays_and_a_second_with_other_numbers_is_told(tmp_path: Path) -> None:
    path, told = tmp_path / "a.npz", list[str]()
    write_piece(path, *KIND, ARRAYS, {"by": 1}, told.append)
    first = path.read_bytes()
    write_piece(path, *KIND, ARRAYS, {"by": 2}, told.append)
    assert told == []
    write_piece(path, *KIND, OTHER, {"by": 1}, told.append)
    assert len(told) == 1
    assert "made twice, with other numbers" in told[0]
    assert path.read_bytes() == first
    assert os.listdir(tmp_path) == ["a.npz"]


def test_a_replaced_piece_is_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_piece(path, *KIND, ARRAYS, {})
    replace_piece(path, *KIND, OTHER, {})
    part = read_piece(path, *KIND)
    assert part is not None
    np.testing.assert_array_equal(part[0]["values"], OTHER["values"])


def test_a_damaged_piece_gives_way(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"half a file")
    write_piece(path, *KIND, ARRAYS, {})
    assert read_piece(path, *KIND) is not None


@pytest.mark.parametrize("there", [False, True])
def test_a_file_system_without_links_keeps_the_first_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    def refused(*_: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, "no links")

    path = tmp_path / "a.npz"
    if there:
        write_piece(path, *KIND, ARRAYS, {})
    monkeypatch.setattr(os, "link", refused)
    write_piece(path, *KIND, OTHER if there else ARRAYS, {})
    part = read_piece(path, *KIND)
    assert part is not None
    np.testing.assert_array_equal(part[0]["values"], ARRAYS["values"])
    assert os.listdir(tmp_path) == ["a.npz"]


@pytest.mark.slow
def test_two_processes_write_the_same_pieces_at_the_same_time(tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdin=pipe, stdout=pipe, text=True, env=plain_environment()
        )
        for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    said = []
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        said.append(writer.communicate()[0])
        assert writer.returncode == 0
    assert said == ["", ""]
    assert len(os.listdir(tmp_path)) == 200
    assert all(read_piece(tmp_path / f"{number}.npz", *KIND) is not None for number in range(200))
