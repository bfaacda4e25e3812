"""SmolLM2 135M Instruct as it ships in a package: converted once into the user's cache."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from support.byte_pairs import encoder

from glasso_cli.corpora.topics import TOPICS, passages
from glasso_cli.hooks import resolve_hook_points
from glasso_cli.hooks.invariants import check_hook_points
from glasso_cli.models.builtin import BUILTIN_MODELS, _read_chunks
from glasso_cli.models.gguf_file import parse_gguf
from glasso_cli.models.load import load_model
from glasso_cli.models.loaded import LoadedModel

pytestmark = pytest.mark.real
PASSAGES = tuple(text for topic in TOPICS for text in passages(topic)[:25])
VARIED = (
    *("", " ", "  ", "\n", " \n ", "\t\tx", "trailing ", "trailing   ", "   leading", "a  b   c    d"),
    *("lines\n\nand\r\nlines\n", "naïve café — “quotes” …", "Straße, façade, Ångström", "e\u0301 combining"),
    *("1", "12", "3.14159", "1,234,567.89 €", "v2.0.1-rc3", "0x1F", "10²³ ½ Ⅻ ٣٤ १२", "2026-11-25T13:00", "a1b22c333"),
    *("def f(x):\n    return {x: [x ** 2]}  # comment", "for (int i = 0; i < n; ++i) { s += a[i]; }"),
    *("<div class='a'>&amp;</div>", "SELECT * FROM t WHERE id=42;", "\\frac{1}{2}\\alpha", "https://a.b/c?d=e&f=%20"),
    *("你好，世界。", "日本語のテキスト", "한국어", "Привет!", "مرحبا", "हिन्दी", "ไทย", "Ελληνικά", "עברית"),
    *("👩‍🚀🇫🇷👍🏽", "🙂 smile 🙃", "♥ ★ → ∑ √ ≤", "\x00\x07\x7f", "\ufffd\ufeff", "\u00a0nbsp\u2003em\u3000wide"),
    *("don't I'll we've SHE'S 'tis", "...!!!???", "----====", "aaaaaaaaaaaaaaaaaaaa", "CamelCaseWord snake_case"),
    *("<|im_start|>user\nHi<|im_end|>\n", "<|endoftext|>", "a<|im_end|>b", "<|im_end", "<file_sep><repo_name>x"),
)


@pytest.fixture(scope="module")
def smollm() -> LoadedModel:
    return load_model("builtin:smollm2-135m-instruct")


@pytest.fixture(scope="module")
def metadata() -> dict[str, Any]:
    return parse_gguf(_read_chunks(BUILTIN_MODELS["smollm2-135m-instruct"])).metadata


def test_the_config_is_that_of_smollm2_135m(smollm: LoadedModel) -> None:
    config = smollm.model.config
    assert (config.num_hidden_layers, config.hidden_size, config.intermediate_size) == (30, 576, 1536)
    assert (config.num_attention_heads, config.num_key_value_heads, config.head_dim) == (9, 3, 64)
    assert (config.rope_parameters["rope_theta"], config.rms_norm_eps) == (100_000, 1e-5)
    assert (config.vocab_size, config.max_position_embeddings) == (49_152, 8192)
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (1, 2, 2)
    assert smollm.model.generation_config.eos_token_id == 2
    assert smollm.model.lm_head.weight is smollm.model.model.embed_tokens.weight
    assert smollm.model.num_parameters() == 134_515_008


def test_special_tokens_are_those_of_smollm2(smollm: LoadedModel) -> None:
    special = {token.content for token in smollm.tokenizer.added_tokens_decoder.values() if token.special}
    assert {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<file_sep>", "<empty_output>"} <= special
    assert smollm.tokenizer.convert_ids_to_tokens([0, 1, 2]) == ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    assert len(special) == 17
    assert len(smollm.tokenizer) == 49_152


def test_ids_are_those_of_the_definition(smollm: LoadedModel, metadata: dict[str, Any]) -> None:
    tokens = metadata["tokenizer.ggml.tokens"]
    by_definition = encoder(tokens, metadata["tokenizer.ggml.merges"], special=tokens[:17])
    for text in (*PASSAGES, *VARIED):
        assert smollm.tokenizer(text)["input_ids"] == by_definition(text), text


@pytest.mark.parametrize("text", PASSAGES[::15])
def test_a_text_comes_back(smollm: LoadedModel, text: str) -> None:
    assert smollm.tokenizer.decode(smollm.tokenizer(text)["input_ids"]) == text


def test_english_is_likely_in_its_order_only(smollm: LoadedModel) -> None:
    generator = torch.Generator().manual_seed(0)
    bits = mixed_bits = 0.0
    for text in PASSAGES[::15]:
        ids = smollm.tokenizer(text, return_tensors="pt")["input_ids"]
        bits += bits_per_byte(smollm, ids, text)
        mixed_bits += bits_per_byte(smollm, ids[:, torch.randperm(ids.shape[1], generator=generator)], text)
    assert bits / 5 < 1.8  # Gemma 3 270M: 1.5
    assert mixed_bits > 1.5 * bits


def bits_per_byte(smollm: LoadedModel, ids: torch.Tensor, text: str) -> float:
    with torch.inference_mode():
        nats = float(smollm.model(ids, labels=ids).loss) * (ids.shape[1] - 1)
    return nats / math.log(2) / len(text.encode())


def test_it_answers_through_its_chat_template(smollm: LoadedModel) -> None:
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    model: Any = smollm.model  # transformers types neither of the two
    tokenizer: Any = smollm.tokenizer
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt")["input_ids"]
    assert "named SmolLM, trained by Hugging Face<|im_end|>" in tokenizer.decode(ids[0])
    with torch.inference_mode():
        said = model.generate(ids, max_new_tokens=24, do_sample=False)[0, ids.shape[1] :]
    assert "Paris" in tokenizer.decode(said)
    assert said[-1] == 2  # it ends its turn


def test_every_layer_passes_the_checks(smollm: LoadedModel) -> None:
    points = resolve_hook_points(smollm.model, ["mlp.*", "resid.*"])
    report = check_hook_points(smollm, points)
    assert sorted(p.width for p in points) == [576] * 30 + [1536] * 30
    assert report.bos == "not added"
    assert max(report.projection.values()) < 1e-5
    assert max(report.batching.values()) < 1e-4
