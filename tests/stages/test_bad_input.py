"""Bad input: one sentence of what is wrong, one of what to do, the right exit code, and nothing lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.real_runs import Runner

from glasso_cli.artifacts.npz import read_npz, write_npz


def refused(runner: Runner, *words: str, code: int = 2) -> str:
    """What the command says on stderr, as one line, after checking its form."""
    result = runner.command(*words)
    assert result.exit_code == code, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    errors = result.stderr[result.stderr.index("error: ") :].rstrip().splitlines()
    assert len(errors) >= 2, "what was wrong, and what to do"
    return " ".join(line.strip() for line in errors)


def copied(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


# -- texts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("corpora.words.text=review", "has no column 'review'"),
        ("corpora.words.files=[nothing.jsonl]", "no file matches 'nothing.jsonl'"),
        ("corpora.words.files=[empty.txt]", "empty.txt is empty"),
        ("corpora.words.files=[picture.txt]", "picture.txt"),
        ("corpora.words.files=[latin.txt]", "latin.txt"),
        ("corpora.words.files=[broken.jsonl]", "broken.jsonl"),
        ("corpora.other.text=text", "other"),
    ],
)
def test_texts(runner: Runner, change: str, words: str) -> None:
    Path("empty.txt").write_text("")
    Path("picture.txt").write_bytes(b"\x89PNG\r\n\x00\x01\x02" * 50)
    Path("latin.txt").write_bytes("Caf\xe9 au lait".encode("latin-1"))
    Path("broken.jsonl").write_text('{"text": "fine"}\n{"text": \n')
    said = refused(runner, "collect", "c.yaml", "--set", change)
    assert words in said
    if "review" in change:
        assert "one of its columns: text, id" in said


# -- models -------------------------------------------------------------------------------------------------


def truncated(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def pickled(folder: Path) -> None:
    import torch

    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


def not_finite(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.weight"][3, 3] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (truncated, "safetensors"),
        (without_config, "config.json"),
        (pickled, "pickle"),
        (not_finite, "not finite"),
    ],
)
def test_model_folders(
    runner: Runner, model_dir: Callable[[str], Path], damage: Callable[[Path], None], words: str
) -> None:
    folder = copied(model_dir("gemma3"), Path("damaged"))
    damage(folder)
    assert words in refused(runner, "collect", "c.yaml", "--set", f"model.id={folder}")


def test_a_model_folder_that_is_not_there(runner: Runner) -> None:
    assert "does not exist" in refused(runner, "collect", "c.yaml", "--set", "model.id=./nowhere/model")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("mlp.9", "this model has layers 0 to 2"),
        ("model.layers.1.mlp.dwn_proj:in", "model.layers.1.mlp.down_proj:in"),
    ],
)
def test_hook_points_that_match_nothing(runner: Runner, pattern: str, words: str) -> None:
    assert words in refused(runner, "collect", "c.yaml", "--set", f"collect.hook_points=['{pattern}']")


def test_a_module_that_never_runs(runner: Runner, model_dir: Callable[[str], Path]) -> None:
    change = ("--set", f"model.id={model_dir('gemma3_vision')}", "--set", "collect.hook_points=['*vision*fc1:in']")
    assert "did not run" in refused(runner, "collect", "c.yaml", *change)


# -- artifacts ----------------------------------------------------------------------------------------------

STATS = Path("out/collect/words.npz")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def replace_by_foreign(path: Path) -> None:
    np.savez(path, a=np.zeros(3))


def from_the_future(path: Path) -> None:
    arrays, meta = read_npz(path)
    write_npz(path, {name: np.array(value) for name, value in arrays.items()}, {**meta, "schema": 99})


def removed(path: Path) -> None:
    path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut, "truncated or damaged"),
        (replace_by_foreign, "not an artifact"),
        (removed, "not made yet"),
    ],
)
def test_an_upstream_artifact_that_cannot_be_used(runner: Runner, damage: Callable[[Path], None], words: str) -> None:
    runner.collect()
    damage(STATS)
    said = refused(runner, "fit", "c.yaml", code=3)
    assert words in said
    assert "glasso collect c.yaml" in said


def test_an_artifact_of_a_newer_glasso_is_left_alone(runner: Runner) -> None:
    runner.collect()
    from_the_future(STATS)
    content = STATS.read_bytes()
    assert "this one reads up to 4" in refused(runner, "fit", "c.yaml")
    assert STATS.read_bytes() == content


def test_a_stale_upstream_names_what_changed(runner: Runner) -> None:
    runner.collect()
    said = refused(runner, "fit", "c.yaml", "--set", "collect.max_length=20", code=3)
    assert "collect.max_length 32 → 20" in said


# -- the disk -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_disk_that_takes_nothing_keeps_the_old_artifact(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    runner.fit()
    names = [Path("out/fit/words.npz"), Path("out/fit/words.dot"), Path("out/fit/words.edges.csv")]
    before = [path.read_bytes() for path in names]
    replace = os.replace

    def full(source: Any, target: Any, **more: Any) -> None:
        if str(target).endswith("fit/words.npz"):
            raise OSError(number, os.strerror(number), str(target))
        replace(source, target, **more)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        said = refused(runner, "fit", "c.yaml", "--set", "fit.tol=1e-5", code=4)
    assert "words.npz" in said
    assert names[0].read_bytes() == before[0]
    assert not [path for path in Path("out/fit").iterdir() if path not in names]


def test_an_output_folder_that_cannot_be_made(runner: Runner) -> None:
    Path("file").write_text("not a folder")
    assert "file" in refused(runner, "collect", "c.yaml", "--set", "out=file/out", code=4)


@pytest.mark.slow
def test_what_was_made_is_as_json_what_it_is_in_the_file(runner: Runner) -> None:
    runner.fit()
    result = runner.command("fit", "c.yaml", "--json")
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["path"] for record in records] == [
        "out/fit/words.npz",
        "out/fit/words.dot",
        "out/fit/words.edges.csv",
    ]
    assert records[0]["metrics"]["edges"] >= 0
    assert records[0]["cached"] is True
