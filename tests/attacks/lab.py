"""An experiment with a tiny model, finished and interrupted, that attacks take a copy of."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.experiments import documents
from support.real_runs import interrupted_after
from support.tiny_models import build_tokenizer, random_model
from typer.testing import CliRunner

from glasso_cli.artifacts.npz import read_npz
from glasso_cli.artifacts.pieces import write_piece
from glasso_cli.cli.app import app

STAGES = ("collect", "fit", "compare")
CONFIG = """\
out: out
model: {{id: {model}}}
corpora:
  words: {{files: ["{root}/words.jsonl"]}}
  others: {{files: ["{root}/others.jsonl"]}}
collect: {{hook_points: [mlp.1], max_length: 32, lags: 4, blocks: 4, mask: {{massive: null}}}}
fit: {{alpha: [0.6, 0.4, 0.3], select: {{rule: fixed, alpha: 0.4}}, fdr: 0.99, min_effect: 0, half_samples: 2, workers: 1}}
"""


@dataclass(frozen=True)
class Lab:
    """``finished`` has every artifact of ``STAGES``; ``interrupted`` has kept pieces; ``digests`` are the right bytes."""

    root: Path
    finished: Path
    interrupted: Path
    digests: dict[str, str]

    @contextlib.contextmanager
    def copy(self, of: Path) -> Iterator[Path]:
        """A copy as the working folder, thrown away afterwards."""
        before = Path.cwd()
        with tempfile.TemporaryDirectory(dir=self.root) as folder:
            shutil.copytree(of, folder, dirs_exist_ok=True)
            os.chdir(folder)
            try:
                yield Path(folder)
            finally:
                os.chdir(before)


def run(*words: str) -> Any:
    """A command line in this process."""
    return CliRunner().invoke(app, list(words))


def run_all(*words: str) -> Any:
    """All stages of the lab's experiment; the result of the last one that ran."""
    return run("run", "c.yaml", "-q", "--to", STAGES[-1], *words)


def digests_of(folder: Path) -> dict[str, str]:
    """What every artifact and companion below ``folder`` holds.

    Of an archive that is the content, not the bytes: some, such as dates, stand for nothing.
    """
    files = [path for stage in STAGES for path in (folder / "out" / stage).glob("*") if path.is_file()]
    return {str(path.relative_to(folder)): _held(path) for path in files}


def _held(path: Path) -> str:
    if path.suffix != ".npz":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    arrays, meta = read_npz(path)
    parts = [json.dumps(meta, sort_keys=True).encode()]
    for name in sorted(arrays):
        parts += [f"{name} {arrays[name].dtype} {arrays[name].shape}".encode(), arrays[name].tobytes()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


@contextlib.contextmanager
def lab() -> Iterator[Lab]:
    """Make the experiment, once; the user's cache is a folder of its own."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        root = Path(name)
        patch.setenv("GLASSO_CACHE_DIR", str(root / "cache"))
        patch.setenv("COLUMNS", "200")
        model = root / "model"
        random_model("gemma3").save_pretrained(model)
        build_tokenizer(["<pad>", "<bos>", "<unk>"], "<bos> $A", bos_token="<bos>", pad_token="<pad>").save_pretrained(
            model
        )
        start = root / "start"
        start.mkdir()
        (start / "c.yaml").write_text(CONFIG.format(model=model, root=root))
        for name, step in (("words", 1), ("others", -1)):
            lines = (json.dumps({"text": " ".join(text.split()[::step])}) + "\n" for text in documents())
            (root / f"{name}.jsonl").write_text("".join(lines))  # outside: a copy would be another input
        here = Lab(root, root / "finished", root / "interrupted", {})
        with here.copy(start) as folder:
            result = run_all()
            assert result.exit_code == 0, result.output
            digests = digests_of(folder)
            shutil.copytree(folder, here.finished)
        with here.copy(start) as folder:
            _interrupt(patch)
            shutil.copytree(folder, here.interrupted)
        yield Lab(root, here.finished, here.interrupted, digests)


def _interrupt(patch: pytest.MonkeyPatch) -> None:
    """Stop `fit` after two alphas, and then `collect` of the second corpus after two pieces."""
    from glasso_cli.collection import corpus_pass
    from glasso_cli.fitting import finished_points

    run("collect", "c.yaml", "-q")
    with patch.context() as patched:
        patched.setattr(finished_points, "save_piece", interrupted_after(2, finished_points.save_piece))
        assert run("fit", "c.yaml", "-q").exit_code == 130
    Path("out/collect/others.npz").unlink()
    with patch.context() as patched:
        patched.setattr(corpus_pass, "write_piece", interrupted_after(3, write_piece))
        assert run("collect", "c.yaml", "-q").exit_code == 130
    assert list(Path("out/.partial").rglob("*.npz"))
