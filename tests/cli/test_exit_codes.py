"""How a command ends: one exit code for every way, and one sentence on stderr."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from support.command_lines import FAKED, Shell, finish, start

from glasso_cli.errors import ServiceError


def test_0_when_done_and_when_up_to_date(shell: Shell) -> None:
    assert shell("run", "c.yaml").exit_code == 0
    assert shell("run", "c.yaml").exit_code == 0
    assert len(shell.stages.made) == 6


@pytest.mark.parametrize(
    "words",
    [
        ["nothing"],
        ["fit"],
        ["fit", "c.yaml", "--nothing"],
        ["fit", "nothing.yaml"],
        ["fit", "c.yaml", "--set", "fit.alpa=1"],
        ["run", "c.yaml", "--from", "fti"],
        ["run", "c.yaml", "--threads", "0"],
        ["run", "c.yaml", "--threads", "1000000"],
        ["run", "c.yaml", "--threads", "two"],
        ["run", "c.yaml", "--from", "fit", "--to", "collect"],
        *(["collect", "c.yaml", "--part", part] for part in ("3/2", "0/2", "1/0", "two")),
        *(["collect", "c.yaml", "--workers", number] for number in ("0", "-1", "two")),
        ["collect", "c.yaml", "--workers", "2", "--part", "1/2"],
        ["collect", "c.yaml", "--workers", "2", "--pilot"],
        ["collect", "c.yaml", "--pilot", "--part", "1/2"],
        ["collect", "c.yaml", "--force", "--part", "1/2"],
        ["collect", "c.yaml", "--set", "engine={kind: dask, slurm: {job: 8}}"],
        ["collect", "c.yaml", "--set", "engine={kind: dask, slurm: {walltime: 4 hours}}"],
        ["schema", "fti"],
        ["show", "c.yaml"],
    ],
    ids=" ".join,
)
def test_2_for_wrong_usage_and_configuration(shell: Shell, words: list[str]) -> None:
    result = shell(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr
    assert "Traceback" not in result.stderr
    assert shell.stages.made == []


def test_3_when_an_upstream_artifact_is_missing(shell: Shell) -> None:
    result = shell("fit", "c.yaml", "--set", "fit.alpha={from: 1, to: 0.5, num: 2}")
    assert result.exit_code == 3
    assert result.stderr == (
        "error: fit reads out/collect/films.npz, which is not up to date: not made yet.\n"
        "  Run: glasso collect c.yaml --set 'fit.alpha={from: 1, to: 0.5, num: 2}'   "
        "(or all of it: glasso run c.yaml --set 'fit.alpha={from: 1, to: 0.5, num: 2}')\n"
    )


def test_4_when_a_service_fails(shell: Shell) -> None:
    def fail(job: Any) -> None:
        raise ServiceError("The model hub cannot be reached.", "Try again later.")

    shell.stages.before = fail
    result = shell("collect", "c.yaml")
    assert result.exit_code == 4
    assert result.stderr == "error: The model hub cannot be reached.\n  Try again later.\n"


def test_4_when_out_is_a_file(shell: Shell) -> None:
    Path("out").touch()
    result = shell("collect", "c.yaml")
    assert result.exit_code == 4
    assert "error: out cannot be written: a file stands where a folder is needed" in result.stderr


def test_5_when_a_target_was_missed_also_when_cached(shell: Shell) -> None:
    shell.stages.below = {"films": "films did not converge"}
    for _ in range(2):
        result = shell("run", "c.yaml")
        assert result.exit_code == 5
        assert result.stderr.endswith(
            "error: films did not converge\n  The work is saved, and later stages can use it.\n"
        )
        assert "out/fit/films.npz\n" in result.stdout
    assert len(shell.stages.made) == 6


def test_1_for_a_bug_with_the_traceback_in_a_file_and_no_values_of_variables(shell: Shell) -> None:
    def fail(job: Any) -> None:
        key = "s3cr3t"
        raise ValueError(f"a bug with a key of {len(key)} letters")

    shell.stages.before = fail
    result = shell("collect", "c.yaml")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "error: This is a bug in glasso: ValueError: a bug with a key of 6 letters"
    assert "Traceback" not in result.stderr
    (report,) = Path().glob("glasso-bug-*.txt")
    text = report.read_text()
    assert "Traceback" in text
    assert "a bug with a key" in text
    assert "s3cr3t" not in text
    assert str(report.resolve()) in result.stderr
    assert "Traceback" in shell("collect", "c.yaml", "--debug").stderr


@pytest.mark.slow
def test_130_when_interrupted_and_the_same_command_continues(shell: Shell) -> None:
    process = start(FAKED, "wait", "collect", "c.yaml")
    assert process.stderr is not None
    assert process.stderr.readline() == "working\n"
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert (code, out) == (130, "")
    assert err == "error: Interrupted.\n  Run the same command to continue; finished work is kept.\n"
    assert finish(start(FAKED, "collect", "c.yaml"))[0] == 0


@pytest.mark.slow
def test_143_when_terminated_and_the_folder_is_free(shell: Shell) -> None:
    process = start(FAKED, "wait", "collect", "c.yaml")
    assert process.stderr is not None
    assert process.stderr.readline() == "working\n"
    process.terminate()
    assert finish(process)[0] == 143
    assert finish(start(FAKED, "collect", "c.yaml"))[0] == 0
