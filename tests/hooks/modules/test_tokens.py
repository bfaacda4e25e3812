"""Which tokens of a vision transformer are patches, and on what grid."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.pretrained_folders import SIZES
from support.tiny_networks import Convolutional, batch, seeded
from transformers import (
    ASTConfig,
    ASTModel,
    DeiTConfig,
    DeiTModel,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    PreTrainedModel,
    PvtConfig,
    PvtModel,
    SiglipVisionConfig,
    SiglipVisionModel,
    YolosConfig,
    YolosModel,
)

from glasso_cli.collection.modules.positions import tokens_in
from glasso_cli.errors import InputError
from glasso_cli.hooks.modules.resolve import resolve_module_points
from glasso_cli.hooks.modules.tokens import Tokens, tokens_of
from glasso_cli.models.modules.pretrained import pretrained_network

WIDE: dict[str, Any] = {"image_size": [16, 32], "patch_size": 8}
SMALL: dict[str, Any] = {name: size for name, size in SIZES.items() if name != "intermediate_size"}


def tokens(model: PreTrainedModel, *shape: int, point: str = "resid.0", kind: str = "image") -> Tokens | None:
    network = pretrained_network(model.eval(), kind)
    documents = batch(2, *shape)
    (found,) = resolve_module_points(network, [point], documents)
    seen: list[int] = []
    handle = network.module.get_submodule(found.module).register_forward_hook(
        lambda _, args, out: seen.append((args[0] if found.side == "in" else out).shape[1])
    )
    network.run(documents)
    handle.remove()
    return tokens_of(network, found, documents, seen[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "special", "grid"),
    [
        (lambda: DeiTModel(DeiTConfig(image_size=32, patch_size=8, **SIZES)), 2, (5, 4)),
        (
            lambda: Dinov2WithRegistersModel(
                Dinov2WithRegistersConfig(image_size=32, patch_size=8, num_register_tokens=4, **SMALL)
            ),
            5,
            (6, 4),
        ),
        (lambda: SiglipVisionModel(SiglipVisionConfig(image_size=32, patch_size=8, **SIZES)), 0, (4, 4)),
    ],
)
def test_tokens_without_a_place_are_found(model: Any, special: int, grid: tuple[int, int]) -> None:
    found = tokens(model(), 3, 32, 32)
    assert found is not None
    assert found.special.tolist() == [False] * 16 + [True] * special
    assert found.order.tolist() == [*range(special, special + 16), *range(special)]
    assert found.grid == grid


@pytest.mark.slow
def test_special_tokens_may_be_anywhere() -> None:
    config = YolosConfig(num_detection_tokens=3, **WIDE, **SIZES)
    found = tokens(YolosModel(config), 3, 16, 32)
    assert found is not None
    assert found.order.tolist() == [*range(1, 9), 0, 9, 10, 11]
    assert found.grid == (3, 4)
    assert int(found.special.sum()) == 4


@pytest.mark.slow
def test_tokens_of_a_sound_keep_their_order() -> None:
    model = ASTModel(ASTConfig(num_mel_bins=16, max_length=32, patch_size=8, **SIZES))
    found = tokens(model, 32, 16, kind="audio")
    assert found is not None
    assert found.grid is None
    assert found.special.nonzero().flatten().tolist() == [0, 1]
    assert found.order.tolist() == list(range(len(found.special)))


@pytest.mark.slow
def test_an_unknown_token_in_a_later_stage_is_refused() -> None:
    sizes: dict[str, Any] = {
        "hidden_sizes": [16, 16, 32, 32],
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [1, 1, 2, 2],
    }
    model = PvtModel(PvtConfig(image_size=64, **sizes))  # a class token in the last stage
    with pytest.raises(InputError, match=r"has 5 tokens, which lie on no grid of an image of 64 x 64 pixels"):
        tokens(model, 3, 64, 64, point="mlp.3")


def test_other_networks_have_no_tokens() -> None:
    network = seeded(Convolutional)
    (point,) = resolve_module_points(network, ["conv.0"], batch(2, 3, 8, 8))
    assert tokens_of(network, point, batch(2, 3, 8, 8), 64) is None


@pytest.mark.slow
def test_tokens_in_another_order_have_no_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    model = SiglipVisionModel(SiglipVisionConfig(image_size=32, patch_size=8, **SIZES))
    embeddings: Any = model.get_submodule("embeddings")
    before = embeddings.forward
    shuffled = torch.randperm(16, generator=torch.Generator().manual_seed(3))
    monkeypatch.setattr(embeddings, "forward", lambda *args, **kwargs: before(*args, **kwargs)[:, shuffled])
    found = tokens(model, 3, 32, 32)
    assert found is not None
    assert found.grid is None


@pytest.mark.slow
def test_hook_points_of_one_grid_are_asked_once() -> None:
    """Two images of noise, and noise in two corners: four passes."""
    torch.manual_seed(0)
    model = DeiTModel(DeiTConfig(image_size=32, patch_size=8, **SIZES)).eval()
    network = pretrained_network(model, "image")
    images = batch(1, 3, 32, 32)
    points = resolve_module_points(network, ["resid.0", "resid.1", "mlp.1"], images)
    passes: list[int] = []
    model.register_forward_pre_hook(lambda *_: passes.append(1))
    found = tokens_in(network, points, images.values[0].numpy(), [(18,)] * 3, one_size=True)
    assert len(passes) == 4
    assert found[0] is found[1] is found[2] is not None
