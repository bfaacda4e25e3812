"""Small random encoder-decoder models of transformers."""

from __future__ import annotations

from typing import Any

from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    MarianConfig,
    MarianMTModel,
    PegasusConfig,
    PegasusForConditionalGeneration,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

SIZES: dict[str, Any] = {
    **{
        f"{part}_{name}": size
        for part in ("encoder", "decoder")
        for name, size in (("ffn_dim", 48), ("attention_heads", 4))
    },
    "encoder_layers": 3,
    "decoder_layers": 2,
}


def t5(words: int) -> PreTrainedModel:
    """With relative positions."""
    sizes: dict[str, Any] = {
        "decoder_start_token_id": 0,
        "d_model": 32,
        "d_kv": 8,
        "d_ff": 48,
        "num_layers": 3,
        "num_decoder_layers": 2,
        "num_heads": 4,
    }
    return T5ForConditionalGeneration(T5Config(vocab_size=words, **sizes))


def bart(words: int) -> PreTrainedModel:
    """With a learned table of positions."""
    return BartForConditionalGeneration(BartConfig(vocab_size=words, d_model=32, init_std=0.3, **SIZES))


def marian(words: int) -> PreTrainedModel:
    """With sinusoidal positions, and a start token that no text has."""
    more: dict[str, Any] = {"decoder_start_token_id": words, "pad_token_id": words}
    sizes = SIZES | {"max_position_embeddings": 64}
    return MarianMTModel(MarianConfig(vocab_size=words + 1, d_model=32, init_std=0.3, **sizes, **more))


def pegasus(words: int) -> PreTrainedModel:
    """With sinusoidal positions, which its module gives without an axis of documents."""
    more: dict[str, Any] = {"decoder_start_token_id": 0, "max_position_embeddings": 64}
    return PegasusForConditionalGeneration(PegasusConfig(vocab_size=words, d_model=32, init_std=0.3, **SIZES, **more))
