"""The neurons of experts, against a plain loop over experts and against what the network computes in its own loop."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.tiny_architectures import Architecture, tiny_model
from torch.nn import functional

from glasso_cli.errors import InputError
from glasso_cli.hooks import ablate, record, resolve_hook_points
from glasso_cli.hooks.edit import Intervention, zero
from glasso_cli.hooks.experts import expert_errors
from glasso_cli.hooks.invariants import check_hook_points
from glasso_cli.models.loaded import LoadedModel

IDS = torch.tensor([[7, 20, 31, 44, 52, 9, 61, 13], [3, 8, 2, 5, 17, 33, 29, 6]])


@pytest.mark.slow
def test_an_expert_is_its_weights_on_the_tokens_routed_to_it(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("mixtral").model
    module = model.model.layers[1].mlp.experts
    taken: list[tuple[torch.Tensor, ...]] = []
    handle = module.register_forward_pre_hook(lambda module, args: taken.append(args))
    points = resolve_hook_points(model, ["expert.1.2"])
    with record(model, points) as recorder:
        (values,) = recorder.run(IDS)
        unrouted = recorder.unrouted
    handle.remove()
    hidden, chosen, _ = taken[-1]
    gate, up = functional.linear(hidden, module.gate_up_proj[2]).chunk(2, dim=-1)
    routed = (chosen == 2).any(-1)
    assert unrouted is not None
    assert torch.equal(~unrouted.flatten(), routed)
    assert 0 < int(routed.sum()) < 16
    expected = torch.where(routed[:, None], functional.silu(gate) * up, 0.0)
    torch.testing.assert_close(values.flatten(0, 1), expected)


@pytest.mark.parametrize("implementation", ["eager", "grouped_mm", "batched_mm"])
def test_the_experts_give_the_same_however_the_network_computes_them(
    loaded: Callable[[str], LoadedModel], implementation: str
) -> None:
    model = deepcopy(loaded("mixtral").model)
    points = resolve_hook_points(loaded("mixtral").model, ["expert.1.2"])
    with record(loaded("mixtral").model, points) as recorder:
        (expected,) = recorder.run(IDS)
    assert resolve_hook_points(model, ["expert.1.2"]) == points
    model.set_experts_implementation(implementation)
    with record(model, points) as recorder:
        torch.testing.assert_close(recorder.run(IDS)[0], expected)


def test_recording_an_expert_leaves_the_logits_as_they_are(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("mixtral").model
    with torch.inference_mode():
        before = model(IDS, logits_to_keep=1, use_cache=False).logits
    logits: list[torch.Tensor] = []
    with record(model, resolve_hook_points(model, ["expert.*.*"]), stop=False) as recorder:
        handle = model.register_forward_hook(lambda module, args, output: logits.append(output.logits))
        recorder.run(IDS)
        handle.remove()
    assert torch.equal(logits[0], before)


def test_the_report_has_the_error_of_all_experts_together(loaded: Callable[[str], LoadedModel]) -> None:
    points = resolve_hook_points(loaded("mixtral").model, ["expert.0.1"])
    report = check_hook_points(loaded("mixtral"), points)
    assert report.projection[points[0].name] < 1e-5
    assert report.gated == (points[0].name,)


def test_other_weights_than_those_that_were_read_are_refused(loaded: Callable[[str], LoadedModel]) -> None:
    """Here the experts compute something else after they were resolved."""
    mixtral = replace(loaded("mixtral"), model=deepcopy(loaded("mixtral").model))
    points = resolve_hook_points(mixtral.model, ["expert.0.1"])
    module = mixtral.model.model.layers[0].mlp.experts
    module.register_forward_hook(lambda module, args, output: 1.01 * output)
    with pytest.raises(InputError, match=r"expert\.1' .* by 0\.0099"):
        check_hook_points(mixtral, points)


def test_a_gate_that_adds_one_has_no_arbitrary_sign() -> None:
    model = tiny_model(Architecture("gpt_oss", "causal"))
    points = resolve_hook_points(model, ["expert.0.0"])
    (error,) = expert_errors(model, [model.get_submodule(points[0].module)], IDS).values()
    assert [(reading.gate, reading.transposed, reading.gated) for reading, _ in error] == [("own", True, False)]


def test_experts_cannot_be_changed(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("mixtral").model
    (point,) = resolve_hook_points(model, ["expert.1.2"])
    with (
        pytest.raises(InputError, match="neurons of an expert cannot be changed"),
        ablate(model, [Intervention(point, zero)]),
    ):
        pass


def test_experts_that_were_not_resolved_are_refused(loaded: Callable[[str], LoadedModel]) -> None:
    points = resolve_hook_points(loaded("mixtral").model, ["expert.1.2"])
    other = deepcopy(loaded("mixtral").model)
    with (
        pytest.raises(InputError, match="have not been resolved"),
        record(other, points) as recorder,
    ):
        recorder.run(IDS)


def test_what_was_captured_is_a_copy(loaded: Callable[[str], LoadedModel]) -> None:
    """Where the experts write into what they took."""
    model = deepcopy(loaded("mixtral").model)
    points = resolve_hook_points(model, ["expert.1.2"])
    with record(model, points, stop=False) as recorder:
        (before,) = recorder.run(IDS)
        model.get_submodule(points[0].module).register_forward_hook(overwrite)
        (after,) = recorder.run(IDS)
    assert torch.equal(before, after)
    assert before.any()


def overwrite(module: Any, args: tuple[torch.Tensor, ...], output: Any) -> None:
    """Write zeros into the vectors of tokens that a module took."""
    args[0].zero_()
