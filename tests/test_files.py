"""A file is whole or not there: kills, full disks, folders that cannot be written."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from glasso_cli import files
from glasso_cli.errors import ServiceError
from glasso_cli.files import atomic_write, disk_errors, drop_leftovers, sha256_of

# Writes `size` bytes of 0, then of 1, then of 2, … and says so at every piece, until it is killed.
WRITER = """
import itertools, sys
from pathlib import Path
from glasso_cli.files import atomic_write

path, size = Path(sys.argv[1]), int(sys.argv[2])
for number in itertools.count():
    with atomic_write(path) as file:
        for _ in range(64):
            file.write(bytes([number % 256]) * (size // 64))
            print(number, flush=True)
"""
SIZE = 1 << 20


def test_the_content_appears_at_the_end_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file.txt"
    with atomic_write(path, "w") as file:
        file.write("ä\n")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == "ä\n".encode()
    assert os.listdir(path.parent) == ["file.txt"]


def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), atomic_write(path) as file:
        file.write("not bytes")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.slow
def test_a_killed_writer_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path, rng = tmp_path / "file", random.Random(0)
    unfinished = 0
    for _ in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(SIZE)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(rng.randrange(65, 400)):  # at least one file is whole
            last = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        for line in writer.stdout:
            last = int(line)
        assert writer.wait() == -signal.SIGKILL
        content = path.read_bytes()
        assert len(content) == SIZE
        assert len(set(content)) == 1
        assert content[0] in (last % 256, (last - 1) % 256)
        unfinished += len(list(tmp_path.glob(".file.tmp-*")))
        drop_leftovers(tmp_path)
        assert os.listdir(tmp_path) == ["file"]
    assert unfinished > 0, "no writer was killed while it wrote, so nothing was tested"


def test_leftovers_of_processes_that_run_stay_in_a_shared_folder(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine, theirs, gone = (f".a.json.tmp-{number}" for number in (os.getpid(), os.getppid(), ended.pid))
    for name in (mine, theirs, gone, ".a.json", "a.tmp-12"):
        (tmp_path / name).touch()
    drop_leftovers(tmp_path, shared=True)
    assert sorted(os.listdir(tmp_path)) == sorted([".a.json", theirs, "a.tmp-12"])
    drop_leftovers(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".a.json", "a.tmp-12"]


@pytest.mark.parametrize(
    ("number", "words", "advice"),
    [
        (errno.ENOSPC, "The disk is full", "Free some space"),
        (errno.EDQUOT, "The disk is full", "Free some space"),
        (errno.EACCES, "may not be written", "permissions"),
        (errno.EPERM, "may not be written", "permissions"),
        (errno.EROFS, "may not be written", "permissions"),
        (errno.ENOTDIR, "a file stands where a folder is needed", "Move it away"),
        (errno.EISDIR, "a file stands where a folder is needed", "Move it away"),
        (errno.EIO, "could not be written", "Point `out`"),
        (errno.ENAMETOOLONG, "could not be written", "Point `out`"),
    ],
)
@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_what_the_disk_says_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, words: str, advice: str
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files if step == "open" else os, step, fail, raising=step != "open")
    path = tmp_path / "file"
    with pytest.raises(ServiceError) as caught, atomic_write(path) as file:
        file.write(b"x")
    assert caught.value.exit_code == 4
    assert words in caught.value.message
    assert str(path) in caught.value.message
    assert advice in caught.value.hint
    assert os.listdir(tmp_path) == []


def test_a_full_disk_while_writing(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="The disk is full"), atomic_write(tmp_path / "file"):
        raise OSError(errno.ENOSPC, "no space")
    assert os.listdir(tmp_path) == []


def test_an_error_that_is_not_of_the_disk_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), disk_errors(tmp_path):
        raise BrokenPipeError(errno.EPIPE, "gone")


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    for path in (tmp_path / "out" / "file", tmp_path / "out" / "deep" / "file"):
        with pytest.raises(ServiceError, match="a file stands where a folder is needed"), atomic_write(path):
            pass


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ServiceError, match="or the reverse"), atomic_write(tmp_path / "out") as file:
        file.write(b"x")
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1])
def test_the_digest_of_a_file(tmp_path: Path, size: int) -> None:
    data = random.Random(size).randbytes(size)
    (tmp_path / "file").write_bytes(data)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(data).hexdigest()
