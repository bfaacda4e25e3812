"""Llama models out of a GGUF file: configuration, weights and tokenizer as transformers has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glasso_cli.models.gguf_file import CONTROL, GgufFile, TensorEntry

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

LLAMA_MODULES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",  # not there where it is the embedding
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
ROTATED = {"attn_q": "llama.attention.head_count", "attn_k": "llama.attention.head_count_kv"}


def llama_files(gguf: GgufFile) -> dict[str, dict[str, Any]]:
    """The JSON files of a Llama model beside its vocabulary, by name; its chat template is in the second."""
    config = llama_config(gguf)
    roles = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}
    return {
        "config.json": config,
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",  # tokenizer.json as it is
            **{f"{role}_token": gguf.token(name) for role, name in roles.items()},
            "add_bos_token": gguf.metadata["tokenizer.ggml.add_bos_token"],
            "chat_template": gguf.metadata["tokenizer.chat_template"],
            "clean_up_tokenization_spaces": False,
            "model_max_length": config["max_position_embeddings"],
        },
        "generation_config.json": {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")},
    }


def llama_config(gguf: GgufFile) -> dict[str, Any]:
    """The ``config.json`` of a Llama model with plain rotary embeddings."""
    meta = {key.removeprefix("llama."): value for key, value in gguf.metadata.items()}
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": len(meta["tokenizer.ggml.tokens"]),
        "hidden_size": meta["embedding_length"],
        "intermediate_size": meta["feed_forward_length"],
        "num_hidden_layers": meta["block_count"],
        "num_attention_heads": meta["attention.head_count"],
        "num_key_value_heads": meta["attention.head_count_kv"],
        "head_dim": meta["rope.dimension_count"],
        "hidden_act": "silu",
        "max_position_embeddings": meta["context_length"],
        "rms_norm_eps": float(f"{meta['attention.layer_norm_rms_epsilon']:.6g}"),  # was float32
        "rope_theta": meta["rope.freq_base"],
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": meta["tokenizer.ggml.bos_token_id"],
        "eos_token_id": meta["tokenizer.ggml.eos_token_id"],
        "pad_token_id": meta["tokenizer.ggml.padding_token_id"],
        "tie_word_embeddings": "output.weight" not in {entry.name for entry in gguf.tensors},
        "dtype": "float32",
    }


def llama_tensor(gguf: GgufFile, entry: TensorEntry) -> tuple[str, np.ndarray]:
    """Name and values of one weight.

    llama.cpp rotates neighbouring rows of a head of queries or keys, transformers rows half a head apart;
    llama.cpp's converter reorders them (``LlamaModel.permute`` in its ``convert_hf_to_gguf.py``), which is
    undone here.
    """
    *block, short, _ = entry.name.split(".")  # "blk.9.attn_q.weight"
    values = gguf.dequantize(entry)
    if short in ROTATED:
        heads = gguf.metadata[ROTATED[short]]
        pairs = values.reshape(heads, -1, 2, values.shape[1])  # (heads, d/2, 2, hidden)
        values = pairs.swapaxes(1, 2).reshape(values.shape)
    prefix = f"model.layers.{block[1]}." if block else ""
    return f"{prefix}{LLAMA_MODULES[short]}.weight", values


def smollm_tokenizer(metadata: dict[str, Any]) -> Tokenizer:
    """SmolLM's byte-level byte-pair tokenizer: a digit is a token, and nothing is put around a text.

    Bytes that its vocabulary lacks are left out of a text, as in the tokenizer it was made from.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE

    written, kinds = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in metadata["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(BPE({token: index for index, token in enumerate(written)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [token for token, kind in zip(written, kinds) if kind == CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    return tokenizer
