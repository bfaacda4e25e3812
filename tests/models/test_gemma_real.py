"""Gemma 3 270M as it ships in packages: converted once into the user's cache (extra ``builtin``)."""

from __future__ import annotations

import json
import math

import pytest
import torch

from glasso_cli.hooks import ablate, record, resolve_hook_points
from glasso_cli.hooks.edit import Intervention, add
from glasso_cli.hooks.invariants import check_hook_points
from glasso_cli.models.builtin import builtin_folder
from glasso_cli.models.load import load_model
from glasso_cli.models.loaded import LoadedModel

pytestmark = pytest.mark.real
PASSAGES = (
    "The history of the Roman Empire begins with Augustus, who became the first emperor in 27 BC. Under his "
    "rule the state was reorganised, the army was made professional, and a long period of peace began.",
    "Water boils at a lower temperature on a mountain than at sea level, because the pressure of the air is "
    "lower there. That is why it takes longer to cook an egg in the mountains.",
    "She put the letter back into its envelope, looked at the stamp for a while, and decided that she would "
    "not answer it before the end of the week.",
)
VARIED = (
    "  two  spaces,\ttabs\nand\n\nlines  ",
    "naïve café — “quotes” … 1,234.56 €",
    "def f(x):\n    return {x: [x ** 2]}  # comment",
    "你好，世界。Привет! مرحبا 👩‍🚀",
    "\x00\x7f\ufffd",
)


@pytest.fixture(scope="module")
def gemma() -> LoadedModel:
    return load_model("builtin:gemma-3-270m")


def nats_per_token(gemma: LoadedModel, ids: list[int]) -> float:
    row = torch.tensor([ids])
    with torch.inference_mode():
        return float(gemma.model(row, labels=row).loss)


def test_the_config_is_that_of_gemma_3_270m(gemma: LoadedModel) -> None:
    config = gemma.model.config
    rope = config.rope_parameters
    assert (config.num_hidden_layers, config.hidden_size, config.intermediate_size) == (18, 640, 2048)
    assert (config.num_attention_heads, config.num_key_value_heads, config.head_dim) == (4, 1, 256)
    assert [i for i, kind in enumerate(config.layer_types) if kind == "full_attention"] == [5, 11, 17]
    assert (config.sliding_window, config.query_pre_attn_scalar, config.rms_norm_eps) == (512, 256, 1e-6)
    assert rope["full_attention"]["rope_theta"] == 1_000_000
    assert rope["sliding_attention"]["rope_theta"] == 10_000
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (2, 1, 0)
    assert config.hidden_activation == "gelu_pytorch_tanh"
    assert gemma.model.lm_head.weight is gemma.model.model.embed_tokens.weight
    assert gemma.model.num_parameters() == 268_098_176
    scale = float(gemma.model.model.embed_tokens(torch.tensor([[2]])).norm())
    assert scale == pytest.approx(math.sqrt(640) * float(gemma.model.lm_head.weight[2].norm()), rel=1e-5)


@pytest.mark.parametrize("text", [*PASSAGES, *VARIED])
def test_a_text_gets_one_bos_and_comes_back(gemma: LoadedModel, text: str) -> None:
    ids = gemma.tokenizer(text)["input_ids"]
    assert ids.count(2) == 1
    assert ids[0] == 2
    assert gemma.tokenizer.decode(ids[1:]) == text


def test_every_token_has_its_id(gemma: LoadedModel) -> None:
    vocab = json.loads((builtin_folder("builtin:gemma-3-270m") / "tokenizer.json").read_text())["model"]["vocab"]
    assert sorted(vocab.values()) == list(range(262_144)) == sorted(gemma.tokenizer.get_vocab().values())
    assert gemma.tokenizer.convert_ids_to_tokens([0, 1, 2, 3, 138]) == ["<pad>", "<eos>", "<bos>", "<unk>", "▁▁"]
    assert gemma.tokenizer.tokenize("the capital of France") == ["the", "▁capital", "▁of", "▁France"]


def test_english_is_likely_after_a_bos_only(gemma: LoadedModel) -> None:
    for text in PASSAGES:
        ids = gemma.tokenizer(text)["input_ids"]
        assert math.exp(nats_per_token(gemma, ids)) < 25
        assert nats_per_token(gemma, ids[1:]) > nats_per_token(gemma, ids) + 2


@pytest.mark.parametrize(
    ("text", "word"),
    [("The capital of France is the city of", " Paris"), ("Two plus two equals", " four")],
)
def test_it_knows_what_it_read(gemma: LoadedModel, text: str, word: str) -> None:
    ids = gemma.tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        best = int(gemma.model(ids).logits[0, -1].argmax())
    assert gemma.tokenizer.decode([best]) == word


def test_every_layer_passes_the_checks(gemma: LoadedModel) -> None:
    points = resolve_hook_points(gemma.model, ["mlp.*", "resid.*"])
    report = check_hook_points(gemma, points)
    assert sorted(p.width for p in points) == [640] * 18 + [2048] * 18
    assert report.bos == "added"
    assert max(report.projection.values()) < 1e-5
    assert max(report.batching.values()) < 1e-4


def test_stopping_early_gives_the_same_bits(gemma: LoadedModel) -> None:
    rows = [torch.tensor(gemma.tokenizer(text)["input_ids"]) for text in PASSAGES]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    points = resolve_hook_points(gemma.model, ["mlp.9"])
    values = []
    for stop in (True, False):
        with record(gemma.model, points, stop=stop) as recorder:
            values += recorder.run(ids, (ids != 0).long())
    assert torch.equal(*values)


def test_a_neuron_acts_on_later_layers_and_positions_only(gemma: LoadedModel) -> None:
    ids = torch.tensor([gemma.tokenizer(PASSAGES[0])["input_ids"]])
    source, target = resolve_hook_points(gemma.model, ["mlp.8", "mlp.9"])
    at = torch.zeros_like(ids, dtype=torch.bool)
    at[0, 20] = True

    def read() -> list[torch.Tensor]:
        with record(gemma.model, [source, target]) as recorder:
            return recorder.run(ids)

    clean = read()
    with ablate(gemma.model, [Intervention(source, add(5.0), (100,), at)]):
        changed = read()
    effect = [(new - old).abs().sum(-1)[0] for new, old in zip(changed, clean, strict=True)]
    assert effect[0].nonzero().flatten().tolist() == [20]
    assert effect[1].nonzero().flatten().tolist() == list(range(20, ids.shape[1]))
