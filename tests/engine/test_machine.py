"""The memory there is: that of the machine, within the limits of control groups."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from glasso_cli.engine import machine

GB = 10**9


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of control groups on a machine with 50 GB free."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=50 * GB))
    monkeypatch.setattr(machine, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(machine, "_GROUPS", tmp_path / "groups")
    return tmp_path / "groups"


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_this_machine_has_some_of_both() -> None:
    assert 0 < machine.available_memory() <= psutil.virtual_memory().total
    assert machine.cores() >= 1


def test_without_groups_it_is_what_the_machine_has_free(groups: Path) -> None:
    assert machine.available_memory() == 50 * GB
    write(groups.parent, own="0::/job\n")
    assert machine.available_memory() == 50 * GB


@pytest.mark.parametrize("place", ["job/step", "job", "."])
def test_a_limit_of_version_2_counts_wherever_it_stands(groups: Path, place: str) -> None:
    write(groups.parent, own="0::/job/step\n")
    write(groups / "job" / "step", memory__max="max\n", memory__current=f"{GB}\n")
    stat = f"anon 5\ninactive_file {GB}\n"
    write(groups / place, memory__max=f"{8 * GB}\n", memory__current=f"{3 * GB}\n", memory__stat=stat)
    assert machine.available_memory() == 6 * GB


def test_a_limit_of_version_1(groups: Path) -> None:
    write(groups.parent, own="5:cpu,cpuacct:/a\n4:memory:/a\n0::/\n")
    memory = groups / "memory"
    write(memory / "a", memory__limit_in_bytes=f"{4 * GB}", memory__usage_in_bytes=f"{GB}")
    write(memory, memory__limit_in_bytes="9223372036854771712", memory__usage_in_bytes=f"{9 * GB}")
    assert machine.available_memory() == 3 * GB


def test_nothing_is_left_above_a_limit(groups: Path) -> None:
    write(groups.parent, own="0::/\n")
    write(groups, memory__max=f"{GB}", memory__current=f"{2 * GB}")
    assert machine.available_memory() == 0
