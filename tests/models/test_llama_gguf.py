"""A planted Llama through the whole conversion, against transformers' own reader of GGUF files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from support.byte_pairs import LETTERS, encoder
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from glasso_cli.models.builtin import BuiltinModel, builtin_folder
from glasso_cli.models.llama_gguf import LLAMA_MODULES, llama_files, llama_tensor, smollm_tokenizer
from glasso_cli.models.load import load_model
from glasso_cli.models.loaded import LoadedModel

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = ["t h", "th e", "Ġ the", "Ġ a", "a b", "Ġa b", "b a", "ab ba", "1 2", "Ġ Ġ", "' s", "Ã ©"]
TOKENS = [*SPECIAL, *LETTERS, *(merge.replace(" ", "") for merge in MERGES)]
KINDS = [3] * len(SPECIAL) + [1] * (len(TOKENS) - len(SPECIAL))
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
by_definition = encoder(TOKENS, MERGES, SPECIAL)
METADATA = {
    "tokenizer.ggml.tokens": TOKENS,
    "tokenizer.ggml.token_type": KINDS,
    "tokenizer.ggml.merges": MERGES,
}


def random_llama(**options: Any) -> LlamaForCausalLM:
    """Four heads over two of keys and values, so that mixing them up shows."""
    config = LlamaConfig(
        vocab_size=len(TOKENS),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        rms_norm_eps=1e-5,
        initializer_range=0.3,
        **{"rope_theta": 100_000.0, **options},
    )
    torch.manual_seed(7)
    model: LlamaForCausalLM = LlamaForCausalLM(config).eval()
    return model


def write_gguf(path: Path, model: LlamaForCausalLM) -> None:
    """The model with llama.cpp's names, its rows of queries and keys in the order of llama.cpp's converter."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(3)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(48)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_rope_dimension_count(8)
    writer.add_rope_freq_base(100_000.0)
    writer.add_context_length(128)
    writer.add_vocab_size(len(TOKENS))
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_types(KINDS)
    writer.add_token_merges(MERGES)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    names = {hf: short for short, hf in LLAMA_MODULES.items()}
    heads = {"attn_q": 4, "attn_k": 2}
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        values = weight.numpy()
        _, _, rest = name.removesuffix(".weight").partition("model.layers.")
        layer, _, module = rest.partition(".")
        short = names[module if rest else name.removesuffix(".weight")]
        if short in heads:  # LlamaModel.permute of convert_hf_to_gguf.py
            values = values.reshape(heads[short], 2, -1, 32).swapaxes(1, 2).reshape(values.shape)
        writer.add_tensor(f"blk.{layer}.{short}.weight" if rest else f"{short}.weight", np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# -- the conversion -------------------------------------------------------------------------------


@pytest.fixture(params=[True, False], ids=["tied", "own head"])
def original(request: pytest.FixtureRequest) -> LlamaForCausalLM:
    return random_llama(tie_word_embeddings=request.param)


@pytest.fixture
def file(original: LlamaForCausalLM, tmp_path: Path) -> Path:
    write_gguf(tmp_path / "tiny.gguf", original)
    return tmp_path / "tiny.gguf"


@pytest.fixture
def back(file: Path, cache: Path, plant: Callable[..., BuiltinModel]) -> LoadedModel:
    plant(file.read_bytes(), files=llama_files, tensor=llama_tensor, tokenizer=smollm_tokenizer)
    return load_model("builtin:tiny")


@pytest.mark.slow
def test_a_planted_model_comes_back(back: LoadedModel, original: LlamaForCausalLM, file: Path) -> None:
    state = back.model.state_dict()
    for name, tensor in original.state_dict().items():
        assert torch.equal(state[name], tensor), name
    ids = torch.tensor([[1, 8, 12, 19, 20, 21] * 3])
    theirs = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name)
    with torch.inference_mode():
        mine = back.model(ids).logits
        torch.testing.assert_close(mine, original(ids).logits, rtol=0, atol=0)
        torch.testing.assert_close(mine, theirs.eval()(ids).logits, rtol=1e-5, atol=1e-5)


def test_the_files_say_what_the_metadata_says(back: LoadedModel, original: LlamaForCausalLM) -> None:
    config, generation, tokenizer = back.model.config, back.model.generation_config, back.tokenizer
    for key in ("hidden_size", "num_key_value_heads", "head_dim", "rms_norm_eps", "tie_word_embeddings"):
        assert getattr(config, key) == getattr(original.config, key), key
    assert config.rope_parameters["rope_theta"] == 100_000
    assert (generation.bos_token_id, generation.eos_token_id, generation.pad_token_id) == (1, 2, 2)
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert (tokenizer.pad_token, tokenizer.unk_token) == ("<|im_end|>", "<|endoftext|>")
    assert (tokenizer.model_max_length, len(tokenizer)) == (128, len(TOKENS))
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "ab"}], tokenize=False)
    assert chat == "<|im_start|>user\nab<|im_end|>\n"
    names = {path.name for path in builtin_folder("builtin:tiny").glob("[!.]*")}
    assert names == {
        *("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
    }


def test_a_loaded_tokenizer_is_the_one_written(back: LoadedModel) -> None:
    text = "<|im_start|>the 12 'ab's <|im_end|>\n"
    assert back.tokenizer(text)["input_ids"] == by_definition(text)
    assert back.tokenizer.decode(back.tokenizer(text)["input_ids"]) == text
    written = json.loads((builtin_folder("builtin:tiny") / "tokenizer.json").read_text())
    assert [token["id"] for token in written["added_tokens"] if token["special"]] == [0, 1, 2]


# -- the tokenizer --------------------------------------------------------------------------------

TOKENIZER = smollm_tokenizer(METADATA)


@given(st.text(alphabet="theab 12'sé\n", max_size=25) | st.text(max_size=10))
@example("a²½٣ 12  the\n\n 's  ")
@example("<|im_end|>ab<|endoftext|> 12")
@example("trailing   ")
def test_ids_are_those_of_the_definition(text: str) -> None:
    ids = TOKENIZER.encode(text).ids
    assert ids == by_definition(text)
    assert TOKENIZER.decode(ids, skip_special_tokens=False) == text


def test_a_digit_is_a_token_even_where_a_merge_would_join_two() -> None:
    assert TOKENIZER.encode("12").tokens == ["1", "2"]


def test_a_byte_without_a_token_is_left_out() -> None:
    without = {**METADATA, "tokenizer.ggml.tokens": ["<gone>" if t == "z" else t for t in TOKENS]}
    assert smollm_tokenizer(without).encode("azb").tokens == ["ab"]
    assert TOKENIZER.encode("azb").tokens == ["a", "z", "b"]
