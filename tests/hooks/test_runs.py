"""Runs of a module that runs several times in a pass, and parts of a tensor: read and changed one by one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint, ablate, record, resolve_hook_points
from glasso_cli.hooks.edit import Intervention, zero
from glasso_cli.models.loaded import LoadedModel

IDS = torch.tensor([[1, 5, 9, 14, 7, 22], [1, 8, 8, 3, 0, 0]])


def test_runs_of_a_module_are_told_apart(loaded: Callable[[str], LoadedModel]) -> None:
    """ALBERT: what one run gives is what the next one takes."""
    model = loaded("albert").model
    path = "albert.encoder.albert_layer_groups.0"
    names = [f"{path}#{run}:{side}" for run in (1, 2, 3) for side in ("in", "out")]
    with record(model, resolve_hook_points(model, names)) as recorder:
        points = [point.name for point in recorder.points]
        seen = dict(zip(points, recorder.run(IDS), strict=True))
    assert torch.equal(seen[f"{path}#1:out"], seen[f"{path}#2:in"])
    assert torch.equal(seen[f"{path}#2:out"], seen[f"{path}#3:in"])
    assert not torch.equal(seen[f"{path}#1:out"], seen[f"{path}#2:out"])


def test_a_run_that_there_is_not_is_an_error(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("albert").model
    path = "albert.encoder.albert_layer_groups.0"
    for name, says in ((f"{path}#4:out", "ran 3 times"), (f"{path}:out", "more than once")):
        with (
            pytest.raises(InputError, match=says),
            record(model, [HookPoint(name, None, 32, name)], stop=False) as recorder,
        ):
            recorder.run(IDS)


def test_one_run_of_a_module_is_changed(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("albert").model
    points = resolve_hook_points(model, ["mlp.*"])
    with record(model, points) as recorder:
        before = recorder.run(IDS)
    with ablate(model, [Intervention(points[1], zero, (3,))]), record(model, points) as recorder:
        after = recorder.run(IDS)
    assert torch.equal(before[0], after[0])
    assert not after[1][..., 3].any()
    assert torch.equal(before[1][..., 4:], after[1][..., 4:])
    assert not torch.equal(before[2], after[2])


def test_one_head_is_changed(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("llama").model
    whole, part = (resolve_hook_points(model, [pattern])[0] for pattern in ("head.1", "head.1.1"))
    with record(model, [whole]) as recorder:
        (before,) = recorder.run(IDS)
    with ablate(model, [Intervention(part, zero)]), record(model, [whole]) as recorder:
        (after,) = recorder.run(IDS)
    assert torch.equal(before[..., :16], after[..., :16])
    assert not after[..., 16:].any()
