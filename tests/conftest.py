"""A working folder with an experiment over fake stages, for tests of what runs stages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support.command_lines import Shell
from support.fake_stages import FAKES, Experiment, FakeStages

from glasso_cli.pipeline import run

# A busy machine is not a defect of the code.
settings.register_profile("glasso", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("glasso")


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    """No test leaves another number of threads: processes of later tests would take it, and give other last digits."""
    before = _threads()
    yield
    assert _threads() == before


def _threads() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.endswith("_NUM_THREADS")}


@pytest.fixture
def fake_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeStages:
    """Fake stages in the place of the real ones, and an empty working folder."""
    monkeypatch.chdir(tmp_path)
    stages = FakeStages()
    monkeypatch.setattr(run, "STAGES", FAKES)
    monkeypatch.setattr(run, "stage_named", lambda stage: stages.stages()[stage])
    return stages


@pytest.fixture
def experiment(fake_stages: FakeStages, capsys: pytest.CaptureFixture[str]) -> Experiment:
    """An experiment that runs in this process."""
    return Experiment(fake_stages, capsys)


@pytest.fixture
def shell(fake_stages: FakeStages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The command line over an experiment; reports of bugs go to the working folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    return Shell(fake_stages)
