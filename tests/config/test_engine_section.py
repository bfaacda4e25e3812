"""The section `engine`: what contradicts itself is refused, with what to change."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from glasso_cli.config import EngineSection
from glasso_cli.config.sections.engine import seconds_of


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"kind": "ray"}, "Input should be 'none', 'processes' or 'dask'"),
        ({"kind": "processes", "workers": 0}, "greater than or equal to 1"),
        ({"workers": 2}, "workers has no effect with kind none"),
        ({"kind": "processes", "address": "tcp://a:1"}, "address has no effect with kind processes; set kind: dask"),
        ({"slurm": {"jobs": 2}}, "slurm has no effect with kind none; set kind: dask"),
        ({"kind": "dask", "address": "tcp://a:1", "slurm": {}}, "address and slurm exclude each other"),
        ({"kind": "dask", "workers": 2, "address": "tcp://a:1"}, "workers has no effect with address"),
        ({"kind": "dask", "workers": 2, "slurm": {}}, "workers has no effect with slurm"),
        ({"kind": "dask", "slurm": {"walltime": "4h"}}, "'4h' is no time; give hours, minutes and seconds"),
        ({"kind": "dask", "slurm": {"memory": "much"}}, "'much' is no size; give one such as 64GB"),
        (
            {"kind": "dask", "slurm": {"walltime": "01:00:00", "lifetime": "01:00:00"}},
            "lifetime 01:00:00 is not below walltime 01:00:00",
        ),
        ({"kind": "dask", "slurm": {"lifetime": "00:00:30"}}, "takes blocks for 30 s, which is below the minute"),
        ({"kind": "dask", "slurm": {"walltime": "00:01:00"}}, "takes blocks for 57 s, which is below the minute"),
        ({"kind": "dask", "wait": "10 minutes"}, "'10 minutes' is no time; give hours, minutes and seconds"),
        ({"kind": "dask", "wait": "00:00:00"}, "'00:00:00' leaves no time for a worker to start"),
        ({"kind": "processes", "wait": "00:10:00"}, "wait has no effect with kind processes; set kind: dask"),
        ({"kind": "dask", "waits": "00:10:00"}, "waits"),
    ],
)
def test_what_contradicts_itself_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        EngineSection.model_validate(given)
    assert problem in str(caught.value)


def test_a_job_ends_before_its_time_limit() -> None:
    section = EngineSection.model_validate({"kind": "dask", "slurm": {"walltime": "10:00:00"}})
    assert section.slurm.lifetime_seconds == 9.5 * 3600
    assert section.by_slurm
    assert not EngineSection(kind="dask").by_slurm


def test_workers_that_come_from_a_queue_may_take_any_time() -> None:
    assert EngineSection(kind="dask").wait_seconds == 600
    assert EngineSection(kind="dask", address="tcp://a:1", wait="00:00:30").wait_seconds == 30
    assert EngineSection.model_validate({"kind": "dask", "slurm": {}}).wait_seconds is None
    assert EngineSection.model_validate({"kind": "dask", "slurm": {}, "wait": "2-00:00:00"}).wait_seconds == 172_800


@pytest.mark.parametrize(("text", "seconds"), [("00:00:01", 1), ("100:00:00", 360_000), ("1-02:03:04", 93_784)])
def test_times_are_those_of_slurm(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds
