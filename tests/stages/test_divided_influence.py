"""`influence` divided among processes gives the bytes of one process, in closed form and along all paths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.divided import CODE, ended, pieces, with_poison

pytestmark = pytest.mark.slow
PROCESSES, DASK = ("--set", "engine={kind: processes, workers: 2}"), ("--set", "engine={kind: dask, workers: 2}")

CONFIG = """\
out: out
model: {kind: torch, target: "tiny_code:make", trust: import, device: cpu}
corpora: {rows: {arrays: rows.npy}}
collect: {hook_points: ["0:out", "1:out", "2:out"], blocks: 4, mask: {massive: null}}
influence: {paths: all, min_effect: 0, max_tokens: 300, keep: all}
"""


def test_all_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", np.random.default_rng(0).standard_normal((400, 3)).astype(np.float32))
    Path("tiny_code.py").write_text(CODE)
    Path("c.yaml").write_text(CONFIG)
    ended("run", "c.yaml", "--to", "collect")
    ended("influence", "c.yaml")
    artifact = Path("out/influence/rows.npz")
    one = artifact.read_bytes()
    artifact.unlink()
    said = ended(
        "influence", "c.yaml", *PROCESSES, code=5, environment=with_poison("source-000-block-0002.npz", "block")
    )
    assert "these were not made: block 2 of 0:out (ValueError: this block is poison)" in said
    first = {f"source-000-block-{block:04d}.npz" for block in (0, 1, 3)}
    assert set(pieces()) == {"limits.npz", "derivative-000.npz", *first}
    said = ended("influence", "c.yaml", *PROCESSES)
    assert "influence rows: " in said  # by the process that merged
    assert artifact.read_bytes() == one
    assert pieces() == {}


@pytest.mark.usefixtures("runner")
def test_the_closed_form() -> None:
    layers = ("--set", "collect.hook_points=[mlp.0, mlp.1, mlp.2]", "--set", "influence.min_effect=0.02")
    ablation = ("--set", "influence.ablation=true", "--set", "influence.keep=all")
    ended("collect", "c.yaml", *layers)
    ended("influence", "c.yaml", *layers, *ablation)
    artifact = Path("out/influence/words.npz")
    one = artifact.read_bytes()
    artifact.unlink()
    ended("influence", "c.yaml", *layers, *ablation, *DASK)
    assert artifact.read_bytes() == one
    assert pieces() == {}
