"""A tiny random model of every architecture of texts that transformers knows, and a tokenizer for all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

VOCABULARY = 100
# Every name that some configuration has for a size.
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "head_dim": 16,
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "emb_dim", "embed_dim", "hidden_dim"), 32),
    **dict.fromkeys(("word_embed_proj_dim", "d_embed", "attention_hidden_size"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_blocks"), 2),
    **dict.fromkeys(("encoder_layers", "decoder_layers", "num_decoder_layers", "num_encoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 2),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2),
    **dict.fromkeys(("num_encoder_attention_heads", "num_decoder_attention_heads"), 2),
    **dict.fromkeys(("num_key_value_heads", "n_kv_heads", "kv_n_heads"), 2),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "d_ff", "n_inner", "ffn_hidden_size", "d_inner"), 48),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim", "moe_intermediate_size"), 48),
    **dict.fromkeys(("max_position_embeddings", "n_positions"), 128),
    **dict.fromkeys(("num_local_experts", "n_routed_experts", "num_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim", "q_lora_rank", "kv_lora_rank"), 16),
    **dict.fromkeys(("num_experts_per_tok", "moe_topk", "moe_k", "top_k_experts"), 2),
    **dict.fromkeys(("index_head_dim", "index_topk"), 16),
    **dict.fromkeys(("n_group", "topk_group"), 1),
    "index_n_heads": 2,
}
_MAMBA = {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 16, "mamba_chunk_size": 8}
_LAYERS_DIFFER = {"head_dim": None}  # None: as it is, here because it is a size of each layer
# What an architecture needs beyond its sizes, by model type.
MORE: dict[str, dict[str, Any]] = {
    "bamba": _MAMBA,
    "codegen": {"n_head": 4, "rotary_dim": 8},
    "cohere_compass_text": {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 10_000.0}}},
    "dots3_note_text": {**_LAYERS_DIFFER, "layer_types": ["full_attention", "full_attention"]},
    "dots1": {"n_shared_experts": 1},
    "esm": {"pad_token_id": 1, "mask_token_id": 99},
    "falcon_h1": {**_MAMBA, "mamba_d_ssm": 64},
    "gemma3n_text": {
        "num_kv_shared_layers": 0,
        "activation_sparsity_pattern": [0.0, 0.0],
        "intermediate_size": [48, 48],
        "laurel_rank": 4,
        "altup_num_inputs": 2,
        "vocab_size_per_layer_input": VOCABULARY,
        "hidden_size_per_layer_input": 8,
    },
    "gemma4_text": {**_LAYERS_DIFFER, "vocab_size_per_layer_input": VOCABULARY, "hidden_size_per_layer_input": 8},
    "gemma4_unified_text": _LAYERS_DIFFER,
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "gptj": {"rotary_dim": 8},
    "granitemoehybrid": {**_MAMBA, "layer_types": ["mamba", "attention"]},
    "hrm_text": {"num_layers_per_stack": 2},
    "kimi_linear": {"linear_head_dim": 16, "linear_num_heads": 2, "num_experts_per_token": 2},
    "luke": {"entity_vocab_size": 20, "entity_emb_size": 8},
    "longcat_flash": {"expert_ffn_hidden_size": 48, "zero_expert_num": 2},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "mamba2": {"num_heads": 4, "state_size": 16, "n_groups": 1, "chunk_size": 8},
    "mimo_v2_flash": {"layer_types": ["full_attention", "full_attention"]},
    "mobilebert": {"embedding_size": 16, "true_hidden_size": 16, "intra_bottleneck_size": 16},
    "perceiver": {"num_latents": 8, "d_latents": 32},
    "reformer": {"axial_pos_embds_dim": [16, 16], "axial_pos_shape": [8, 16], "attn_layers": ["local", "lsh"]},
    "squeezebert": {"embedding_size": 32},
    "zaya": {"num_experts_per_tok": 1},
    "xmod": {"default_language": "en_XX"},
    "zamba": {"num_hidden_layers": 3, "layers_block_type": ["mamba", "hybrid", "mamba"]},
    "zamba2": {
        "layers_block_type": ["mamba", "hybrid"],
        "attention_hidden_size": 64,
        "mamba_d_state": 16,
        "chunk_size": 8,
        "adapter_rank": 8,
    },
}
MORE_CAUSAL: dict[str, dict[str, Any]] = {"reformer": {"is_decoder": True}}
LARGEST = 30_000_000  # parameters


@dataclass(frozen=True)
class Architecture:
    """A type of model, as its configuration names it, and the head that transformers puts on it."""

    model_type: str
    kind: str  # causal, masked, encoder or decoder; image or audio in support.tiny_encoders

    @property
    def config(self) -> type[Any]:
        """The configuration class, which is imported here."""
        from transformers import CONFIG_MAPPING

        return CONFIG_MAPPING[self.model_type]

    def __str__(self) -> str:
        return f"{self.model_type}-{self.kind}"


@cache
def architectures() -> tuple[Architecture, ...]:
    """All pairs of architecture and head, by name; each configuration class once with each head."""
    from transformers.models.auto import configuration_auto, modeling_auto

    heads = {
        "causal": modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        "masked": modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        "encoder": modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    }
    configs = configuration_auto.CONFIG_MAPPING_NAMES  # type: ignore[attr-defined]
    pairs = {
        (configs[model_type], kind): Architecture(model_type, kind)
        for kind, names in heads.items()
        for model_type in sorted(names)  # gpt2 last, not gpt-sw3, which shares its class
    }
    return tuple(sorted(pairs.values(), key=str))


def tiny_model(architecture: Architecture) -> Any:
    """A random model in float32; raises whatever its code raises, and ValueError for one that is not tiny."""
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

    classes: dict[str, Any] = {"causal": AutoModelForCausalLM, "masked": AutoModelForMaskedLM}
    auto = classes.get(architecture.kind, AutoModelForSeq2SeqLM)
    more = MORE_CAUSAL.get(architecture.model_type, {}) if architecture.kind == "causal" else {}
    config = tiny_config(architecture.config, **more)
    if architecture.kind == "decoder":  # the default is none, or lies outside the vocabulary
        config.decoder_start_token_id = 2
    return drawn(auto, config, 0.3)  # so that a token's place and neighbours matter


def drawn(auto: Any, config: Any, spread: float) -> Any:
    """A model of ``config`` with matrices of standard deviation ``spread``; ValueError for one that is not tiny."""
    import torch

    with torch.device("meta"):
        size = sum(p.numel() for p in auto.from_config(config).parameters())
    if size > LARGEST:
        raise ValueError(f"not tiny: {size:,} parameters")
    torch.manual_seed(7)
    model = auto.from_config(config).float()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, spread)
    return model.eval()


def tiny_config(config_class: type[Any], **more: Any) -> Any:
    """A configuration with small sizes, of nested configurations too."""
    default = config_class()
    more = MORE.get(config_class.model_type, {}) | more
    options: dict[str, Any] = {}
    for name in getattr(config_class, "sub_configs", None) or {}:
        part = getattr(default, name, None)
        if hasattr(part, "to_dict"):
            options[name] = tiny_config(type(part)).to_dict()
    if config_class.model_type == "encoder-decoder":  # else its decoder is a second encoder
        options["decoder"] |= {"is_decoder": True, "add_cross_attention": True}
    known = {name for name, value in default.to_dict().items() if not isinstance(value, list | tuple | dict)}
    known -= set(getattr(config_class, "attribute_map", {}))
    options |= {name: size for name, size in SIZES.items() if name in known}
    for name, small in (("pad_token_id", 0), ("bos_token_id", 1), ("eos_token_id", 2)):
        value = getattr(default, name, None)
        if isinstance(value, int) and value >= VOCABULARY:
            options[name] = small
    return config_class(**{name: value for name, value in (options | more).items() if value is not None})


@cache
def word_tokenizer() -> Any:
    """Words ``w0`` to ``w98``, each with its number as id."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {f"w{i}": i for i in range(VOCABULARY - 1)} | {"<unk>": VOCABULARY - 1}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="w3")
