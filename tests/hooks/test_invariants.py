"""The checks pass on sound models and refuse models broken on purpose, with the number."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glasso_cli.errors import InputError
from glasso_cli.hooks import record, resolve_hook_points
from glasso_cli.hooks.invariants import TOLERANCE, check_hook_points, dtype_difference
from glasso_cli.models.canary import check_canary
from glasso_cli.models.load import load_model
from glasso_cli.models.loaded import LoadedModel

IDS = torch.tensor([[1, 5, 9, 14, 7, 22], [1, 8, 8, 3, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])


@contextmanager
def sabotaged(loaded: LoadedModel, path: str, change: Callable[[torch.Tensor], Any]) -> Iterator[None]:
    """The model with the output of one module changed."""
    module = loaded.model.get_submodule(path)
    handle = module.register_forward_hook(lambda module, args, output: change(output))
    try:
        yield
    finally:
        handle.remove()


# -- hook points ----------------------------------------------------------------------------------


def test_sound_models_pass_with_numbers_near_rounding(family: LoadedModel) -> None:
    points = resolve_hook_points(family.model, ["mlp.*", "resid.*"])
    report = check_hook_points(family, points)
    assert set(report.projection) == {p.name for p in points if p.side == "in"}
    assert set(report.batching) == {p.name for p in points}
    assert max(report.projection.values()) < 1e-5
    assert max(report.batching.values()) < 1e-5 < report.tolerance == TOLERANCE["float32"]
    assert json.loads(json.dumps(report.as_meta()))["n_texts"] == 3


def test_the_report_says_whether_a_bos_is_added(loaded: Callable[[str], LoadedModel]) -> None:
    reports = {
        name: check_hook_points(loaded(name), resolve_hook_points(loaded(name).model, ["mlp.0"]))
        for name in ("llama", "gpt2", "gpt_neox", "bert")
    }
    assert {name: report.bos for name, report in reports.items()} == {
        "llama": "added",
        "gpt2": "not added",
        "gpt_neox": "not added",  # its BOS has the id 0, and is there, but is not put before a text
        "bert": "not added",
    }


def test_own_texts_replace_the_built_in_ones(loaded: Callable[[str], LoadedModel]) -> None:
    llama = loaded("llama")
    points = resolve_hook_points(llama.model, ["mlp.1"])
    assert check_hook_points(llama, points, ["paris", "the capital of france"]).n_texts == 2


def test_the_head_never_reads_a_slice(family: LoadedModel) -> None:
    """In bfloat16, torch takes two seconds for the logits of a slice of one token."""
    seen: list[torch.Tensor] = []
    head = family.model.get_output_embeddings()
    handle = head.register_forward_hook(lambda module, args, output: seen.append(args[0]))
    try:
        check_hook_points(family, resolve_hook_points(family.model, ["mlp.1"]))
    finally:
        handle.remove()
    assert len(seen) >= 3
    assert all(tensor.stride() == tensor.new_empty(tensor.shape).stride() for tensor in seen)


def test_a_tensor_changed_on_its_way_out_is_refused(loaded: Callable[[str], LoadedModel]) -> None:
    llama = loaded("llama")
    points = resolve_hook_points(llama.model, ["mlp.1"])
    with (
        sabotaged(llama, "model.layers.1.mlp.down_proj", lambda y: 1.01 * y),
        pytest.raises(InputError, match=r"down_proj:in' is not what its module reads.*0\.0099"),
    ):
        check_hook_points(llama, points)


def test_padding_that_leaks_into_tokens_is_refused(loaded: Callable[[str], LoadedModel]) -> None:
    llama = loaded("llama")
    points = resolve_hook_points(llama.model, ["mlp.1"])
    with (
        sabotaged(llama, "model.layers.0", lambda y: y + y.mean(1, keepdim=True)),
        pytest.raises(InputError, match="alone and the same text in a padded batch by"),
    ):
        check_hook_points(llama, points)


def test_positions_counted_from_the_end_are_refused(loaded: Callable[[str], LoadedModel]) -> None:
    """What left padding without position ids does to a model with learned positions."""
    gpt2 = loaded("gpt2")
    points = resolve_hook_points(gpt2.model, ["mlp.1"])
    with (
        sabotaged(gpt2, "transformer.wpe", lambda y: y.flip(-2)),
        pytest.raises(InputError, match="padded batch"),
    ):
        check_hook_points(gpt2, points)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused_by_hook_point(
    loaded: Callable[[str], LoadedModel], value: float
) -> None:
    llama = loaded("llama")
    points = resolve_hook_points(llama.model, ["mlp.2"])
    with (
        sabotaged(llama, "model.layers.1", lambda y: y.masked_fill(y > 0, value)),
        pytest.raises(InputError, match=r"layers\.2\.mlp\.down_proj:in' gives \d+ values that are not finite"),
    ):
        check_hook_points(llama, points)


def test_a_doubled_bos_is_refused(loaded: Callable[[str], LoadedModel], make_tokenizer: Callable[..., Any]) -> None:
    tokenizer = make_tokenizer(["<pad>", "<bos>", "<unk>"], "<bos> <bos> $A", bos_token="<bos>", pad_token="<pad>")
    llama = replace(loaded("llama"), tokenizer=tokenizer)
    with pytest.raises(InputError, match="two BOS"):
        check_hook_points(llama, resolve_hook_points(llama.model, ["mlp.1"]))


def test_a_doubled_bos_with_id_zero_is_refused(
    loaded: Callable[[str], LoadedModel], make_tokenizer: Callable[..., Any]
) -> None:
    tokenizer = make_tokenizer(["<end>", "<unk>"], "<end> <end> $A", bos_token="<end>", eos_token="<end>")
    assert tokenizer.bos_token_id == 0
    llama = replace(loaded("llama"), tokenizer=tokenizer)
    with pytest.raises(InputError, match="two BOS"):
        check_hook_points(llama, resolve_hook_points(llama.model, ["mlp.1"]))


# -- the canary -----------------------------------------------------------------------------------


def test_sound_models_pass_the_canary(family: LoadedModel) -> None:
    check_canary(family)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (torch.zeros_like, "only zeros"),
        (lambda y: torch.full_like(y, 0.1), "a constant"),
        (lambda y: y[:, :1].expand_as(y), "a constant"),  # every token the same
        (lambda y: y[..., :1].expand_as(y), "a constant"),  # every coordinate the same
        (lambda y: y / 0, "not finite"),
    ],
)
def test_the_canary_names_the_first_dead_layer(
    loaded: Callable[[str], LoadedModel], monkeypatch: pytest.MonkeyPatch, change: Callable[..., Any], fault: str
) -> None:
    llama = loaded("llama")
    layer = llama.model.model.layers[1]
    sound = layer.forward
    monkeypatch.setattr(layer, "forward", lambda *args, **kwargs: change(sound(*args, **kwargs)))
    with pytest.raises(InputError, match=rf"Layer 1 .*{fault}.*float32 on cpu"):
        check_canary(llama)


# -- the price of a small dtype -------------------------------------------------------------------


def test_float32_differs_by_nothing_from_float32(loaded: Callable[[str], LoadedModel]) -> None:
    llama = loaded("llama")
    points = resolve_hook_points(llama.model, ["mlp.1", "resid.1"])
    for found in dtype_difference(llama, points, IDS, MASK).values():
        assert (found.relative_rms, found.correlation_rms, found.correlation_max) == (0, 0, 0)
        assert found.n_tokens == 10  # padding is not counted


def test_the_difference_is_that_to_a_float32_copy(
    loaded: Callable[[str], LoadedModel], model_dir: Callable[[str], Path]
) -> None:
    """Against a second model, converted, and correlations by numpy."""
    small = load_model(str(model_dir("llama")), dtype="bfloat16")
    points = resolve_hook_points(small.model, ["mlp.1"])
    before = {name: tensor.clone() for name, tensor in small.model.state_dict().items()}
    found = dtype_difference(small, points, IDS, MASK)[points[0].name]
    values = []
    for model in (small.model, deepcopy(small.model).float()):
        with record(model, points) as recorder:
            values.append(recorder.run(IDS, MASK)[0][MASK.bool()].double().numpy())
    rms = np.linalg.norm(values[0] - values[1]) / np.linalg.norm(values[1])
    moved = np.abs(np.corrcoef(values[0].T) - np.corrcoef(values[1].T))
    assert found.relative_rms == pytest.approx(rms, rel=1e-5)
    assert found.correlation_max == pytest.approx(moved.max(), rel=1e-4)
    off_diagonal = moved[~np.eye(48, dtype=bool)]
    assert found.correlation_rms == pytest.approx(np.sqrt((off_diagonal**2).mean()), rel=1e-4)
    assert 1e-4 < found.relative_rms < 0.1
    after = small.model.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert {t.dtype for t in after.values()} == {torch.bfloat16}


def test_a_module_with_two_names_keeps_its_dtype(model_dir: Callable[[str], Path]) -> None:
    small = load_model(str(model_dir("llama")), dtype="bfloat16")
    small.model.add_module("again", small.model.get_submodule("model.layers.0.mlp"))
    dtype_difference(small, resolve_hook_points(small.model, ["mlp.1"]), IDS, MASK)
    assert {weight.dtype for weight in small.model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_small_dtypes_pass_within_their_tolerance(model_dir: Callable[[str], Path], dtype: str) -> None:
    small = load_model(str(model_dir("gemma3")), dtype=dtype)
    report = check_hook_points(small, resolve_hook_points(small.model, ["mlp.*"]))
    assert max(report.batching.values()) <= report.tolerance == TOLERANCE[dtype]
