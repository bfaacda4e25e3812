"""Small random models of every family, as local folders in the hub's format, built once a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glasso_cli.models.load import load_model
from glasso_cli.models.loaded import LoadedModel

TEXT = (
    "the a of and in to river queue museum opens at nine by noon reaches nobody answered paris is "
    "capital france seine runs through it mendeleev left gaps his table for elements . , ;"
)
SIZE = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2}
WIDE_INIT = 0.3  # so that a token's place and neighbours matter in a random model
VISION = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,  # as many as the text part
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}


def _text(**more: Any) -> dict[str, Any]:
    return SIZE | {"vocab_size": 64, "max_position_embeddings": 128, "initializer_range": WIDE_INIT} | more


def _gemma(**more: Any) -> dict[str, Any]:
    window = {"sliding_window": 8, "sliding_window_pattern": 2, "query_pre_attn_scalar": 16}
    return _text(num_key_value_heads=1, head_dim=16, intermediate_size=48, **window) | more


CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "gemma3": ("gemma3_text", _gemma()),
    "gpt2": ("gpt2", {"n_embd": 32, "n_layer": 3, "n_head": 2, "vocab_size": 64, "n_positions": 128}),
    "llama": ("llama", _text(num_key_value_heads=1, intermediate_size=48)),
    "gpt_neox": ("gpt_neox", _text(intermediate_size=48)),
    "opt": ("opt", _text(ffn_dim=48, word_embed_proj_dim=32)),
    "bert": ("bert", _text(intermediate_size=48)),
    "phi3": ("phi3", _text(num_key_value_heads=1, intermediate_size=48, pad_token_id=0)),
    "phi3_longrope": (  # other frequencies where a batch has a window of more than 40 tokens
        "phi3",
        _text(
            num_key_value_heads=1,
            intermediate_size=48,
            pad_token_id=0,
            original_max_position_embeddings=40,
            rope_parameters={
                "rope_type": "longrope",
                "rope_theta": 10_000.0,
                "short_factor": [1.0] * 8,
                "long_factor": [8.0] * 8,
                "original_max_position_embeddings": 40,
            },
        ),
    ),
    "roberta": ("roberta", _text(intermediate_size=48, pad_token_id=0)),
    "gemma3n": (
        "gemma3n_text",
        _text(
            num_key_value_heads=1,
            head_dim=16,
            intermediate_size=[48] * 3,
            activation_sparsity_pattern=[0.0] * 3,
            laurel_rank=4,
            altup_num_inputs=2,
            num_kv_shared_layers=0,
            vocab_size_per_layer_input=64,
            hidden_size_per_layer_input=8,
        ),
    ),
    "mixtral": ("mixtral", _text(num_key_value_heads=1, intermediate_size=24, num_local_experts=4)),
    "albert": ("albert", _text(intermediate_size=48, embedding_size=16)),
    "gemma3_vision": ("gemma3", {"text_config": _gemma(), "vision_config": VISION}),
}
MASKED = ("bert", "roberta", "albert")
FAMILIES = ("gemma3", "gpt2", "llama", "gpt_neox", "opt", "bert")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Torch on one thread: a second one only waits on models this small."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def build_tokenizer(special: list[str], frame: str = "$A", **roles: str) -> Any:
    """A word tokenizer; ``special`` gives the ids from 0 up, ``frame`` what goes around a text."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocab = {word: i for i, word in enumerate(dict.fromkeys([*special, *TEXT.split()]))}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token=special[-1]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    named = [(word, vocab[word]) for word in frame.split() if word in vocab]
    tokenizer.post_processor = processors.TemplateProcessing(single=frame, special_tokens=named)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token=special[-1], **roles)


@pytest.fixture(scope="session")
def make_tokenizer() -> Callable[..., Any]:
    """The function :func:`build_tokenizer`."""
    return build_tokenizer


@pytest.fixture(scope="session")
def tokenizers(make_tokenizer: Callable[..., Any]) -> dict[str, Any]:
    """Tokenizers by family. GPT-NeoX ends and pads with id 0; GPT-2 has no padding token at all."""
    plain = make_tokenizer(["<eos>", "<unk>"], eos_token="<eos>")
    with_bos = make_tokenizer(["<pad>", "<bos>", "<unk>"], "<bos> $A", bos_token="<bos>", pad_token="<pad>")
    masked = make_tokenizer(
        ["[PAD]", "[CLS]", "[SEP]", "[UNK]"], "[CLS] $A [SEP]", pad_token="[PAD]", cls_token="[CLS]"
    )
    zero = make_tokenizer(["<end>", "<unk>"], eos_token="<end>", pad_token="<end>", bos_token="<end>")
    by_family = {"gpt2": plain, "gpt_neox": zero, **dict.fromkeys(MASKED, masked)}
    return {name: by_family.get(name, with_bos) for name in CONFIGS}


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory, tokenizers: dict[str, Any]) -> Callable[[str], Path]:
    """The folder of a tiny random model of a family, written on first use. Tests must not change it."""
    root = tmp_path_factory.mktemp("models")

    def folder_of(name: str) -> Path:
        folder = root / name
        if not folder.is_dir():
            random_model(name).save_pretrained(folder)
            tokenizers[name].save_pretrained(folder)
        return folder

    return folder_of


def random_model(name: str) -> Any:
    """A random model of a family."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

    model_type, options = CONFIGS[name]
    config = AutoConfig.for_model(model_type, **options)
    config.initializer_range = WIDE_INIT
    auto: Any = AutoModelForMaskedLM if name in MASKED else AutoModelForCausalLM
    torch.manual_seed(7)
    return auto.from_config(config)


@pytest.fixture(scope="session")
def loaded(model_dir: Callable[[str], Path]) -> Callable[[str], LoadedModel]:
    """Loads a tiny model, once a session. Tests must leave it as it was."""
    models: dict[str, LoadedModel] = {}

    def load(name: str) -> LoadedModel:
        if name not in models:
            models[name] = load_model(str(model_dir(name)))
        return models[name]

    return load


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest, loaded: Callable[[str], LoadedModel]) -> LoadedModel:
    """Each family's tiny model in turn."""
    return loaded(request.param)
