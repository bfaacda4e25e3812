"""Gemma 3 out of a GGUF file: configuration, weights and tokenizer as transformers has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glasso_cli.models.gguf_file import CONTROL, USER_DEFINED, GgufFile, TensorEntry

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

GEMMA_MODULES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
GEMMA_TOKENIZER_CONFIG = {
    "tokenizer_class": "GemmaTokenizer",
    "bos_token": "<bos>",
    "eos_token": "<eos>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
    "add_bos_token": True,
    "model_max_length": 32768,
}


def gemma_files(gguf: GgufFile) -> dict[str, dict[str, Any]]:
    """The JSON files of a Gemma 3 beside its vocabulary, by name."""
    return {"config.json": gemma_config(gguf), "tokenizer_config.json": GEMMA_TOKENIZER_CONFIG}


def gemma_config(gguf: GgufFile) -> dict[str, Any]:
    """The ``config.json`` of a Gemma 3 text model; what the file does not say is the same for every Gemma
    3."""
    meta = {key.removeprefix("gemma3."): value for key, value in gguf.metadata.items()}
    return {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        "vocab_size": len(meta["tokenizer.ggml.tokens"]),
        "hidden_size": meta["embedding_length"],
        "intermediate_size": meta["feed_forward_length"],
        "num_hidden_layers": meta["block_count"],
        "num_attention_heads": meta["attention.head_count"],
        "num_key_value_heads": meta["attention.head_count_kv"],
        "head_dim": meta["attention.key_length"],
        "query_pre_attn_scalar": meta["attention.key_length"],  # but for the 27B
        "hidden_activation": "gelu_pytorch_tanh",
        "max_position_embeddings": meta["context_length"],
        "rms_norm_eps": float(f"{meta['attention.layer_norm_rms_epsilon']:.6g}"),  # was float32
        "rope_theta": meta["rope.freq_base"],
        "rope_local_base_freq": 10_000.0,
        "sliding_window": meta["attention.sliding_window"],
        "sliding_window_pattern": 6,  # five layers with the window, then one without
        "bos_token_id": meta["tokenizer.ggml.bos_token_id"],
        "eos_token_id": meta["tokenizer.ggml.eos_token_id"],
        "pad_token_id": meta["tokenizer.ggml.padding_token_id"],
        "tie_word_embeddings": True,
        "dtype": "float32",
    }


def gemma_tensor(gguf: GgufFile, entry: TensorEntry) -> tuple[str, np.ndarray]:
    """Name and values of one weight. A norm is stored as 1 + weight, which Gemma's code adds again."""
    *block, short, _ = entry.name.split(".")  # "blk.9.attn_q.weight"
    values = gguf.dequantize(entry)
    if short.endswith("_norm"):
        values = values - 1.0
    prefix = f"model.layers.{block[1]}." if block else ""
    return f"{prefix}{GEMMA_MODULES[short]}.weight", values


def gemma_tokenizer(metadata: dict[str, Any]) -> Tokenizer:
    """Gemma's byte-pair tokenizer from a GGUF vocabulary; a BOS before every text.

    The file has no merges. They are every way to cut a token in two tokens, in the order of the vocabulary,
    longest left part first: Gemma's vocabulary is in merge order (its scores are not).
    """
    from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers, processors
    from tokenizers.models import BPE

    written, kinds = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    # Runs of spaces are written as such; the normalizer below turns spaces into "▁".
    tokens = ["▁" * len(token) if token and not token.strip(" ") else token for token in written]
    vocab = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(BPE(vocab, _merges(vocab), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous", False)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    for kind, special in ((CONTROL, True), (USER_DEFINED, False)):
        named = [token for token, of in zip(written, kinds) if of == kind and token in vocab]
        tokenizer.add_tokens([AddedToken(t, normalized=False, special=special) for t in named])
    bos = metadata["tokenizer.ggml.bos_token_id"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos>:1 $B:1", special_tokens=[("<bos>", bos)]
    )
    return tokenizer


def _merges(vocab: dict[str, int]) -> list[tuple[str, str]]:
    return [
        (token[:cut], token[cut:])
        for token in vocab
        for cut in range(len(token) - 1, 0, -1)
        if token[:cut] in vocab and token[cut:] in vocab
    ]
