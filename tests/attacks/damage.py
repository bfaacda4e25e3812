"""Damage to what an experiment keeps: artifacts, companions, finished pieces."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random

from attacks.lab import Lab, digests_of, run_all
from attacks.outcome import BUG, HELD, SILENT, STUCK, Outcome, of_result

SECTOR = 512


def _truncated(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content))]


def _zeroed(content: bytes, random: Random) -> bytes:
    start = random.randrange(0, len(content), SECTOR)
    stop = min(len(content), start + SECTOR * random.choice([1, 1, 100]))
    return content[:start] + bytes(stop - start) + content[stop:]


def _flipped(content: bytes, random: Random) -> bytes:
    place = random.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << random.randrange(8))]) + content[place + 1 :]


def _emptied(content: bytes, random: Random) -> bytes:
    return b""


def _longer(content: bytes, random: Random) -> bytes:
    return content + random.randbytes(random.randrange(1, 600))


CHANGES: tuple[Callable[[bytes, Random], bytes], ...] = (_truncated, _zeroed, _flipped, _emptied, _longer)


def damage(path: Path, random: Random, others: list[Path]) -> str:
    """Do something to a file, and say what."""
    how = random.choice(["changed", "changed", "changed", "swapped", "removed", "folder", "old time"])
    before = path.stat()
    if how == "swapped" and others:
        path.write_bytes(random.choice(others).read_bytes())
        return "swapped with another"
    if how == "removed":
        path.unlink()
        return how
    if how == "folder":
        path.unlink()
        path.mkdir()
        return "a folder in its place"
    change = random.choice(CHANGES) if before.st_size else _longer
    path.write_bytes(change(path.read_bytes(), random))
    if how == "old time":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return f"{change.__name__.lstrip('_')}{', time put back' if how == 'old time' else ''}"


def attack(lab: Lab, random: Random) -> Outcome:
    """Damage some files of a finished or an interrupted run, and run it again until it is finished."""
    of = random.choice([lab.finished, lab.interrupted])
    with lab.copy(of) as folder:
        files = sorted(path for path in (folder / "out").rglob("*") if path.is_file() and path.suffix != ".log")
        files = [path for path in files if path.name != ".lock"]
        done = []
        for path in random.sample(files, random.choice([1, 1, 2])):
            others = [other for other in files if other.suffix == path.suffix and other != path and other.is_file()]
            done.append(f"{path.relative_to(folder)} {damage(path, random, others)}")
        what = "; ".join(done)
        result = run_all()
        if bad := of_result(what, result):
            return bad
        if result.exit_code:
            return _after_the_advice(lab, folder, what, result.output)
        return _same(lab, folder, what)


def _after_the_advice(lab: Lab, folder: Path, what: str, said: str) -> Outcome:
    """A refusal must be settled by deleting the file it names, or by --force."""
    for path in sorted((folder / "out").rglob("*"), reverse=True):
        if path.is_dir() and path.suffix in (".npz", ".dot", ".csv"):
            path.rmdir()
    result = run_all("--force")
    if bad := of_result(f"{what}, then --force", result):
        return bad
    if result.exit_code:
        return Outcome(STUCK, f"{what}: {said[-300:]} then {result.output[-300:]}")
    return _same(lab, folder, what)


def _same(lab: Lab, folder: Path, what: str) -> Outcome:
    now = digests_of(folder)
    wrong = sorted(name for name in lab.digests if now.get(name) != lab.digests[name])
    if wrong:
        return Outcome(SILENT, f"{what}: {', '.join(wrong)}")
    left = [path.name for path in (folder / "out").rglob(".*.tmp-*")]
    return Outcome(BUG, f"{what}: left {left}") if left else Outcome(HELD, what)
