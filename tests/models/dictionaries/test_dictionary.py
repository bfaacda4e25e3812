"""A dictionary in memory: chunks, sparse and dense latents, what the reconstruction needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries import dictionary as module
from glasso_cli.models.dictionaries.dictionary import Dictionary
from glasso_cli.models.dictionaries.latents import from_dense

Arrays = dict[str, np.ndarray]
ACTIVATIONS = ("relu", "topk", "jumprelu", "gated")


@pytest.fixture
def made(random_weights: Callable[..., Arrays]) -> Callable[..., Dictionary]:
    def dictionary(activation: str, **changes: Any) -> Dictionary:
        w = {name: torch.from_numpy(value) for name, value in random_weights().items()}
        own: dict[str, dict[str, Any]] = {
            "topk": {"k": 6},
            "jumprelu": {"threshold": w["threshold"]},
            "gated": {"r_mag": w["r_mag"], "b_mag": w["b_mag"]},
        }
        fields: dict[str, Any] = {name: w[name] for name in ("W_enc", "b_enc", "W_dec", "b_dec")}
        fields |= {"activation": activation, **own.get(activation, {}), **changes}
        return Dictionary(source="made", **fields)

    return dictionary


@pytest.fixture
def x(rng: np.random.Generator) -> torch.Tensor:
    return torch.from_numpy(rng.normal(size=(23, 12)).astype(np.float32))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_chunks_of_tokens_and_latents_change_nothing(
    made: Callable[..., Dictionary], x: torch.Tensor, monkeypatch: pytest.MonkeyPatch, activation: str
) -> None:
    dictionary = made(activation)
    whole = dictionary.encode(x)
    monkeypatch.setattr(module, "ROWS", 5)
    monkeypatch.setattr(module, "LATENTS", 7)
    torch.testing.assert_close(dictionary.encode(x), whole, rtol=1e-5, atol=1e-6)
    assert torch.equal(dictionary.encode_sparse(x).dense(), dictionary.encode(x))
    assert torch.equal(dictionary.encode(x), dictionary.encode(x))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_sparse_latents_are_the_dense_ones(made: Callable[..., Dictionary], x: torch.Tensor, activation: str) -> None:
    dictionary = made(activation)
    dense, sparse = dictionary.encode(x), dictionary.encode_sparse(x)
    assert torch.equal(sparse.dense(), dense)
    assert bool((sparse.values > 0).all())
    np.testing.assert_array_equal(sparse.matrix().toarray(), dense.double().numpy())
    again = from_dense(dense)
    assert torch.equal(again.columns, sparse.columns)
    assert torch.equal(again.starts, sparse.starts)
    torch.testing.assert_close(dictionary.decode(sparse), dictionary.decode(dense), rtol=1e-4, atol=1e-4)


def test_topk_keeps_at_most_k(made: Callable[..., Dictionary], x: torch.Tensor) -> None:
    dictionary = made("topk")
    assert int((dictionary.encode(x) > 0).sum(1).max()) == 6
    quiet = replace(dictionary, b_enc=dictionary.b_enc - 100)
    assert len(quiet.encode_sparse(x).columns) == 0
    torch.testing.assert_close(quiet.reconstruct(x), quiet.b_dec.expand(23, -1))
    all_of_them = replace(dictionary, k=1000)
    torch.testing.assert_close(all_of_them.encode(x), replace(dictionary, activation="relu").encode(x))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_tokens_give_no_latents(made: Callable[..., Dictionary], activation: str) -> None:
    nothing = torch.zeros(0, 12)
    dictionary = made(activation)
    assert dictionary.encode(nothing).shape == (0, 40)
    assert len(dictionary.encode_sparse(nothing)) == 0
    assert dictionary.reconstruct(nothing).shape == (0, 12)


@pytest.mark.parametrize("changes", [{"normalisation": "layer_norm"}, {"centre": True}])
def test_a_reconstruction_that_depends_on_the_input_asks_for_it(
    made: Callable[..., Dictionary], x: torch.Tensor, changes: dict[str, Any]
) -> None:
    dictionary = made("relu", **changes)
    with pytest.raises(ValueError, match="give them as x"):
        dictionary.decode(dictionary.encode(x))
    torch.testing.assert_close(
        dictionary.decode(dictionary.encode(x), x), dictionary.reconstruct(x), rtol=1e-4, atol=1e-4
    )


def test_a_transcoder_keeps_the_scale_of_its_output(made: Callable[..., Dictionary], x: torch.Tensor) -> None:
    dictionary = made("relu", transcoder=True, normalisation="layer_norm")
    z = dictionary.encode(x)
    torch.testing.assert_close(dictionary.decode(z), z @ dictionary.W_dec + dictionary.b_dec)


def test_centring_makes_the_latents_blind_to_the_mean(made: Callable[..., Dictionary], x: torch.Tensor) -> None:
    dictionary = made("relu", centre=True)
    shift = torch.linspace(-3, 3, 23)[:, None]
    torch.testing.assert_close(dictionary.encode(x + shift), dictionary.encode(x), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        dictionary.reconstruct(x + shift), dictionary.reconstruct(x) + shift, rtol=1e-4, atol=1e-4
    )


def test_a_scale_is_the_folded_weights(made: Callable[..., Dictionary], x: torch.Tensor) -> None:
    plain = made("jumprelu")
    folded = replace(plain, W_enc=plain.W_enc * 3, W_dec=plain.W_dec / 3, b_dec=plain.b_dec / 3)
    scaled = plain.scaled(3.0)
    torch.testing.assert_close(scaled.encode(x), folded.encode(x), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(scaled.reconstruct(x), folded.reconstruct(x), rtol=1e-4, atol=1e-4)


def test_a_token_of_zeros_has_no_norm_to_rescale(made: Callable[..., Dictionary]) -> None:
    dictionary = made("relu", normalisation="constant_norm_rescale")
    assert bool(dictionary.reconstruct(torch.zeros(3, 12)).isfinite().all())


@pytest.mark.parametrize("shape", [(5, 11), (12,), (2, 5, 12)])
def test_activations_of_another_shape_are_refused(made: Callable[..., Dictionary], shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="reads 12 coordinates"):
        made("relu").encode(torch.zeros(shape))


def test_a_sample_of_zeros_gives_no_scale(made: Callable[..., Dictionary]) -> None:
    with pytest.raises(InputError, match="mean norm"):
        made("relu").scaled_to(torch.zeros(4, 12))


def test_other_dtypes_are_encoded_in_float32(made: Callable[..., Dictionary], x: torch.Tensor) -> None:
    dictionary = made("relu").on("cpu")
    assert dictionary.encode(x.to(torch.bfloat16)).dtype == torch.float32
    torch.testing.assert_close(dictionary.encode(x.double()), dictionary.encode(x))
