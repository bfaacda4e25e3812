"""Reading and changing: against the model's own outputs, and effects that must be exactly zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint, ablate, record, resolve_hook_points
from glasso_cli.hooks.edit import Intervention, add, set_to, zero
from glasso_cli.models.layers import find_layers
from glasso_cli.models.loaded import LoadedModel

IDS = torch.tensor([[1, 5, 9, 14, 7, 22], [1, 8, 8, 3, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])


def read(model: Any, *patterns: str, **options: Any) -> list[torch.Tensor]:
    with record(model, resolve_hook_points(model, patterns), **options) as recorder:
        return recorder.run(IDS, MASK)


def n_hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


# -- reading --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_residuals_are_the_hidden_states_of_the_model(family: LoadedModel) -> None:
    with torch.inference_mode():
        states = family.model(IDS, attention_mask=MASK, output_hidden_states=True).hidden_states
    first, second = read(family.model, "resid.0", "resid.1")
    torch.testing.assert_close(first, states[1], rtol=0, atol=0)
    torch.testing.assert_close(second, states[2], rtol=0, atol=0)


def test_gated_neurons_are_activation_times_up(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("llama").model
    values, entering = read(model, "mlp.1", "model.layers.1.mlp:in")
    mlp = model.model.layers[1].mlp
    gate = nn.functional.linear(entering, mlp.gate_proj.weight)
    expected = gate * torch.sigmoid(gate) * nn.functional.linear(entering, mlp.up_proj.weight)
    torch.testing.assert_close(values, expected)


def test_stopping_early_gives_the_same_bits(family: LoadedModel) -> None:
    for stopped, full in zip(
        read(family.model, "mlp.*", "resid.1"), read(family.model, "mlp.*", "resid.1", stop=False), strict=True
    ):
        assert torch.equal(stopped, full)


def test_nothing_runs_after_the_last_hook_point(family: LoadedModel) -> None:
    """Not even the projection whose input is read."""
    (point,) = resolve_hook_points(family.model, ["mlp.1"])
    ran: list[str] = []
    handles = [
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
        for name, module in family.model.named_modules()
    ]
    with record(family.model, [point]) as recorder:
        recorder.run(IDS, MASK)
    for handle in handles:
        handle.remove()
    stack = find_layers(family.model)
    assert point.module not in ran
    assert f"{stack.path}.0" in ran
    assert not any(name.startswith(f"{stack.path}.2") for name in ran)


def test_values_own_their_memory_in_float32(family: LoadedModel) -> None:
    for values in read(family.model, "mlp.1", "resid.1"):
        assert values.dtype == torch.float32
        assert not values.requires_grad
        assert values.untyped_storage().nbytes() == values.numel() * 4


def test_a_view_of_a_larger_tensor_is_copied() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            wide = torch.ones(*input_ids.shape, 4000)
            found: torch.Tensor = self.inner(wide[..., :4])
            return found

    with record(Halves(), [HookPoint("inner:in", None, 4, "inner:in")]) as recorder:
        (values,) = recorder.run(IDS)
    assert values.untyped_storage().nbytes() == values.numel() * 4


def test_values_survive_what_the_model_does_to_them_later() -> None:
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.inner(torch.ones(*input_ids.shape, 4))
            return found.zero_()

    point = HookPoint("inner:out", None, 4, "inner:out")
    with record(InPlace(), [point], stop=False) as recorder:
        (values,) = recorder.run(IDS)
    assert values.all()


def test_order_is_that_of_the_hook_points_and_several_passes_work(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("llama").model
    points = resolve_hook_points(model, ["mlp.*"])[::-1]
    with record(model, points) as recorder:
        first, second = recorder.run(IDS, MASK), recorder.run(IDS[:, :3])
    for values, again in zip(first, reversed(read(model, "mlp.*")), strict=True):
        assert torch.equal(values, again)
    assert second[0].shape == (2, 3, 48)


def test_padding_on_the_right_does_not_move_a_text(family: LoadedModel) -> None:
    together = read(family.model, "mlp.2", "resid.1")
    points = resolve_hook_points(family.model, ["mlp.2", "resid.1"])
    with record(family.model, sorted(points, key=lambda p: p.side)) as recorder:
        alone = dict(zip([p.name for p in recorder.points], recorder.run(IDS[1:, :4]), strict=True))
    for point, values in zip(points, together, strict=True):
        torch.testing.assert_close(values[1, :4], alone[point.name][0], rtol=1e-4, atol=1e-5)


def test_padding_on_the_left_is_refused_unless_positions_are_given(loaded: Callable[[str], LoadedModel]) -> None:
    loaded_model = loaded("gpt2")
    ids, mask = IDS.flip(1), MASK.flip(1)
    (point,) = resolve_hook_points(loaded_model.model, ["mlp.1"])
    with record(loaded_model.model, [point]) as recorder:
        with pytest.raises(InputError, match="padded on the left"):
            recorder.run(ids, mask)
        positions = (mask.cumsum(-1) - 1).clamp_min(0)
        (moved,) = recorder.run(ids, mask, positions)
        (alone,) = recorder.run(ids[1:, 2:])
    torch.testing.assert_close(moved[1, 2:], alone[0], rtol=1e-4, atol=1e-5)


def test_a_mask_of_bools_is_a_mask(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("bert").model
    with record(model, resolve_hook_points(model, ["mlp.1"])) as recorder:
        assert torch.equal(recorder.run(IDS, MASK.bool())[0], recorder.run(IDS, MASK)[0])


def test_hooks_are_gone_after_the_block_and_after_an_error(family: LoadedModel) -> None:
    points = resolve_hook_points(family.model, ["mlp.*", "resid.*"])
    before = n_hooks(family.model)
    with pytest.raises(ZeroDivisionError), record(family.model, points) as recorder:
        recorder.run(IDS, MASK)
        assert n_hooks(family.model) == before + len(points)
        raise ZeroDivisionError
    assert n_hooks(family.model) == before


def test_hooks_are_gone_when_attaching_one_fails(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("llama").model
    before = n_hooks(model)
    (good,) = resolve_hook_points(model, ["mlp.1"])
    with pytest.raises(AttributeError), record(model, [good, HookPoint("nowhere:in", None, 4, "nowhere:in")]):
        pass
    assert n_hooks(model) == before


def test_a_module_that_does_not_run_is_an_error(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("gemma3_vision").model
    vision = resolve_hook_points(model, ["mlp.1"])[0]
    unused = HookPoint("model.multi_modal_projector:out", None, 32, "projector")
    with record(model, [vision, unused]) as recorder, pytest.raises(InputError, match="did not run") as caught:
        recorder.run(IDS, MASK)
    assert "model.multi_modal_projector:out" in caught.value.message


@pytest.mark.parametrize("stop", [True, False])
def test_a_module_that_runs_twice_is_an_error(stop: bool) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shared, self.last = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.last(self.shared(self.shared(torch.ones(*input_ids.shape, 4))))
            return found

    points = [HookPoint(f"{name}:in", None, 4, name) for name in ("shared", "last")]
    with record(Twice(), points, stop=stop) as recorder, pytest.raises(InputError, match="more than once"):
        recorder.run(IDS)


def test_a_tensor_of_another_shape_is_an_error_with_both_shapes(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("llama").model
    wrong = HookPoint("model.layers.1.mlp.down_proj:in", 1, 47, "wrong")
    with record(model, [wrong]) as recorder, pytest.raises(InputError) as caught:
        recorder.run(IDS, MASK)
    assert wrong.name in caught.value.message
    assert "(2, 6, 48)" in caught.value.message
    assert "(2, 6, 47)" in caught.value.message


def test_batch_and_time_in_one_dimension_come_apart() -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.inner = nn.Embedding(64, 4), nn.Linear(4, 4)

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.inner(self.embed(input_ids).reshape(-1, 4))
            return found

    model = Flat()
    with record(model, [HookPoint("inner:in", None, 4, "inner:in")]) as recorder:
        (values,) = recorder.run(IDS)
    assert torch.equal(values, model.embed(IDS))


@pytest.mark.slow
def test_a_compiled_model_is_read_as_it_was(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("llama").model
    compiled: Any = torch.compile(model)
    points = resolve_hook_points(model, ["mlp.1"])
    with record(compiled, points) as recorder:
        assert torch.equal(recorder.run(IDS, MASK)[0], read(model, "mlp.1")[0])


@pytest.mark.slow
def test_a_compiled_part_is_refused() -> None:
    model = nn.Sequential(nn.Linear(4, 4))
    model[0].compile()
    with pytest.raises(InputError, match="'0' is compiled"), record(model, []):
        pass


# -- changing -------------------------------------------------------------------------------------


def intervened(model: Any, where: str, edit: Any, read_at: list[str], **more: Any) -> list[torch.Tensor]:
    (point,) = resolve_hook_points(model, [where])
    with ablate(model, [Intervention(point, edit, **more)]):
        return read(model, *read_at, stop=False)


def test_an_effect_reaches_later_layers_only(family: LoadedModel) -> None:
    """In one pass a neuron acts on no other neuron of its layer and on nothing before it: zero, to the bit."""
    before = ["mlp.0", "resid.0"]
    clean = read(family.model, *before, "mlp.1", "mlp.2", stop=False)
    changed = intervened(family.model, "mlp.1", add(3.0), [*before, "mlp.1", "mlp.2"], neurons=(4, 11))
    for untouched, same in zip(clean[:2], changed[:2], strict=True):
        assert torch.equal(untouched, same)
    others = [i for i in range(clean[2].shape[-1]) if i not in (4, 11)]
    assert torch.equal(clean[2][..., others], changed[2][..., others])
    assert torch.equal(clean[2][..., [4, 11]] + 3.0, changed[2][..., [4, 11]])
    assert not torch.equal(clean[3], changed[3])


@pytest.mark.parametrize("name", ["gemma3", "gpt2", "llama", "gpt_neox", "opt"])
def test_an_effect_reaches_later_positions_only(loaded: Callable[[str], LoadedModel], name: str) -> None:
    model = loaded(name).model
    positions = torch.zeros(2, 6, dtype=torch.bool)
    positions[:, 3] = True
    (clean,) = read(model, "resid.2", stop=False)
    (changed,) = intervened(model, "mlp.0", add(3.0), ["resid.2"], neurons=(1,), positions=positions)
    assert torch.equal(clean[:, :3], changed[:, :3])
    assert not torch.equal(clean[0, 3], changed[0, 3])
    assert not torch.equal(clean[0, 4:], changed[0, 4:])


def test_an_encoder_has_effects_in_both_directions(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("bert").model
    positions = torch.zeros(2, 6, dtype=torch.bool)
    positions[:, 3] = True
    (clean,) = read(model, "resid.2")
    (changed,) = intervened(model, "mlp.0", add(3.0), ["resid.2"], neurons=(1,), positions=positions)
    assert not torch.equal(clean[0, :3], changed[0, :3])


@pytest.mark.parametrize("where", ["mlp.1", "resid.1"])
def test_patching_with_its_own_values_changes_nothing(family: LoadedModel, where: str) -> None:
    (own,) = read(family.model, where)
    (clean,) = read(family.model, "resid.2", stop=False)
    for edit in (set_to(own), lambda current: current):
        (patched,) = intervened(family.model, where, edit, ["resid.2"])
        assert torch.equal(clean, patched)


def test_edits_set_what_they_say(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("gpt2").model
    (clean,) = read(model, "mlp.1")
    mean = clean.mean((0, 1))[[2, 5]]
    resampled = clean.roll(1, 0)[..., [2, 5]]
    for edit, expected in [
        (zero, torch.zeros(())),
        (set_to(mean), mean),
        (set_to(resampled), resampled),
        (set_to(0.25), torch.tensor(0.25)),
        (lambda current: -2 * current, -2 * clean[..., [2, 5]]),
    ]:
        (values,) = intervened(model, "mlp.1", edit, ["mlp.1"], neurons=(2, 5))
        assert torch.equal(values[..., [2, 5]], expected.expand(2, 6, 2))


def test_editing_a_hook_point_equals_editing_the_weights(loaded: Callable[[str], LoadedModel]) -> None:
    """Zeroing a neuron is zeroing its column of the output projection."""
    from copy import deepcopy

    model = loaded("llama").model
    cut = deepcopy(model)
    with torch.no_grad():
        cut.model.layers[0].mlp.down_proj.weight[:, 7] = 0
    (ablated,) = intervened(model, "mlp.0", zero, ["resid.2"], neurons=(7,))
    torch.testing.assert_close(ablated, read(cut, "resid.2", stop=False)[0])


def test_outputs_in_tuples_are_changed_and_keep_their_company(loaded: Callable[[str], LoadedModel]) -> None:
    """Attention returns its output together with the weights."""
    model = loaded("llama").model
    where = "model.layers.1.self_attn:out"
    (values,) = intervened(model, where, set_to(0.5), ["model.layers.1.self_attn:out"])
    assert torch.equal(values, torch.full((2, 6, 32), 0.5))


def test_inputs_given_by_keyword_are_changed(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("llama").model
    (values,) = intervened(model, "model.layers.1.self_attn:in", zero, ["model.layers.1.self_attn.q_proj:in"])
    assert not values.any()


def test_interventions_stack_and_leave_no_hooks(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("llama").model
    (point,) = resolve_hook_points(model, ["mlp.1"])
    before = n_hooks(model)
    steps = [Intervention(point, set_to(1.0), (3,)), Intervention(point, add(2.0), (3, 4))]
    (clean,) = read(model, "mlp.1")
    with ablate(model, steps):
        (values,) = read(model, "mlp.1")
    assert torch.equal(values[..., 3], torch.full((2, 6), 3.0))
    assert torch.equal(values[..., 4], clean[..., 4] + 2.0)
    assert n_hooks(model) == before
    assert torch.equal(read(model, "mlp.1")[0], clean)


def test_an_intervention_that_no_pass_came_by_is_an_error(loaded: Callable[[str], LoadedModel]) -> None:
    """A recorder that stops before the intervention would report an effect of exactly zero."""
    model = loaded("llama").model
    (late,) = resolve_hook_points(model, ["mlp.2"])
    with pytest.raises(InputError, match="never applied"), ablate(model, [Intervention(late, zero)]):
        read(model, "mlp.0")


@pytest.mark.parametrize("neuron", [48, -1])
def test_a_neuron_out_of_range_is_an_error(loaded: Callable[[str], LoadedModel], neuron: int) -> None:
    model = loaded("llama").model
    (point,) = resolve_hook_points(model, ["mlp.1"])
    with (
        pytest.raises(InputError, match=r"'layers\.1\.mlp\[-?\d+\]' does not exist"),
        ablate(model, [Intervention(point, zero, (neuron,))]),
    ):
        pass
