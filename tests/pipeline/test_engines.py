"""Which GPUs and cores each process has, and which engine a configuration asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from glasso_cli.config import Config
from glasso_cli.console import Console
from glasso_cli.engine import threads
from glasso_cli.engine.dask_engine import DaskEngine
from glasso_cli.engine.pool import Pool
from glasso_cli.errors import ConfigError
from glasso_cli.pipeline.engines import engine_of, environments_of


def config(engine: dict[str, Any], **model: Any) -> Config:
    return Config.model_validate(
        {
            "name": "x",
            "model": {"id": "some/model", **model},
            "corpora": {"a": {"topic": "a"}},
            "collect": {"hook_points": ["mlp.1"]},
            "engine": engine,
        }
    )


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,GPU-7")


def gpus(engine: dict[str, Any], **model: Any) -> list[str | None]:
    return [variables.get("CUDA_VISIBLE_DEVICES") for variables in environments_of(config(engine, **model))]


@pytest.mark.usefixtures("four_gpus")
def test_each_process_has_a_gpu_of_its_own() -> None:
    assert gpus({"kind": "processes"}) == ["4", "5", "6", "GPU-7"]
    assert gpus({"kind": "processes", "workers": 2}) == ["4", "5"]
    assert gpus({"kind": "dask", "workers": 3}) == ["4", "5", "6"]


@pytest.mark.usefixtures("four_gpus")
def test_a_model_that_is_spread_has_the_gpus_of_its_process() -> None:
    assert gpus({"kind": "processes", "workers": 2}, device_map="auto") == ["4,5", "6,GPU-7"]
    assert gpus({"kind": "processes", "workers": 1}, device_map="auto") == ["4,5,6,GPU-7"]


@pytest.mark.usefixtures("four_gpus")
def test_more_processes_than_gpus_are_refused() -> None:
    with pytest.raises(ConfigError, match="5 processes are more than the 4 GPUs"):
        environments_of(config({"kind": "processes", "workers": 5}))
    with pytest.raises(ConfigError, match="cuda:1 is one GPU, which several processes would share"):
        environments_of(config({"kind": "processes", "workers": 2}, device="cuda:1"))


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_processes_without_gpus_share_the_cores(monkeypatch: pytest.MonkeyPatch, hidden: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    monkeypatch.setattr(threads, "allowed", lambda: 8)
    found = environments_of(config({"kind": "processes", "workers": 3}))
    assert [variables["OMP_NUM_THREADS"] for variables in found] == ["2"] * 3
    assert len(environments_of(config({"kind": "processes"}))) == 2
    assert len(environments_of(config({"kind": "processes", "workers": 9}, device="cpu"))) == 9


def test_the_configuration_names_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert engine_of(config({}), Console()) is None
    pool = engine_of(config({"kind": "processes", "workers": 3}), Console())
    assert isinstance(pool, Pool)
    assert pool.size == 3
    local = engine_of(config({"kind": "dask", "workers": 3}), Console())
    assert isinstance(local, DaskEngine)
    assert local.size == 3
    far = engine_of(config({"kind": "dask", "address": "tcp://a:1"}), Console())
    assert isinstance(far, DaskEngine)
    assert far.address == "tcp://a:1"
    slurm = engine_of(config({"kind": "dask", "slurm": {"jobs": 8, "gpus": 1, "directives": ["-A me"]}}), Console())
    assert isinstance(slurm, DaskEngine)
    assert slurm.slurm is not None
    assert slurm.slurm.logs == Path("runs/x/logs/slurm")
    assert slurm.slurm.options()["job_extra_directives"] == ["--gres=gpu:1", "-A me"]
