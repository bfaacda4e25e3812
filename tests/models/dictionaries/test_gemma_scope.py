"""Dictionaries of Gemma Scope: tensors from the file, the rest from the path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries.registry import detect, load_dictionary

Arrays = dict[str, np.ndarray]
NAMES = ("W_enc", "W_dec", "b_enc", "b_dec", "threshold")


@pytest.fixture
def written(folder: Callable[..., Path], random_weights: Callable[..., Arrays]) -> Callable[..., tuple[Path, Arrays]]:
    def made(release: str = "gemma-scope-2b-pt-res", place: str = "layer_20") -> tuple[Path, Arrays]:
        w = random_weights()
        name = f"{release}/{place}/width_16k/average_l0_71"
        return folder(None, "params.npz", {key: w[key] for key in NAMES}, name), w

    return made


def test_latents_and_reconstruction_follow_the_formula(
    written: Callable[..., tuple[Path, Arrays]], rng: np.random.Generator
) -> None:
    path, w = written()
    assert detect(path) == "Gemma Scope"
    dictionary = load_dictionary(path)
    x = rng.normal(size=(50, 12))
    pre = x @ w["W_enc"] + w["b_enc"]
    z = (pre > w["threshold"]) * np.maximum(pre, 0)
    found = torch.from_numpy(x.astype(np.float32))
    np.testing.assert_allclose(dictionary.encode(found).numpy(), z, atol=2e-5)
    np.testing.assert_allclose(dictionary.reconstruct(found).numpy(), z @ w["W_dec"] + w["b_dec"], atol=2e-4)


@pytest.mark.parametrize(
    ("release", "point", "model"),
    [
        ("gemma-scope-2b-pt-res", "resid.20", "google/gemma-2-2b"),
        ("models--google--gemma-scope-9b-it-res", "resid.20", "google/gemma-2-9b-it"),
        ("gemma-scope-2b-pt-mlp", "*.20.post_feedforward_layernorm:out", "google/gemma-2-2b"),
        ("gemma-scope-2b-pt-att", None, "google/gemma-2-2b"),
        ("somewhere", None, None),
    ],
)
def test_the_path_names_the_hook_point(
    written: Callable[..., tuple[Path, Arrays]], release: str, point: str | None, model: str | None
) -> None:
    dictionary = load_dictionary(written(release)[0])
    assert (dictionary.hook_in.point, dictionary.model) == (point, model)
    assert dictionary.claims.l0 == 71
    assert not dictionary.transcoder


def test_a_transcoder_predicts_another_hook_point(written: Callable[..., tuple[Path, Arrays]]) -> None:
    dictionary = load_dictionary(written("gemma-scope-2b-pt-transcoders")[0])
    assert dictionary.transcoder
    assert dictionary.hook_in.given == "blocks.20.ln2.hook_normalized"
    assert dictionary.hook_out.point == "*.20.post_feedforward_layernorm:out"


def test_dictionaries_of_the_embeddings_are_refused(written: Callable[..., tuple[Path, Arrays]]) -> None:
    with pytest.raises(InputError, match="of the embeddings"):
        load_dictionary(written(place="embedding")[0])


def test_small_letters_are_read_too(folder: Callable[..., Path], random_weights: Callable[..., Arrays]) -> None:
    w = random_weights()
    path = folder(None, "params.npz", {key.lower(): w[key] for key in NAMES})
    np.testing.assert_array_equal(load_dictionary(path).W_enc.numpy(), w["W_enc"])
