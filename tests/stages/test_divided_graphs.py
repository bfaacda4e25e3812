"""Permutations of `compare` and subsets of `structure`, divided among processes, give the bytes of one process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.divided import CODE, ended, pieces

CONFIG = """\
out: out
model: {kind: torch, target: "tiny_code:make", trust: import, device: cpu}
corpora: {one: {arrays: one.npy}, other: {arrays: other.npy}}
collect: {hook_points: ["1:out"], lags: 4, blocks: 8, mask: {massive: null}}
fit: {alpha: [0.3], half_samples: 0, min_effect: 0, fdr: 0.5}
compare: {permutations: 40}
structure: {subsets: 5}
"""


@pytest.mark.slow
def test_processes_give_the_bytes_of_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, scale in (("one", 1.0), ("other", 1.5)):
        values = rng.standard_normal((64, 40, 3)) * [1, scale, 1]
        np.save(f"{name}.npy", values.astype(np.float32))
    Path("tiny_code.py").write_text(CODE)
    Path("c.yaml").write_text(CONFIG)
    ended("run", "c.yaml", "--to", "compare")
    artifacts = {"compare": Path("out/compare/one-vs-other.npz"), "structure": Path("out/structure/one.npz")}
    for engine, (stage, artifact) in zip(("processes", "dask"), artifacts.items()):
        one = artifact.read_bytes()
        artifact.unlink()
        said = ended(stage, "c.yaml", "--set", f"engine={{kind: {engine}, workers: 2}}")
        assert f"{stage} {artifact.stem}: " in said
        assert artifact.read_bytes() == one
        assert pieces() == {}
