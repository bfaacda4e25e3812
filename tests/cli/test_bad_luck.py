"""Ordinary bad luck is a sentence and the right exit code: closed streams, pipes, permissions, huge files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.command_lines import Shell

from glasso_cli.cli import interrupts
from glasso_cli.cli.guard import refused_by_the_system
from glasso_cli.cli.showing.describe import describe
from glasso_cli.console import Console, strict_json, visible
from glasso_cli.errors import InputError, ServiceError
from glasso_cli.files import require_regular

MAIN = "from glasso_cli.__main__ import main; main()"


def bash(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """``command`` in bash, with the command line as ``$G``."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "P": sys.executable, "M": MAIN}
    return subprocess.run(
        ["bash", "-c", command.replace("$G", '"$P" -c "$M"')],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


# -- streams --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_closed_streams_do_not_take_the_place_of_files(tmp_path: Path) -> None:
    made = bash("$G init my.yaml >&- 2>&-; echo $?", tmp_path)
    assert made.stdout == "0\n"
    text = (tmp_path / "my.yaml").read_text()
    assert text.startswith("#")
    assert "next:" not in text
    quiet = bash("$G init other.yaml 2>&-; echo $?", tmp_path)
    assert quiet.stdout == "other.yaml\n0\n"


@pytest.mark.slow
def test_a_full_device_behind_stdout_is_a_sentence(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full of Linux")
    full = bash("$G schema fit > /dev/full; echo $?", tmp_path)
    assert full.stdout == "4\n"
    assert "error: The operating system refused a request: No space left on device." in full.stderr
    assert "Traceback" not in full.stderr
    assert "Exception ignored" not in full.stderr
    assert bash("$G init my.yaml 2> /dev/full; echo $?", tmp_path).stdout == "my.yaml\n0\n"


# -- signals --------------------------------------------------------------------------------------


@pytest.fixture
def signalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that a library has swallowed."""
    monkeypatch.setattr(interrupts, "_arrived", [15])


@pytest.mark.usefixtures("signalled")
def test_a_swallowed_signal_ends_the_run_at_the_next_step() -> None:
    console = Console(quiet=True, check=interrupts.check)
    with pytest.raises(SystemExit) as caught, console.progress("x", 2, "steps") as advance:
        advance(1)
    assert caught.value.code == 143
    with pytest.raises(SystemExit):
        console.note("still here")


# -- the system -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "texts/a"), "refused texts/a: Permission denied"),
        (FileNotFoundError(2, "No such file or directory", "out"), "refused out: No such file"),
        (OSError(27, "File too large", "out/x"), "File too large"),
        (MemoryError(), "not enough memory"),
    ],
)
def test_what_the_system_refuses_is_not_a_bug(error: BaseException, said: str) -> None:
    with pytest.raises(ServiceError, match=said) as caught, refused_by_the_system():
        raise error
    assert caught.value.exit_code == 4
    assert caught.value.hint


def test_errors_of_libraries_without_a_number_pass() -> None:
    with pytest.raises(OSError, match="of its own"), refused_by_the_system():
        raise OSError("of its own")


def test_a_pipe_in_the_place_of_an_artifact_does_not_hang(tmp_path: Path) -> None:
    for name in ("a.npz", "figures.json"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(InputError, match="is a pipe or a device"):
            describe(tmp_path / name, as_json=False)
    with pytest.raises(InputError, match="is a folder"):
        require_regular(tmp_path)


def test_a_folder_in_the_place_of_an_artifact_is_said(shell: Shell) -> None:
    assert shell("run", "c.yaml").exit_code == 0
    artifact = Path("out/collect/films.npz")
    artifact.unlink()
    artifact.mkdir()
    result = shell("run", "c.yaml")
    assert result.exit_code == 4
    assert "films.npz" in result.stderr
    assert "bug" not in result.stderr


# -- terminals ------------------------------------------------------------------------------------


def test_escapes_are_shown_and_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "a\x1b]0;title\x07b\x9b31mc\u202ed"
    Console().warn(evil)
    Console().error(evil, evil)
    err = capsys.readouterr().err
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(err)
    assert "\\u001b]0;title" in err
    assert visible("é ユ 🎬 α\n") == "é ユ 🎬 α\n"
    assert strict_json({"name": evil}) == '{"name": "a\\u001b]0;title\\u0007b\\u009b31mc\\u202ed"}'
