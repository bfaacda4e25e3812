"""Patterns name what they say, in any family, by structure."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.tiny_architectures import Architecture, tiny_model

from glasso_cli.errors import InputError
from glasso_cli.hooks import record, resolve_hook_points
from glasso_cli.hooks.invariants import check_hook_points
from glasso_cli.models.layers import find_layers
from glasso_cli.models.loaded import LoadedModel

# What a reader of each model's code would point to as the MLP's output projection.
PROJECTIONS = {
    "gemma3": "model.layers.1.mlp.down_proj",
    "gpt2": "transformer.h.1.mlp.c_proj",
    "llama": "model.layers.1.mlp.down_proj",
    "gpt_neox": "gpt_neox.layers.1.mlp.dense_4h_to_h",
    "opt": "model.decoder.layers.1.fc2",
    "bert": "bert.encoder.layer.1.output.dense",
    "roberta": "roberta.encoder.layer.1.output.dense",
    "phi3": "model.layers.1.mlp.down_proj",  # gate and value come out of one module
    "gemma3n": "model.layers.1.mlp.down_proj",  # beside adapters that look the same
    "gemma3_vision": "model.language_model.layers.1.mlp.down_proj",
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "path"), PROJECTIONS.items())
def test_mlp_short_form_is_the_input_of_the_output_projection(
    loaded: Callable[[str], LoadedModel], name: str, path: str
) -> None:
    (point,) = resolve_hook_points(loaded(name).model, ["mlp.1"])
    intermediate = 128 if name == "gpt2" else 48
    assert (point.name, point.layer, point.width) == (f"{path}:in", 1, intermediate)
    assert (point.label, point.module, point.side) == ("layers.1.mlp", path, "in")


def test_resid_short_form_is_the_output_of_the_layer(family: LoadedModel) -> None:
    (point,) = resolve_hook_points(family.model, ["resid.2"])
    assert family.model.get_submodule(point.module) is find_layers(family.model).layers[2]
    assert (point.side, point.layer, point.width, point.label) == ("out", 2, 32, "layers.2.resid")


@pytest.mark.parametrize(
    ("pattern", "labels"),
    [
        ("mlp.*", ["layers.0.mlp", "layers.1.mlp", "layers.2.mlp"]),
        ("mlp.-1", ["layers.2.mlp"]),
        ("resid.-3", ["layers.0.resid"]),
        ("mlp.[02]", ["layers.0.mlp", "layers.2.mlp"]),
        ("model.layers.*.mlp.down_proj:in", ["layers.0.mlp", "layers.1.mlp", "layers.2.mlp"]),
        ("model.layers.?:out", ["layers.0.resid", "layers.1.resid", "layers.2.resid"]),
        ("model.layers.1.self_attn.o_proj:in", ["model.layers.1.self_attn.o_proj:in"]),
        ("model.layers.1.mlp.down_proj:out", ["model.layers.1.mlp.down_proj:out"]),
        ("model.embed_tokens:out", ["model.embed_tokens:out"]),
    ],
)
def test_patterns(loaded: Callable[[str], LoadedModel], pattern: str, labels: list[str]) -> None:
    points = resolve_hook_points(loaded("llama").model, [pattern])
    assert [point.label for point in points] == labels


def test_patterns_overlap_without_repeating_and_come_in_layer_order(loaded: Callable[[str], LoadedModel]) -> None:
    patterns = ["resid.1", "mlp.*", "model.layers.*.mlp.down_proj:in", "model.embed_tokens:out", "mlp.0"]
    points = resolve_hook_points(loaded("llama").model, patterns)
    assert [point.label for point in points] == [
        "model.embed_tokens:out",
        "layers.0.mlp",
        "layers.1.mlp",
        "layers.1.resid",
        "layers.2.mlp",
    ]


def test_labels_tell_all_tensors_apart(family: LoadedModel) -> None:
    points = resolve_hook_points(family.model, ["*layer*:out", "*layer*:in", "mlp.*", "resid.*"][2:])
    names, labels = {p.name for p in points}, {p.label for p in points}
    assert len(names) == len(labels) == len(points) == 6


@pytest.mark.parametrize("side", ["in", "out"])
def test_width_is_what_a_pass_shows(loaded: Callable[[str], LoadedModel], side: str) -> None:
    """Also for modules that are neither linear nor a layer, and for those called with keywords."""
    import torch

    model = loaded("gemma3").model
    parts = ("", ".mlp", ".mlp.*", ".self_attn", ".self_attn.?_proj", ".*_layernorm")
    points = resolve_hook_points(model, [f"model.layers.1{part}:{side}" for part in parts])
    with record(model, points) as recorder:
        values = recorder.run(torch.tensor([[1, 5, 6, 7]]))
    assert len(points) == 15
    assert [p.width for p in points] == [v.shape[-1] for v in values]


def test_a_tensor_with_heads_is_refused_with_its_shape(loaded: Callable[[str], LoadedModel]) -> None:
    with pytest.raises(InputError, match=r"q_norm:out.*\(1, 2, 3, 16\)"):
        resolve_hook_points(loaded("gemma3").model, ["model.layers.1.self_attn.q_norm:out"])


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("mlp.3", "has layers 0 to 2"),
        ("resid.-4", "has layers 0 to 2"),
        ("mlp.x", "matches no layer"),
        ("model.layers.1.mlp.down_proj", "which side"),
        ("model.layer.1.mlp.down_proj:in", "'model.layers.1.mlp.down_proj:in'"),
        ("nonsense:out", "'mlp.1'"),
        ("model.layers.1.mlp:inn", "which side"),
    ],
)
def test_a_pattern_without_match_says_what_there_is(
    loaded: Callable[[str], LoadedModel], pattern: str, says: str
) -> None:
    with pytest.raises(InputError) as caught:
        resolve_hook_points(loaded("llama").model, [pattern])
    assert repr(pattern) in caught.value.message
    assert says in caught.value.message + caught.value.hint


@pytest.mark.parametrize("pattern", ["mlp.0", "mlp.*", "model.layers.0.mlp.experts*:out", "*experts:in"])
def test_experts_are_refused_by_name(loaded: Callable[[str], LoadedModel], pattern: str) -> None:
    with pytest.raises(InputError, match=r"'model\.layers\.0\.mlp\.experts.*mixture of experts"):
        resolve_hook_points(loaded("mixtral").model, [pattern])


def test_the_residual_stream_around_experts_can_be_read(loaded: Callable[[str], LoadedModel]) -> None:
    assert len(resolve_hook_points(loaded("mixtral").model, ["resid.*"])) == 3


def test_a_layer_without_mlp_lists_its_linear_modules(loaded: Callable[[str], LoadedModel]) -> None:
    from copy import deepcopy

    from torch import nn

    model = deepcopy(loaded("llama").model)
    model.model.layers[1].mlp = nn.Identity()
    with pytest.raises(InputError) as caught:
        resolve_hook_points(model, ["mlp.1"])
    assert "Layer 1" in caught.value.message
    assert "self_attn.o_proj" in caught.value.hint
    assert resolve_hook_points(model, ["mlp.0", "resid.1"])[1].label == "layers.1.resid"


def test_layers_that_share_weights_are_runs_of_one_module(loaded: Callable[[str], LoadedModel]) -> None:
    points = resolve_hook_points(loaded("albert").model, ["mlp.*", "resid.-1"])
    path = "albert.encoder.albert_layer_groups.0"
    assert [(point.name, point.layer, point.run, point.label) for point in points] == [
        (f"{path}.albert_layers.0.ffn_output#1:in", 0, 1, "layers.0.mlp"),
        (f"{path}.albert_layers.0.ffn_output#2:in", 1, 2, "layers.1.mlp"),
        (f"{path}#3:out", 2, 3, "layers.2.resid"),
        (f"{path}.albert_layers.0.ffn_output#3:in", 2, 3, "layers.2.mlp"),
    ]
    check_hook_points(loaded("albert"), points)


def test_a_run_is_named_in_full_or_after_a_short_form(loaded: Callable[[str], LoadedModel]) -> None:
    albert, llama = loaded("albert").model, loaded("llama").model
    path = "albert.encoder.albert_layer_groups.0.albert_layers.0.ffn_output"
    (named,), (short,) = resolve_hook_points(albert, [f"{path}#2:in"]), resolve_hook_points(albert, ["mlp.1"])
    assert named == short
    (first,) = resolve_hook_points(llama, ["mlp.1#1"])
    assert (first.name, first.label) == ("model.layers.1.mlp.down_proj#1:in", "layers.1.mlp#1")
    (head,) = resolve_hook_points(llama, ["head.1.0#1"])
    assert (head.name, head.label, head.kind) == (
        "model.layers.1.self_attn.o_proj#1:in[0:16]",
        "layers.1.head#1.0",
        "head",
    )
    for pattern in ("mlp.1#2", "resid.1#1", f"{path}#0:in", f"{path}#x:in"):
        with pytest.raises(InputError):
            resolve_hook_points(albert, [pattern])


def test_a_head_is_a_part_of_what_all_heads_are(loaded: Callable[[str], LoadedModel]) -> None:
    llama = loaded("llama").model
    (both,), parts = resolve_hook_points(llama, ["head.1"]), resolve_hook_points(llama, ["head.1.*"])
    path = "model.layers.1.self_attn.o_proj"
    assert (both.name, both.width, both.heads, both.label) == (f"{path}:in", 32, 2, "layers.1.head")
    assert [(part.name, part.width, part.label) for part in parts] == [
        (f"{path}:in[0:16]", 16, "layers.1.head.0"),
        (f"{path}:in[16:32]", 16, "layers.1.head.1"),
    ]
    assert both.neuron_ids == [name for part in parts for name in part.neuron_ids]
    assert both.neuron_ids[17] == "layers.1.head.1[1]"


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("head.1.2", "layer 1 has heads 0 to 1"),
        ("head.9", "has layers 0 to 2"),
        ("mlp.1.2", "says more than there is"),
        ("expert.1", "incomplete"),
        ("mixer.1", "has no mixer"),
        ("expert.1.0", "has no experts"),
    ],
)
def test_a_short_form_that_is_not_there_says_why(loaded: Callable[[str], LoadedModel], pattern: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve_hook_points(loaded("llama").model, [pattern])
    assert says in caught.value.message


def test_experts_are_named_by_layer_and_number(loaded: Callable[[str], LoadedModel]) -> None:
    points = resolve_hook_points(loaded("mixtral").model, ["expert.1.[02]"])
    assert [(point.name, point.label, point.width, point.expert) for point in points] == [
        ("model.layers.1.mlp.experts:expert.0", "layers.1.expert.0", 24, 0),
        ("model.layers.1.mlp.experts:expert.2", "layers.1.expert.2", 24, 2),
    ]
    assert points[0].neuron_ids[5] == "layers.1.expert.0[5]"
    with pytest.raises(InputError, match="layer 1 has experts 0 to 3"):
        resolve_hook_points(loaded("mixtral").model, ["expert.1.4"])


def test_wildcards_skip_layers_of_another_kind() -> None:
    model = tiny_model(Architecture("granitemoehybrid", "causal"))
    assert [point.label for point in resolve_hook_points(model, ["head.*"])] == ["layers.1.head"]
    assert [point.label for point in resolve_hook_points(model, ["mixer.*"])] == ["layers.0.mixer"]
