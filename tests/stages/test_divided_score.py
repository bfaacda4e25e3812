"""`score` divided among processes gives the bytes of one process, and a unit that fails costs only what needs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.divided import CODE, ended, pieces, with_poison

pytestmark = pytest.mark.slow
ARTIFACT = Path("out/score/rows.npz")
PROCESSES, DASK = ("--set", "engine={kind: processes, workers: 2}"), ("--set", "engine={kind: dask, workers: 2}")
BATCHES = 3  # of 512 rows, of either part

CONFIG = """\
out: out
model: {kind: torch, target: "tiny_code:make", trust: import, device: cpu}
corpora: {rows: {arrays: rows.npy}}
collect: {hook_points: ["1:out"], mask: {massive: null}}
score:
  {scalar: class_logit, forms: [plain, integrated], steps: 2, baseline: resample, ablations: [resample, mean],
   tokens: 1200, held_out: 1100, top: 3, sample: 4, draws: 2, shares: [0.2, 1.0]}
"""


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What one process makes of the experiment that is in the working folder; it is not there any more."""
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", np.random.default_rng(0).standard_normal((2500, 3)).astype(np.float32))
    Path("tiny_code.py").write_text(CODE)
    Path("c.yaml").write_text(CONFIG)
    ended("score", "c.yaml")
    made = ARTIFACT.read_bytes()
    ARTIFACT.unlink()
    return made


def test_processes_and_dask_give_the_bytes_of_one_process(whole: bytes) -> None:
    for options in (PROCESSES, DASK):
        said = ended("score", "c.yaml", *options)
        assert "score rows: 12 neurons" in said  # by the process that merged
        assert ARTIFACT.read_bytes() == whole
        assert pieces() == {}
        ARTIFACT.unlink()


def test_units_that_fail_are_told_and_those_that_do_not_need_them_are_kept(whole: bytes) -> None:
    gradients = with_poison("cpu-attributed-plain-0001.npz", "batch")
    said = ended("score", "c.yaml", *PROCESSES, code=5, environment=gradients)
    assert "these were not made: plain gradients of attributed batch 1 (ValueError: this batch is poison)" in said
    first = set(pieces())
    of_forms, slopes, ends = 2 * 2 * BATCHES, BATCHES, 2 * BATCHES
    assert len(first) == 1 + of_forms - 1 + slopes + ends  # and the clean passes
    curves = with_poison("cpu-curve-mean-0000-0000-0002.npz", "batch")
    said = ended("score", "c.yaml", *PROCESSES, code=5, environment=curves)
    assert "these were not made: curve of plain_absolute on batch 2 (mean) (ValueError: this batch is poison)" in said
    left = set(pieces())
    assert first < left
    orders = 2 * 2 + 1 + 2 * 2  # forms, mean activation, random and matched
    assert len(left) == len(first) + 1 + BATCHES + 2 * orders * BATCHES - 1
    ended("score", "c.yaml")
    assert ARTIFACT.read_bytes() == whole
