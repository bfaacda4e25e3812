"""The benchmark of the first picture reads the records of a run."""

from __future__ import annotations

import json
import math

import first_picture as benchmark
import pytest


def record(stage: str, corpus: str) -> str:
    return json.dumps({"stage": stage, "corpus": corpus, "path": "x", "seconds": 9.0})


LINES = [
    (4.0, record("collect", "a")),
    (10.0, record("fit", "a")),
    (10.1, record("fit", "a")),  # a file beside the artifact
    (12.0, record("explorer", "a")),
    (15.0, record("explorer", "b")),
    (16.0, record("visualize", "a")),
]


def test_an_artifact_counts_once_and_from_the_one_before() -> None:
    run = benchmark.Run(tuple(benchmark.artifacts(LINES)), whole=17.0, processor=20.0)
    assert [made.seconds for made in run.made] == [4.0, 6.0, 2.0, 3.0, 1.0]
    assert run.first_page == 12.0
    assert run.of_stage("explorer") == 5.0
    rows = list(benchmark.table(run, run))
    assert "| until the first explorer | 12.0 s | 12.0 s |" in rows
    assert rows[-1] == "| `visualize` | 1.0 s | 1.0 s |"
    assert sum(run.of_stage(stage) for stage in ("collect", "fit", "explorer", "visualize")) == pytest.approx(16.0)


def test_a_run_without_a_page_has_none() -> None:
    run = benchmark.Run(tuple(benchmark.artifacts(LINES[:2])), whole=11.0, processor=20.0)
    assert math.isnan(run.first_page)
    assert benchmark.middle([run]) is run
