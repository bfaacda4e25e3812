"""Models of images and sounds from folders in the hub's format: what is loaded, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support import pretrained_folders
from transformers import AutoModel, AutoModelForImageClassification, BertConfig, BertForMaskedLM

from glasso_cli.collection.modules.windows import batch_of
from glasso_cli.errors import InputError
from glasso_cli.models.load import load_model
from glasso_cli.models.modules.pretrained import load_pretrained

Make = Callable[[Path], Path]
RNG = np.random.default_rng(0)


@pytest.mark.slow
def test_the_class_that_was_saved_is_loaded_with_its_weights(tmp_path: Path) -> None:
    folder = pretrained_folders.vit(tmp_path)
    network = load_pretrained(str(folder))
    assert network.kind == "image"
    assert network.n_layers == 2
    assert network.layer_of("vit.layers.1.attention") == 1
    assert network.layer_of("vit.embeddings") is None
    images = [torch.randn(3, 32, 32) for _ in range(2)]
    whole = AutoModelForImageClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        torch.testing.assert_close(network.run(batch_of(images)).logits, whole(torch.stack(images)).logits)


@pytest.mark.slow
def test_images_are_prepared_as_the_folder_says(tmp_path: Path) -> None:
    network = load_pretrained(str(pretrained_folders.vit(tmp_path)))
    assert network.prepare is not None
    image = Image.fromarray(RNG.integers(0, 256, (40, 64, 3), dtype=np.uint8))
    made = network.prepare(image)
    resized = np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR), dtype=np.float32).transpose(2, 0, 1)
    np.testing.assert_allclose(made, (resized / 255 - 0.5) / 0.5, atol=1e-5)
    pixels = RNG.standard_normal((3, 32, 32))
    assert network.prepare(pixels) is pixels
    assert any("height 32 width 32, mean 0.5 0.5 0.5" in note for note in network.notes)


@pytest.mark.slow
def test_recordings_are_prepared_as_the_folder_says(tmp_path: Path) -> None:
    network = load_pretrained(str(pretrained_folders.wav2vec(tmp_path)))
    assert network.kind == "audio"
    assert network.prepare is not None
    made = network.prepare(3 + 5 * RNG.standard_normal(500).astype(np.float32))
    assert made.shape == (500,)
    np.testing.assert_allclose([made.mean(), made.std()], [0, 1], atol=1e-3)


@pytest.mark.slow
def test_without_a_preparation_it_says_so(tmp_path: Path) -> None:
    folder = pretrained_folders.registers(tmp_path)
    network = load_pretrained(str(folder))
    assert network.prepare is None
    assert any("has no preprocessor_config.json" in note for note in network.notes)


@pytest.mark.slow
def test_of_an_encoder_decoder_of_sounds_the_encoder_is_read(tmp_path: Path) -> None:
    folder = pretrained_folders.whisper(tmp_path)
    network = load_pretrained(str(folder))
    assert type(network.module).__name__ == "WhisperEncoder"
    assert network.n_layers == 2
    assert any("only the encoder" in note for note in network.notes)
    features = [torch.randn(16, 32)]
    whole: Any = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = whole.get_encoder()(features[0][None]).last_hidden_state
        torch.testing.assert_close(network.run(batch_of(features)).last_hidden_state, expected)


@pytest.mark.slow
def test_a_pooler_that_was_not_saved_is_no_fault_and_a_layer_is(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = pretrained_folders.vit(tmp_path)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["architectures"] = ["ViTForMaskedImageModeling"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert any("lacks 'pooler" in note for note in load_pretrained(str(folder)).notes)
    weights = load_file(folder / "model.safetensors")
    weights = {name: weight for name, weight in weights.items() if ".1." not in name}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lacks \d+ of the weights of 'ViTModel'"):
        load_pretrained(str(folder))


@pytest.mark.slow
def test_documents_of_another_kind_are_refused(tmp_path: Path) -> None:
    image = str(pretrained_folders.vit(tmp_path / "image"))
    sound = str(pretrained_folders.wav2vec(tmp_path / "sound"))
    text = tmp_path / "text"
    torch.manual_seed(0)
    BertForMaskedLM(BertConfig(vocab_size=60, **pretrained_folders.SIZES)).save_pretrained(text)
    with pytest.raises(InputError, match="reads sounds, not images"):
        load_pretrained(sound, reads="images")
    with pytest.raises(InputError, match="which reads neither images nor sounds") as caught:
        load_pretrained(str(text), reads="images")
    assert "Give texts" in caught.value.hint
    with pytest.raises(InputError, match="float32, not in bfloat16"):
        load_pretrained(image, dtype="bfloat16")
    with pytest.raises(InputError, match="spreads language models only"):
        load_pretrained(image, device_map="auto")
    (tmp_path / "image" / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="no language model") as caught:
        load_model(image)
    assert caught.value.hint == "It reads images: give images or arrays in corpora."


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("preprocessor_config.json", "{", "preprocessor_config.json of .* cannot be used"),
        ("config.json", "{}", "names no model_type"),
        ("config.json", '{"model_type": "vit", "hidden_size": 64}', "do not fit its config.json"),
        ("config.json", '{"model_type": "vit", "quantization_config": {"a": 1}}', "quantised"),
    ],
)
def test_a_damaged_folder_is_refused(name: str, text: str, words: str, tmp_path: Path) -> None:
    folder = pretrained_folders.vit(tmp_path)
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        load_pretrained(str(folder))


@pytest.mark.slow
def test_weights_that_are_a_pickle_are_refused(tmp_path: Path) -> None:
    folder = pretrained_folders.vit(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="no safetensors weights"):
        load_pretrained(str(folder))


@pytest.mark.slow
def test_a_model_of_images_without_a_tokenizer_is_no_language_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no language model"):
        load_model(str(pretrained_folders.vit(tmp_path)))


@pytest.mark.slow
def test_what_the_model_says_of_a_shape_comes_with_the_shape_it_reads(tmp_path: Path) -> None:
    network = load_pretrained(str(pretrained_folders.vit(tmp_path)), prepares=False)
    assert network.prepare is None
    with pytest.raises(InputError, match=r"16\*16.* doesn't match model") as caught, network.errors():
        network.run(batch_of([torch.zeros(3, 16, 16)]))
    assert "(channels, height, width)" in caught.value.hint
