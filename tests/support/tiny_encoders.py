"""A tiny random model of every image and audio architecture that transformers knows, and documents for it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor

from glasso_cli.collection.modules.windows import batch_of
from glasso_cli.models.modules.network import ModuleNetwork
from glasso_cli.models.modules.pretrained import auto_class, pretrained_network
from support.tiny_architectures import Architecture, drawn, tiny_config

SIDE, PATCH, MELS, FRAMES = 32, 8, 16, 32
_SIZES: dict[str, Any] = {
    "image_size": SIDE,
    "patch_size": PATCH,
    "num_mel_bins": MELS,
    "feature_size": MELS,
    "max_length": FRAMES,
    "max_source_positions": FRAMES // 2,
    "conv_dim": (16, 16),
    "conv_kernel": (10, 8),
    "conv_stride": (5, 4),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "window_size": 2,
    "kernel_size": 3,
    "num_stages": 2,
    "num_encoder_blocks": 2,
}
_PER_STAGE: dict[str, list[Any]] = {
    "depths": [2, 1],
    "depth": [2, 1],
    "hidden_sizes": [16, 32],
    "embed_dims": [16, 32],
    "embed_dim": [16, 32],
    "num_heads": [1, 2],
    "num_attention_heads": [1, 2],
}
# What a type of model needs beyond these.
_THREE = {"hidden_sizes": [16, 32, 32], "depths": [2, 1, 1], "num_attention_heads": [1, 2, 2]}
_SQUARE = {"image_size": [SIDE, SIDE]}
MORE: dict[str, dict[str, Any]] = {
    "bit": {"hidden_sizes": [32, 64], "embedding_size": 32, "num_groups": 4},
    "cvt": {"depth": [2, 1, 1], "embed_dim": [16, 32, 32], "num_heads": [1, 2, 2], "num_stages": 3},
    "efficientnet": {"width_coefficient": 0.2, "depth_coefficient": 0.3, "hidden_dim": 256},
    "hiera": {
        **_SQUARE,
        "patch_size": [7, 7],
        "depths": [2, 1, 1, 1],
        "embed_dim": 16,
        "masked_unit_size": [8, 8],
        "num_query_pool": 1,
    },
    "levit": {**_THREE, "patch_size": 16, "key_dim": [8, 8, 8]},
    "lw_detr_vit": {"num_windows": 4, "patch_size": 4},
    "mobilevit": {"patch_size": 2},
    "mobilevitv2": {"patch_size": 2},
    "moonshine": {"encoder_num_hidden_layers": 2, "decoder_num_hidden_layers": 2},
    "pvt": {
        **{name: [*sizes, 32] for name, sizes in _THREE.items() if name == "hidden_sizes"},
        "depths": [2, 1, 1, 1],
        "num_attention_heads": [1, 2, 2, 2],
        "num_encoder_blocks": 4,
    },
    "swin2sr": {"patch_size": 1, "image_size": 8},
    "videomae": {"num_frames": 2},
    "vitpose_backbone": {**_SQUARE, "patch_size": [PATCH, PATCH]},
    "vivit": {"num_frames": 2, "tubelet_size": [2, PATCH, PATCH]},
    "yolos": _SQUARE,
}
_ALL_STAGES = ("cvt", "hiera", "levit", "pp_lcnet", "pp_lcnet_v3", "pp_lcnet_v4", "pvt")  # two are not enough


@cache
def encoders() -> tuple[Architecture, ...]:
    """The architectures of images and sounds, by name; each configuration class once."""
    from transformers.models.auto import configuration_auto, modeling_auto

    names: dict[str, tuple[Any, ...]] = {
        "image": (
            modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
            modeling_auto.MODEL_FOR_IMAGE_MAPPING_NAMES,
            modeling_auto.MODEL_FOR_BACKBONE_MAPPING_NAMES,
        ),
        "audio": (
            modeling_auto.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES,
            modeling_auto.MODEL_FOR_CTC_MAPPING_NAMES,
            modeling_auto.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES,
        ),
    }
    configs = configuration_auto.CONFIG_MAPPING_NAMES  # type: ignore[attr-defined]
    found: dict[str, Architecture] = {}
    for kind, mappings in names.items():
        for model_type in sorted({name for mapping in mappings for name in mapping if name in configs}):
            found.setdefault(configs[model_type], Architecture(model_type, kind))
    return tuple(sorted(found.values(), key=str))


def tiny_network(architecture: Architecture) -> ModuleNetwork:
    """A random model as a network, which has not run yet; raises whatever its code raises."""
    config = tiny_encoder_config(architecture.config)
    return pretrained_network(drawn(auto_class(config, architecture.kind), config, 0.1), architecture.kind)


def documents(network: ModuleNetwork) -> list[Tensor]:
    """Three documents of noise, of the first shape that the network takes; raises what it says of the last."""
    errors: list[Exception] = []
    for shape in _shapes(network):
        made = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
        try:
            with torch.inference_mode():
                network.run(batch_of(made))
        except Exception as error:  # another shape
            errors.append(error)
            continue
        return made
    raise errors[0]


def _shapes(network: ModuleNetwork) -> Iterator[tuple[int, ...]]:
    if network.kind == "image":
        yield (3, SIDE, SIDE)
        yield (2, 3, SIDE, SIDE)
    else:
        yield from (
            (2000,),
            (MELS, FRAMES),
            (FRAMES, MELS),
            (FRAMES, 160),
            (FRAMES, 64),
            (FRAMES, 80),
            (80, FRAMES),
            (128, FRAMES),
        )


def tiny_encoder_config(config_class: type[Any], **more: Any) -> Any:
    """A configuration with small sizes: 32 pixels or 32 frames, two layers, or two stages of one layer."""
    default = config_class()
    known = default.to_dict()
    stages = next(
        (len(known[name]) for name in ("depths", "depth", "num_heads") if isinstance(known.get(name), list)), 0
    )
    if config_class.model_type in _ALL_STAGES:
        stages = -1
    options: dict[str, Any] = {name: value for name, value in _SIZES.items() if name in known}
    for name, value in known.items():
        if isinstance(value, list | tuple) and len(value) == stages and not name.startswith(("out_", "stage_names")):
            options[name] = _PER_STAGE.get(name, list(value)[:2])
    for name in getattr(config_class, "sub_configs", None) or {}:
        part = getattr(default, name, None)
        if hasattr(part, "to_dict"):
            options[name] = tiny_encoder_config(type(part)).to_dict()
    options |= MORE.get(config_class.model_type, {}) | more
    return tiny_config(config_class, **options)
