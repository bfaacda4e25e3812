"""Folders in the hub's format with small random models of images and sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
}


def vit(folder: Path, **more: Any) -> Path:
    """A vision transformer on images of 32 x 32 pixels: 16 patches and a class token."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(1)
    ViTForImageClassification(ViTConfig(image_size=32, patch_size=8, **SIZES, **more)).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def registers(folder: Path) -> Path:
    """A vision transformer with a class token and four registers."""
    from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    torch.manual_seed(1)
    sizes = {name: size for name, size in SIZES.items() if name != "intermediate_size"}
    config = Dinov2WithRegistersConfig(image_size=32, patch_size=8, num_register_tokens=4, **sizes)
    Dinov2WithRegistersModel(config).save_pretrained(folder)
    return folder


def convnext(folder: Path) -> Path:
    """A convolutional network of two stages."""
    from transformers import ConvNextConfig, ConvNextForImageClassification, ConvNextImageProcessor

    torch.manual_seed(1)
    config = ConvNextConfig(image_size=32, hidden_sizes=[8, 16], depths=[1, 2], patch_size=2, num_stages=2)
    ConvNextForImageClassification(config).save_pretrained(folder)
    ConvNextImageProcessor(size={"shortest_edge": 32}).save_pretrained(folder)
    return folder


def wav2vec(folder: Path) -> Path:
    """A transformer on recordings, with a step for every 20 samples."""
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(1)
    convolutions: dict[str, Any] = {
        "conv_dim": (16, 16),
        "conv_stride": (5, 4),
        "conv_kernel": (10, 8),
        "num_feat_extract_layers": 2,
        "num_conv_pos_embeddings": 8,
        "num_conv_pos_embedding_groups": 2,
    }
    config = Wav2Vec2Config(**SIZES, **convolutions)
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def whisper(folder: Path) -> Path:
    """An encoder-decoder whose encoder reads 16 bands at 32 steps."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(1)
    each: dict[str, Any] = {
        f"{part}_{name}": size
        for part in ("encoder", "decoder")
        for name, size in (("layers", 2), ("attention_heads", 2), ("ffn_dim", 48))
    }
    config = WhisperConfig(
        vocab_size=60, num_mel_bins=16, max_source_positions=16, d_model=32, pad_token_id=0, bos_token_id=1,
        eos_token_id=2, decoder_start_token_id=3, begin_suppress_tokens=None, **each,
    )  # fmt: skip
    WhisperForConditionalGeneration(config).save_pretrained(folder)
    return folder
