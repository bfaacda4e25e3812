"""The bootstraps of `audit` on a cluster of Dask give the bytes of one process, also after one of them failed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.divided import CODE, pieces, python_with
from support.real_runs import Runner

CONFIG = """\
out: out
model: {kind: torch, target: "tiny_code:make", trust: import, device: cpu}
corpora: {words: {arrays: words.npy}}
collect: {hook_points: ["0:out", "2:out"], max_tokens: 800, lags: 4, blocks: 8, mask: {massive: null}}
intervene: {sources: all, stratify: [], tokens: 400}
audit: {share: 0.2, top: 5, replicates: 30, splits: 3}
"""
ARTIFACT = Path("out/audit/words.npz")
DASK = ("--set", "engine={kind: dask, workers: 2}")

# Run before anything else in a process: replicates 11 to 20 always fail.
POISON = """
from glasso_cli.auditing import replicates
write = replicates.write_piece
def poisoned(path, *rest):
    if path.name.endswith("-draws-10.npz"):
        raise ValueError("this part is poison")
    write(path, *rest)
replicates.write_piece = poisoned
"""


@pytest.mark.slow
def test_a_cluster_gives_the_bytes_of_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("words.npy", np.random.default_rng(0).standard_normal((64, 20, 3)).astype(np.float32))
    Path("tiny_code.py").write_text(CODE)
    Path("c.yaml").write_text(CONFIG)
    for stage in ("collect", "intervene"):  # which audits too
        assert Runner.command(stage, "c.yaml").exit_code == 0
    files = [ARTIFACT, *sorted(ARTIFACT.parent.glob("*.csv"))]
    one = [file.read_bytes() for file in files]
    ARTIFACT.unlink()
    monkeypatch.setenv("PYTHONPATH", python_with(POISON)["PYTHONPATH"])
    failed = Runner.command("audit", "c.yaml", *DASK)
    assert failed.exit_code == 5
    assert "replicates 11 to 20 (ValueError: this part is poison)" in " ".join(failed.output.split())
    kept = {name.split("-", 2)[2] for name in pieces() if name.count("-") > 1}
    assert kept == {"draws-0.npz", "draws-20.npz", *(f"split-{number}.npz" for number in range(3))}
    python_with("")
    made = Runner.command("audit", "c.yaml", *DASK)
    assert made.exit_code == 0, made.output
    assert "engine: Dask at" in made.output
    assert [file.read_bytes() for file in files] == one
    assert pieces() == {}
