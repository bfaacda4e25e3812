"""Names of places in other libraries, as glasso's hook points."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from glasso_cli.hooks import resolve_hook_points
from glasso_cli.models.dictionaries.hook_names import (
    UNKNOWN,
    dictionary_learning_hook,
    module_input,
    module_output,
    transformer_lens_hook,
)
from glasso_cli.models.loaded import LoadedModel


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("blocks.9.hook_resid_post", "resid.9"),
        ("blocks.9.hook_resid_pre", "resid.8"),
        ("blocks.0.hook_resid_pre", None),
        ("blocks.9.hook_resid_mid", None),
        ("blocks.9.hook_mlp_out", "*.9.mlp:out"),
        ("blocks.9.mlp.hook_post", "mlp.9"),
        ("blocks.9.attn.hook_z", None),
        ("blocks.9.ln2.hook_normalized", None),
        ("hook_embed", None),
    ],
)
def test_names_of_transformer_lens(name: str, point: str | None) -> None:
    hook = transformer_lens_hook(name, "gpt2")
    assert (hook.given, hook.point) == (name, point)
    assert name in hook.described


@pytest.mark.parametrize("model", ["gemma-2-2b", "google/gemma-3-1b-it"])
def test_the_output_of_the_mlp_is_after_a_norm_in_some_models(model: str) -> None:
    assert transformer_lens_hook("blocks.9.hook_mlp_out", model).point == "*.9.post_feedforward_layernorm:out"
    assert transformer_lens_hook("blocks.9.hook_mlp_out", "gemma-2b").point == "*.9.mlp:out"


def test_names_of_sparsify() -> None:
    assert module_output("layers.9").point == "resid.9"
    assert module_output("h.9").point == "resid.9"
    assert module_output("model.layers.9").point == "resid.9"
    assert module_output("h.9.mlp.act").point == "*h.9.mlp.act:out"
    assert module_input("layers.9").point == "resid.8"
    assert module_input("layers.0").point == "*layers.0:in"
    assert module_input("layers.9.mlp").point == "*layers.9.mlp:in"


def test_names_of_dictionary_learning() -> None:
    assert dictionary_learning_hook("resid_post_layer_9").point == "resid.9"
    assert dictionary_learning_hook("mlp_out_layer1").point is None
    assert dictionary_learning_hook(None) == UNKNOWN == transformer_lens_hook(None)
    assert UNKNOWN.described == "not named in its files"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family_name", "stack", "after_mlp"),
    [
        ("llama", "layers", "mlp"),
        ("gpt2", "h", "mlp"),
        ("gpt_neox", "layers", "mlp"),
        ("gemma3", "layers", "post_feedforward_layernorm"),
    ],
)
def test_translated_names_are_one_hook_point_of_the_model(
    loaded: Callable[[str], LoadedModel], family_name: str, stack: str, after_mlp: str
) -> None:
    model = loaded(family_name).model
    name = "gemma-3-1b" if family_name == "gemma3" else family_name
    wanted = {
        transformer_lens_hook("blocks.1.hook_resid_post", name): "resid.1",
        transformer_lens_hook("blocks.1.hook_resid_pre", name): "resid.0",
        transformer_lens_hook("blocks.1.mlp.hook_post", name): "mlp.1",
        transformer_lens_hook("blocks.1.hook_mlp_out", name): f"*{stack}.1.{after_mlp}:out",
        module_output(f"{stack}.1"): "resid.1",
        module_output(f"{stack}.1.mlp"): f"*{stack}.1.mlp:out",
        module_input(f"{stack}.1.mlp"): f"*{stack}.1.mlp:in",
        module_input(f"{stack}.0"): f"*{stack}.0:in",
    }
    for hook, pattern in wanted.items():
        assert hook.point is not None
        (found,) = resolve_hook_points(model, [hook.point])
        (expected,) = resolve_hook_points(model, [pattern])
        assert found == expected
