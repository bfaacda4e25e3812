"""Dictionaries of dictionary_learning are read as that library means them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries.dictionary import Claims
from glasso_cli.models.dictionaries.dictionary_learning import CLASSES
from glasso_cli.models.dictionaries.registry import detect, load_dictionary

Arrays = dict[str, np.ndarray]
Written = Callable[..., tuple[Path, Arrays]]

K, THRESHOLD = 4, 1.5


def state_dict(name: str, w: Arrays) -> Arrays:
    """The tensors of a class under its own names and in its own shapes."""
    linear = {"encoder.weight": w["W_enc"].T, "decoder.weight": w["W_dec"].T}
    plain = {key: w[key] for key in ("W_enc", "b_enc", "W_dec", "b_dec")}
    batch = {"k": np.array(K, np.int32), "threshold": np.array(THRESHOLD, np.float32)}
    return {
        "AutoEncoder": {"bias": w["b_dec"], "encoder.bias": w["b_enc"], **linear},
        "AutoEncoderNew": {"decoder.bias": w["b_dec"], "encoder.bias": w["b_enc"], **linear},
        "GatedAutoEncoder": {
            **{"decoder_bias": w["b_dec"], "r_mag": w["r_mag"], "gate_bias": w["b_gate"], "mag_bias": w["b_mag"]},
            **linear,
        },
        "JumpReluAutoEncoder": {**plain, "threshold": w["threshold"]},
        "AutoEncoderTopK": {"b_dec": w["b_dec"], "encoder.bias": w["b_enc"], **linear, **batch},
        "BatchTopKSAE": {"b_dec": w["b_dec"], "encoder.bias": w["b_enc"], **linear, **batch},
        "MatryoshkaBatchTopKSAE": {**plain, **batch, "group_sizes": np.array([10, 30])},
    }[name]


def formula(name: str, w: Arrays, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Latents and reconstruction of a class in float64."""
    w = {key: value.astype(np.float64) for key, value in w.items()}
    y = x if name in ("AutoEncoderNew", "JumpReluAutoEncoder") else x - w["b_dec"]
    linear = y @ w["W_enc"]
    norm = np.ones(len(w["W_dec"]))
    if name == "GatedAutoEncoder":
        z = (linear + w["b_gate"] > 0) * np.maximum(np.exp(w["r_mag"]) * linear + w["b_mag"], 0)
        norm = np.linalg.norm(w["W_dec"], axis=1)
    else:
        pre = linear + w["b_enc"]
        z = np.maximum(pre, 0)
        if name == "JumpReluAutoEncoder":
            z = z * (pre > w["threshold"])
            norm = np.linalg.norm(w["W_dec"], axis=1)
        elif name == "AutoEncoderTopK":
            z = np.where(z >= np.sort(z, axis=1)[:, [-K]], z, 0)
        elif "BatchTopK" in name:
            z = z * (z > THRESHOLD)
    return z * norm, z @ w["W_dec"] + w["b_dec"]


@pytest.fixture
def written(folder: Callable[..., Path], random_weights: Callable[..., Arrays]) -> Written:
    def made(name: str = "AutoEncoder", prefix: str = "", **changes: Any) -> tuple[Path, Arrays]:
        w = random_weights()
        trainer = {
            **{"dict_class": name, "activation_dim": 12, "dict_size": 40, "lm_name": "EleutherAI/pythia-70m-deduped"},
            **{"layer": 3, "submodule_name": "resid_post_layer_3", "k": K},
            **{key: value for key, value in changes.items() if key not in ("buffer", "arrays")},
        }
        settings = {"trainer": trainer, "buffer": changes.get("buffer", {"io": "out", "ctx_len": 128})}
        arrays = changes.get("arrays", state_dict(name, w) if name in CLASSES else {"bias": w["b_dec"]})
        return folder(("config.json", settings), "ae.pt", {prefix + key: v for key, v in arrays.items()}), w

    return made


@pytest.mark.parametrize("prefix", ["", "_orig_mod."])
@pytest.mark.parametrize("name", CLASSES)
def test_latents_and_reconstruction_follow_the_formula(
    written: Written, rng: np.random.Generator, name: str, prefix: str
) -> None:
    path, w = written(name, prefix)
    assert detect(path) == "dictionary_learning"
    dictionary = load_dictionary(path)
    x = rng.normal(size=(50, 12)).astype(np.float32)
    z, out = formula(name, w, x.astype(np.float64))
    np.testing.assert_allclose(dictionary.encode(torch.from_numpy(x)).numpy(), z, atol=1e-4)
    np.testing.assert_allclose(dictionary.reconstruct(torch.from_numpy(x)).numpy(), out, atol=2e-4)
    assert dictionary.hook_in.point == "resid.3"
    assert dictionary.claims.fvu is None


def test_what_the_library_measured_is_the_claim(written: Written) -> None:
    path, _ = written()
    (path / "eval_results.json").write_text(json.dumps({"l0": 41.5, "frac_variance_explained": 0.875}))
    claims = load_dictionary(path).claims
    assert (claims.fvu, claims.l0) == (0.125, 41.5)
    for text in ('{"frac_variance_explained": NaN}', '{"frac_variance_explained": 1.5}', '{"l0": "many"}', "{}"):
        (path / "eval_results.json").write_text(text)
        assert load_dictionary(path).claims == Claims()


def test_an_unknown_submodule_has_no_hook_point(written: Written) -> None:
    assert load_dictionary(written(submodule_name="attn_3")[0]).hook_in.point is None
    assert load_dictionary(written(buffer={"io": "in"})[0]).hook_in.point is None
    assert load_dictionary(written(submodule_name=None)[0], hook_in="resid.3").hook_in.point == "resid.3"


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("CrossCoder", {}, "class 'CrossCoder'"),
        ("AutoEncoder", {"buffer": {"io": "in_and_out"}}, "from the input to the output"),
        ("AutoEncoder", {"dict_size": 41}, "dict_size as 41"),
        ("AutoEncoderTopK", {"k": 9}, "k as 9"),
        ("AutoEncoderTopK", {"k": None}, "k as None"),
    ],
)
def test_what_does_not_fit_is_refused(written: Written, name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_dictionary(written(name, **changes)[0])


def test_a_batch_top_k_without_its_threshold_is_refused(
    written: Written, random_weights: Callable[..., Arrays]
) -> None:
    arrays = state_dict("BatchTopKSAE", random_weights())
    arrays["threshold"] = np.array(-1.0, np.float32)
    with pytest.raises(InputError, match="no threshold for inference"):
        load_dictionary(written("BatchTopKSAE", arrays=arrays)[0])


def test_a_latent_without_a_direction_is_refused(written: Written, random_weights: Callable[..., Arrays]) -> None:
    arrays = state_dict("JumpReluAutoEncoder", random_weights())
    arrays["W_dec"][3] = 0
    with pytest.raises(InputError, match="1 latents whose decoder row is zero"):
        load_dictionary(written("JumpReluAutoEncoder", arrays=arrays)[0])
