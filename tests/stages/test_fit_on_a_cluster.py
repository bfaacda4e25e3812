"""The half-samples of `fit` on a cluster of Dask give the bytes of one process."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.divided import ended, write_experiment


@pytest.mark.slow
def test_half_samples_on_a_cluster_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_experiment()
    ended("run", "c.yaml", "--to", "fit")
    one = Path("out/fit/words.npz").read_bytes()
    shutil.rmtree("out/fit")
    said = ended("fit", "c.yaml", "--set", "engine={kind: dask, workers: 1}")
    assert "engine: Dask at" in said
    assert Path("out/fit/words.npz").read_bytes() == one
