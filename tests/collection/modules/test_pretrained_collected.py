"""Statistics of models of images and sounds of transformers, against the same statistics computed at once."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import pretrained_folders

from glasso_cli.artifacts import ActivationStats
from glasso_cli.collection.modules.run import collect_arrays_to_disk
from glasso_cli.config import CollectSection
from glasso_cli.console import PythonWarnings
from glasso_cli.corpora.arrays import ArrayCorpus
from glasso_cli.errors import InputError
from glasso_cli.models.modules.network import ModuleNetwork
from glasso_cli.models.modules.pretrained import load_pretrained

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((24, 3, 32, 32)).astype(np.float32)
SOUNDS = [RNG.standard_normal(200 + 20 * (index % 5)).astype(np.float32) for index in range(24)]


def collect(network: ModuleNetwork, items: Any, *points: str, folder: Path, **settings: Any) -> ActivationStats:
    settings = {"mask": {"massive": None}, "blocks": 4, **settings}
    section = CollectSection.model_validate({"hook_points": list(points), **settings})
    folder.mkdir(exist_ok=True)
    corpus = ArrayCorpus(list(items), np.arange(len(items)), None, network.prepare)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stats, stored = collect_arrays_to_disk(
            network, corpus, section, folder, name="x", seed=0, reporter=PythonWarnings()
        )
    return replace(stats, moments=np.stack([np.asarray(part) for part in stored["moments"].chunks()]))


def seen(network: ModuleNetwork, path: str, inputs: torch.Tensor) -> np.ndarray:
    """What the module at ``path`` reads."""
    kept: list[torch.Tensor] = []
    handle = network.module.get_submodule(path).register_forward_pre_hook(lambda _, args: kept.append(args[0]))
    with torch.no_grad():
        network.module(inputs)
    handle.remove()
    return np.asarray(kept[0])


@pytest.fixture
def vit(tmp_path: Path) -> ModuleNetwork:
    return load_pretrained(str(pretrained_folders.vit(tmp_path / "vit")))


@pytest.mark.slow
def test_patches_are_samples_and_the_class_token_is_special(vit: ModuleNetwork, tmp_path: Path) -> None:
    stats = collect(vit, IMAGES, "mlp.1", folder=tmp_path / "a", lags=2)
    read = seen(vit, "vit.layers.1.mlp.fc2", torch.from_numpy(IMAGES))
    patches = read[:, 1:].reshape(-1, 48)
    assert stats.metrics.tokens.special == 24
    assert stats.metrics.tokens.first == 0
    assert stats.metrics.tokens.kept == 24 * 16
    assert stats.metrics.model.kind == "image"
    assert stats.metrics.sample == "sample"
    assert str(stats.neuron_ids[0]) == "layers.1.mlp[0]"
    np.testing.assert_allclose(stats.covariance(), np.cov(patches.T, bias=True), atol=1e-5)
    # Lag (0, 1): the patch beside it, which 12 of 16 patches have.
    centred = (patches - patches.mean(0)).reshape(24, 4, 4, 48)
    beside = (centred[:, :, :-1] * centred[:, :, 1:]).sum((0, 1, 2)) / (centred**2).sum((0, 1, 2))
    np.testing.assert_allclose(stats.autocorrelation[:, 0], beside / np.sqrt(12 / 16), atol=1e-4)


@pytest.mark.slow
def test_contexts_show_the_patch_of_a_token(vit: ModuleNetwork, tmp_path: Path) -> None:
    """A token's patch has eight pixels along each side, and the crop is the image around it."""
    stats = collect(vit, IMAGES, "mlp.1", folder=tmp_path / "a")
    assert stats.crops is not None
    assert (stats.crops.kind, stats.crops.mark) == ("image", "patch")
    read = seen(vit, "vit.layers.1.mlp.fc2", torch.from_numpy(IMAGES))[:, 1:, 5]
    image, patch = np.unravel_index(int(read.argmax()), read.shape)
    sample, document = int(stats.top_tokens[5, 0, 0]), int(stats.top_documents[5, 0])
    box = stats.crops.box(sample, 5)
    assert box is not None
    row, column = divmod(int(patch), 4)
    assert document == image
    assert (box[2] - box[0], box[3] - box[1]) == (8, 8)
    assert stats.crops.sizes[stats.crops.of[sample]].tolist() == [32, 32]
    assert box[:2] == (8 * row, 8 * column)


@pytest.mark.slow
def test_the_class_token_counts_where_the_mask_says_so(vit: ModuleNetwork, tmp_path: Path) -> None:
    stats = collect(vit, IMAGES, "mlp.1", folder=tmp_path / "a", mask={"special": False, "massive": None})
    tokens = seen(vit, "vit.layers.1.mlp.fc2", torch.from_numpy(IMAGES)).reshape(-1, 48)
    assert stats.metrics.tokens.kept == 24 * 17
    np.testing.assert_allclose(stats.covariance(), np.cov(tokens.T, bias=True), atol=1e-5)


@pytest.mark.slow
def test_the_mean_over_an_image_leaves_the_class_token_out(vit: ModuleNetwork, tmp_path: Path) -> None:
    stats = collect(vit, IMAGES, "mlp.0", "resid.1", folder=tmp_path / "a", positions="mean")
    values = seen(vit, "vit.layers.0.mlp.fc2", torch.from_numpy(IMAGES))[:, 1:].mean(1)
    assert stats.n_tokens == 24
    np.testing.assert_allclose(stats.covariance()[:48, :48], np.cov(values.T, bias=True), atol=1e-5)


@pytest.mark.slow
def test_other_orders_and_turned_signs_change_nothing_else(vit: ModuleNetwork, tmp_path: Path) -> None:
    first = collect(vit, IMAGES, "head.0.1", folder=tmp_path / "a")
    second = collect(vit, IMAGES, "head.0", folder=tmp_path / "b")
    assert list(first.neuron_ids) == list(second.neuron_ids[16:])
    np.testing.assert_allclose(first.covariance(), second.covariance()[16:, 16:], atol=1e-6)


@pytest.mark.slow
def test_the_network_with_fresh_weights_reads_the_same_patches(vit: ModuleNetwork, tmp_path: Path) -> None:
    stats = collect(vit, IMAGES, "mlp.1", folder=tmp_path / "a", null="reinitialised")
    assert stats.metrics.fresh_network is not None
    np.testing.assert_array_equal(stats.fresh_counts, stats.counts)


@pytest.mark.slow
def test_steps_of_recordings_of_different_lengths_are_samples(tmp_path: Path) -> None:
    network = load_pretrained(str(pretrained_folders.wav2vec(tmp_path / "model")))
    stats = collect(network, SOUNDS, "mlp.1", folder=tmp_path / "a", lags=3)
    assert network.prepare is not None
    rows = [
        seen(network, "encoder.layers.1.feed_forward.output_dense", torch.from_numpy(network.prepare(sound))[None])[0]
        for sound in SOUNDS
    ]
    values = np.concatenate([row[1:] for row in rows])
    assert stats.metrics.tokens.first == 24
    assert stats.metrics.tokens.kept == len(values)
    np.testing.assert_allclose(stats.covariance(), np.cov(values.T, bias=True), atol=1e-5)
    centred = [row[1:] - values.mean(0) for row in rows]
    pairs = sum(len(row) - 1 for row in centred)
    after = sum((row[:-1] * row[1:]).sum(0) for row in centred) / sum((row**2).sum(0) for row in centred)
    np.testing.assert_allclose(stats.autocorrelation[:, 0], after * np.sqrt(len(values) / pairs), atol=1e-3)


@pytest.mark.slow
def test_neurons_of_a_convolutional_network_lie_on_its_grid(tmp_path: Path) -> None:
    network = load_pretrained(str(pretrained_folders.convnext(tmp_path / "model")))
    stats = collect(network, IMAGES, "mlp.1", folder=tmp_path / "a", mask={"massive": None, "border": 0})
    assert stats.metrics.tokens.kept == 24 * 64
    read = seen(network, "convnext.encoder.stages.1.layers.0.pwconv2", torch.from_numpy(IMAGES))
    np.testing.assert_allclose(stats.covariance(), np.cov(read.reshape(-1, 64).T, bias=True), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "settings", "words"),
    [
        ("mixer.0", {}, "is for language models"),
        ("mlp.7", {}, "this model has layers 0 to 1"),
        ("head.0.9", {}, "layer 0 has heads 0 to 1"),
        ("mlp.0", {"mask": {"border": 1}}, "collect.mask.border has no effect"),
    ],
)
def test_what_a_vision_transformer_has_not_is_refused(
    vit: ModuleNetwork, point: str, settings: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        collect(vit, IMAGES, point, folder=tmp_path / "a", **settings)


@pytest.mark.slow
def test_documents_of_two_sizes_are_refused_where_tokens_have_places(tmp_path: Path) -> None:
    from transformers import PvtV2Config, PvtV2Model

    sizes: dict[str, Any] = {"num_encoder_blocks": 2, "depths": [1, 1], "hidden_sizes": [8, 16], "sr_ratios": [2, 1]}
    more: dict[str, Any] = {
        "num_attention_heads": [1, 2], "mlp_ratios": [2, 2], "patch_sizes": [7, 3], "strides": [4, 2]
    }  # fmt: skip
    PvtV2Model(PvtV2Config(image_size=32, **sizes, **more)).save_pretrained(tmp_path / "model")
    network = load_pretrained(str(tmp_path / "model"))
    images = [*IMAGES[:5], RNG.standard_normal((3, 64, 64)).astype(np.float32), *IMAGES[5:]]
    with pytest.raises(InputError, match=r"has 256 tokens at .* and the first one has 64"):
        collect(network, images, "mlp.0", folder=tmp_path / "a", batch_tokens=16)


@pytest.mark.slow
def test_special_tokens_of_a_sound_are_masked(tmp_path: Path) -> None:
    from transformers import ASTConfig, ASTModel

    model = ASTModel(ASTConfig(num_mel_bins=16, max_length=32, patch_size=8, **pretrained_folders.SIZES))
    model.save_pretrained(tmp_path / "model")
    network = load_pretrained(str(tmp_path / "model"))
    features = [RNG.standard_normal((32, 16)).astype(np.float32) for _ in range(20)]
    stats = collect(network, features, "mlp.1", folder=tmp_path / "a")
    assert stats.metrics.tokens.special == 40
    with pytest.raises(InputError, match="fails on a batch"):
        collect(network, [*features, features[0][:24]], "mlp.1", folder=tmp_path / "b")


@pytest.mark.slow
def test_a_network_without_a_stack_says_what_can_be_read(tmp_path: Path) -> None:
    from transformers import MobileNetV1Config, MobileNetV1Model

    MobileNetV1Model(MobileNetV1Config(image_size=32)).save_pretrained(tmp_path / "model")
    network = load_pretrained(str(tmp_path / "model"))
    with pytest.raises(InputError, match="has no list of layers") as caught:
        collect(network, IMAGES, "mlp.0", folder=tmp_path / "a")
    assert "conv.N" in caught.value.hint
