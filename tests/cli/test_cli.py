"""The command line as a shell sees it: stdout and stderr, help, and what importing it costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command_lines import FAKED, Shell, finish, start
from support.fake_stages import FAKES

import glasso_cli
from glasso_cli.pipeline.run import STAGES

HEAVY = ["torch", "transformers", "datasets", "gglasso", "openai", "matplotlib", "seaborn", "sklearn", "numba"]
COMMANDS = [*STAGES, "run", "plan", "show", "check", "schema", "init"]

# Runs one command after the other, and says after each how it ended and which heavy packages are imported by now.
WATCHED = f"""
import json, sys
from glasso_cli.cli.app import app
for words in json.loads(sys.argv[1]):
    try:
        app(words)
    except SystemExit as end:
        print("watched", words, end.code, [name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


# -- what it costs --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_no_heavy_package_is_imported_to_say_something(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "a.txt").write_text("a text")
    good = "model: {id: ./model}\ncorpora: {a: {files: [a.txt]}}\ncollect: {hook_points: [mlp.1]}\n"
    (tmp_path / "good.yaml").write_text(good)
    (tmp_path / "bad.yaml").write_text("modle: {}\n")
    ends = {
        ("--help",): 0,
        ("fit", "--help"): 0,
        ("--version",): 0,
        ("check", "bad.yaml"): 2,
        ("check", "good.yaml"): 0,
        ("schema",): 0,
        ("show", "nothing.npz"): 2,
        ("init", "new.yaml"): 0,
        ("plan", "good.yaml"): 0,
        ("fit", "good.yaml"): 3,
        ("fit", "good.yaml", "--threads", "1"): 3,
        ("run", "good.yaml", "--dry-run", "--threads", "1"): 0,
    }
    code, _, err = finish(start(WATCHED, json.dumps(list(ends)), cwd=tmp_path))
    assert code == 0, err
    watched = [line for line in err.splitlines() if line.startswith("watched")]
    assert watched == [f"watched {list(words)} {end} []" for words, end in ends.items()]


# -- help -----------------------------------------------------------------------------------------------


def test_help_lists_every_command_and_begins_with_examples(shell: Shell) -> None:
    text = shell("--help").stdout
    assert text.index("Examples") < text.index("Options")
    assert all(f"│ {command} " in text for command in COMMANDS)
    assert "$ glasso init my.yaml" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example_that_it_accepts(shell: Shell, command: str) -> None:
    text = shell(command, "--help").stdout
    examples = [line.strip() for line in text.splitlines() if line.strip().startswith("$ glasso")]
    assert any(example.startswith(f"$ glasso {command}") for example in examples)


@pytest.mark.parametrize("command", [*STAGES, "run"])
def test_every_stage_has_the_same_options_in_the_same_order(shell: Shell, command: str) -> None:
    text = shell(command, "--help").stdout
    text = text[text.index("Options") :]
    options = ("--set", "--force", "--dry-run", "--threads", "--json", "--quiet", "--verbose", "--debug")
    places = [text.index(f"│ {option} ") for option in options]
    assert places == sorted(places)


def test_the_version(shell: Shell) -> None:
    assert shell("--version").stdout == f"glasso {glasso_cli.__version__}\n"


# -- stdout and stderr --------------------------------------------------------------------------------------


def test_stdout_is_the_paths_and_nothing_else(shell: Shell) -> None:
    result = shell("run", "c.yaml", "-v")
    paths = result.stdout.splitlines()
    assert len(paths) == 12
    assert all(Path(path).is_file() for path in paths)
    assert "collect films: 2 words" in result.stderr
    assert shell("run", "c.yaml").stdout == result.stdout


def test_the_paths_can_be_shown_one_by_one(shell: Shell) -> None:
    for path in shell("run", "c.yaml", "-q").stdout.splitlines():
        if not path.endswith(".svg"):
            shown = shell("show", path)
            assert shown.exit_code == 0
            assert shown.stdout.startswith(f"{path}\n  kind ")


def test_every_line_of_json_parses(shell: Shell) -> None:
    records = [json.loads(line) for line in shell("run", "c.yaml", "--json").stdout.splitlines()]
    assert {record["stage"] for record in records} == set(FAKES)
    assert all(set(record) >= {"stage", "corpus", "path", "key", "cached", "seconds", "metrics"} for record in records)
    steps = [json.loads(line) for line in shell("plan", "c.yaml", "--json").stdout.splitlines()]
    assert [step["fresh"] for step in steps] == [True] * 6
    assert json.loads(shell("show", records[0]["path"], "--json").stdout)["kind"] == "words"
    assert json.loads(shell("schema", "fit").stdout)


def test_quiet_says_nothing_but_results(shell: Shell) -> None:
    result = shell("run", "c.yaml", "-q")
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 12


def test_a_dry_run_says_what_would_run_and_runs_nothing(shell: Shell) -> None:
    result = shell("run", "c.yaml", "--from", "collect", "--to", "fit", "--dry-run")
    assert result.stdout.splitlines() == [
        "collect    films            WILL RUN    not made yet",
        "collect    books            WILL RUN    not made yet",
        "fit        films            WILL RUN    collect will run first",
        "fit        books            WILL RUN    collect will run first",
    ]
    shell("run", "c.yaml")
    assert shell("fit", "c.yaml", "-n").stdout.split("\n")[0] == "fit        films            up to date"
    assert "WILL RUN    forced" in shell("fit", "c.yaml", "-n", "--force").stdout
    assert "fit.tol 1e-07 → 0.001" in shell("plan", "c.yaml", "--set", "fit.tol=1e-3").stdout
    assert len(shell.stages.made) == 6


def test_force_runs_one_stage(shell: Shell) -> None:
    shell("run", "c.yaml")
    shell("fit", "c.yaml", "--force")
    assert shell.stages.made[6:] == [("fit", "films"), ("fit", "books")]


@pytest.mark.slow
def test_a_pipe_carries_no_escape_codes(shell: Shell) -> None:
    code, out, err = finish(start(FAKED, "run", "c.yaml", "-v"))
    assert code == 0
    assert "\x1b" not in out + err
    code, out, err = finish(start(FAKED, "check", "nothing.yaml"))
    assert "\x1b" not in out + err


@pytest.mark.slow
@pytest.mark.parametrize("words", [["run", "c.yaml"], ["schema"]], ids=" ".join)
def test_a_reader_that_has_gone_ends_the_run_without_a_word(shell: Shell, words: list[str]) -> None:
    process = start(FAKED, *words)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    code, _, err = finish(process)
    assert code == 128 + signal.SIGPIPE
    assert "Traceback" not in err
    assert "Exception" not in err
    assert "error" not in err


@pytest.mark.slow
def test_letters_that_the_terminal_lacks_do_not_stop_the_work(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    shell("run", "c.yaml")
    code, out, _ = finish(start(FAKED, "plan", "c.yaml", "--set", "fit.tol=1e-3"))
    assert code == 0
    assert "fit.tol 1e-07 \\u2192 0.001" in out


# -- check, init, show ----------------------------------------------------------------------------------------


def test_check_says_that_a_configuration_is_valid_and_runs_nothing(shell: Shell) -> None:
    result = shell("check", "c.yaml")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "c.yaml is valid\n")
    assert not Path("out").exists()


def test_init_writes_a_configuration_that_is_valid_and_is_not_overwritten(shell: Shell) -> None:
    result = shell("init", "my new.yaml")
    assert (result.exit_code, result.stdout) == (0, "my new.yaml\n")
    assert result.stderr == "next: glasso run 'my new.yaml'\n"
    assert shell("check", "my new.yaml").exit_code == 0
    Path("my new.yaml").write_text("mine")
    refused = shell("init", "my new.yaml")
    assert refused.exit_code == 2
    assert (
        refused.stderr == "error: my new.yaml already exists.\n  Give another name, or use --force to overwrite it.\n"
    )
    assert Path("my new.yaml").read_text() == "mine"
    assert shell("init", "my new.yaml", "--force").exit_code == 0
    assert shell("check", "my new.yaml").exit_code == 0


def test_every_line_of_the_starter_that_is_commented_out_is_valid_too(shell: Shell) -> None:
    shell("init", "starter.yaml")
    text = Path("starter.yaml").read_text()
    commented = [line for line in text.splitlines() if line.lstrip().startswith("# ") and ": {" in line]
    assert commented
    for line in commented:
        Path("starter.yaml").write_text(text.replace(line, line.replace("# ", "", 1)))
        assert shell("check", "starter.yaml").exit_code == 0, line


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "There is no file a.npz"),
        (lambda path: path.mkdir(), "a.npz is a folder"),
        (lambda path: path.write_bytes(b"PK\x03\x04 cut"), "a.npz is truncated or damaged"),
        (lambda path: path.write_text("notes"), "a.npz is not an artifact of glasso: it is not an .npz file"),
        (lambda path: np.savez(path, x=np.arange(3)), "a.npz is not an artifact of glasso: it has no meta.json"),
    ],
)
def test_show_says_why_it_cannot(shell: Shell, make: Callable[[Path], None], words: str) -> None:
    make(Path("a.npz"))
    result = shell("show", "a.npz")
    assert result.exit_code == 2
    message, hint = result.stderr.splitlines()
    assert message.startswith(f"error: {words}")
    assert message.endswith(".")
    assert hint.startswith("  ")


def test_show_never_advises_to_delete_a_file_of_somebody_else(shell: Shell) -> None:
    assert "Delete" not in shell("show", "c.yaml").stderr


# -- secrets --------------------------------------------------------------------------------------------------


def test_secrets_of_an_env_file_reach_the_stages_and_no_output(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    secret, seen = "hf_s3cr3t", []
    Path(".env").write_text(f"HF_TOKEN={secret}\n")
    shell.stages.before = lambda job: seen.append(os.environ.get("HF_TOKEN"))
    monkeypatch.setattr(os, "environ", os.environ.copy())
    result = shell("run", "c.yaml", "-v")
    assert set(seen) == {secret}

    def fail(job: Any) -> None:
        raise ValueError("a bug")

    shell.stages.before = fail
    failed = shell("run", "c.yaml", "--force", "--debug")
    assert failed.exit_code == 1
    assert secret not in result.output + failed.output
    written = [path for path in Path().rglob("*") if path.is_file() and path.name != ".env"]
    assert len(written) > 12
    assert not [path for path in written if secret.encode() in path.read_bytes()]


def test_a_broken_env_file_is_a_clear_error(shell: Shell) -> None:
    Path(".env").write_text("HF_TOKEN hf_s3cr3t\n")
    result = shell("run", "c.yaml")
    assert result.exit_code == 2
    assert "error: .env:1 should be NAME=value." in result.stderr
    assert "hf_s3cr3t" not in result.output
    assert shell("check", "c.yaml").exit_code == 0


def test_the_package_runs_as_a_module() -> None:
    result = subprocess.run([sys.executable, "-m", "glasso_cli", "--version"], capture_output=True, text=True)
    assert result.stdout == f"glasso {glasso_cli.__version__}\n"
