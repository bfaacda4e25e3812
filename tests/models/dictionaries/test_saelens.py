"""Dictionaries of SAELens are read as that library means them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries.registry import detect, load_dictionary

Arrays = dict[str, np.ndarray]
Written = Callable[..., tuple[Path, Arrays]]

ARCHITECTURES = (
    *("standard", "topk", "jumprelu", "gated"),
    *("transcoder", "skip_transcoder", "jumprelu_transcoder", "jumprelu_skip_transcoder"),
)


def formula(
    w: Arrays, x: np.ndarray, architecture: str, normalisation: str, subtract: bool, k: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """Latents and reconstruction in float64, written out for one architecture and normalisation of SAELens."""
    w = {name: value.astype(np.float64) for name, value in w.items()}
    y, mean, std, factor = x, 0.0, 1.0, 1.0
    if normalisation == "layer_norm":
        mean = x.mean(1, keepdims=True)
        std = (x - mean).std(1, ddof=1, keepdims=True)
        y = (x - mean) / (std + 1e-5)
    elif normalisation == "constant_norm_rescale":
        factor = np.sqrt(x.shape[1]) / np.linalg.norm(x, axis=1, keepdims=True)
        y = x * factor
    transcoder = "transcoder" in architecture
    if subtract and not transcoder:
        y = y - w["b_dec"]
    if architecture == "gated":
        gate = y @ w["W_enc"] + w["b_gate"] > 0
        z = gate * np.maximum(y @ (w["W_enc"] * np.exp(w["r_mag"])) + w["b_mag"], 0)
    else:
        pre = y @ w["W_enc"] + w["b_enc"]
        z = np.maximum(pre, 0)
        if "jumprelu" in architecture:
            z = z * (pre > w["threshold"])
        if architecture == "topk":
            z = np.where(pre >= np.sort(pre, axis=1)[:, [-k]], z, 0)
    out = z @ w["W_dec"] + w["b_dec"]
    if not transcoder:
        out = (out * std + mean) / factor
    if "skip" in architecture:
        out = out + x @ w["W_skip"].T
    return z, out


@pytest.mark.parametrize("normalisation", ["none", "layer_norm", "constant_norm_rescale"])
@pytest.mark.parametrize("subtract", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_latents_and_reconstruction_follow_the_formula(
    saelens: Written, rng: np.random.Generator, architecture: str, normalisation: str, subtract: bool
) -> None:
    path, arrays = saelens(architecture, normalize_activations=normalisation, apply_b_dec_to_input=subtract)
    assert detect(path) == "SAELens"
    dictionary = load_dictionary(path)
    x = rng.normal(size=(50, 12)).astype(np.float32)
    z, out = formula(arrays, x.astype(np.float64), architecture, normalisation, subtract)
    found = dictionary.encode(torch.from_numpy(x))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), z, atol=2e-5)
    np.testing.assert_allclose(dictionary.reconstruct(torch.from_numpy(x)).numpy(), out, atol=2e-4)
    assert 0 < (z > 0).mean() < 0.9


def test_settings_of_older_versions_are_read(
    folder: Callable[..., Path], random_weights: Callable[..., Arrays], rng: np.random.Generator
) -> None:
    arrays = random_weights()
    kept = {name: arrays[name] for name in ("W_enc", "W_dec", "b_enc", "b_dec")}
    kept["scaling_factor"] = np.ones(40, np.float32)
    settings = {
        **{"d_in": 12, "d_sae": 40, "hook_point": "blocks.8.hook_resid_pre", "hook_point_head_index": None},
        **{"model_name": "gpt2-small", "normalize_activations": False, "dtype": "torch.float32"},
        **{"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 3}},
    }
    path = folder(("cfg.json", settings), "sae_weights.safetensors", kept)
    save_file({"sparsity": torch.full((40,), -3.0)}, path / "sparsity.safetensors")
    dictionary = load_dictionary(path)
    x = rng.normal(size=(30, 12)).astype(np.float32)
    z, _ = formula(kept, x.astype(np.float64), "topk", "none", True, k=3)
    np.testing.assert_allclose(dictionary.encode(torch.from_numpy(x)).numpy(), z, atol=2e-5)
    assert dictionary.hook_in.point == "resid.7"
    assert dictionary.hook_out == dictionary.hook_in


def test_a_scaling_factor_of_finetuning_is_in_the_decoder_alone(
    saelens: Written, folder: Callable[..., Path], rng: np.random.Generator
) -> None:
    path, arrays = saelens()
    plain = load_dictionary(path)
    factor = rng.uniform(0.5, 2.0, size=40).astype(np.float32)
    settings = json.loads((path / "cfg.json").read_text())
    other = folder(
        ("cfg.json", settings), "sae_weights.safetensors", {**arrays, "finetuning_scaling_factor": factor}, "tuned"
    )
    tuned = load_dictionary(other)
    x = torch.from_numpy(rng.normal(size=(20, 12)).astype(np.float32))
    z = plain.encode(x)
    torch.testing.assert_close(tuned.encode(x), z)
    torch.testing.assert_close(tuned.decode(z), plain.decode(z * torch.from_numpy(factor)))


def test_topk_over_rescaled_latents_selects_by_their_share_of_the_output(
    saelens: Written, rng: np.random.Generator
) -> None:
    path, w = saelens("topk", rescale_acts_by_decoder_norm=True)
    dictionary = load_dictionary(path)
    x = rng.normal(size=(30, 12))
    norm = np.linalg.norm(w["W_dec"].astype(np.float64), axis=1)
    pre = ((x - w["b_dec"]) @ w["W_enc"] + w["b_enc"]) * norm
    z = np.where(pre >= np.sort(pre, axis=1)[:, [-5]], np.maximum(pre, 0), 0)
    found = torch.from_numpy(x.astype(np.float32))
    np.testing.assert_allclose(dictionary.encode(found).numpy(), z, atol=1e-4)
    np.testing.assert_allclose(dictionary.reconstruct(found).numpy(), z / norm @ w["W_dec"] + w["b_dec"], atol=1e-4)


def test_a_scale_that_is_not_in_the_files_must_be_given(saelens: Written, rng: np.random.Generator) -> None:
    path, arrays = saelens(normalize_activations="expected_average_only_in")
    x = torch.from_numpy(rng.normal(size=(200, 12)).astype(np.float32) * 7)
    with pytest.raises(InputError, match="do not hold the scale"):
        load_dictionary(path).encode(x)
    scale = float(np.sqrt(12) / np.linalg.norm(x.double().numpy(), axis=1).mean())
    sampled = load_dictionary(path).scaled_to(x)
    assert sampled.scale == pytest.approx(scale)
    z, out = formula(arrays, x.double().numpy() * scale, "standard", "none", True)
    for dictionary in (sampled, load_dictionary(path, scale=scale)):
        np.testing.assert_allclose(dictionary.encode(x).numpy(), z, atol=1e-4)
        np.testing.assert_allclose(dictionary.reconstruct(x).numpy(), out / scale, atol=1e-3)


def test_a_transcoder_names_two_hook_points(saelens: Written) -> None:
    dictionary = load_dictionary(saelens("skip_transcoder")[0])
    assert dictionary.transcoder
    assert (dictionary.d_in, dictionary.width, dictionary.d_out) == (12, 40, 9)
    assert dictionary.hook_in.point == "resid.9"
    assert dictionary.hook_out.point == "*.9.mlp:out"
    assert load_dictionary(saelens("transcoder")[0], hook_out="h.9.mlp:out").hook_out.point == "h.9.mlp:out"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "matching_pursuit"}, "architecture 'matching_pursuit'"),
        ({"architecture": "batchtopk"}, "architecture 'batchtopk'"),
        ({"normalize_activations": "l2"}, "normalisation 'l2'"),
        ({"activation_fn": "tanh-relu"}, "activation function 'tanh-relu'"),
        ({"d_sae": 41}, r"W_enc .* shape \(12, 40\)"),
        ({"d_in": None}, "d_in as None"),
        ({"d_in": "12"}, "d_in as '12'"),
        ({"metadata": {"hook_head_index": 3}}, "one head of attention"),
    ],
)
def test_what_would_be_another_formula_is_refused(saelens: Written, changes: dict[str, Any], message: str) -> None:
    path, _ = saelens()
    settings = json.loads((path / "cfg.json").read_text())
    (path / "cfg.json").write_text(json.dumps({**settings, **changes}))
    with pytest.raises(InputError, match=message) as caught:
        load_dictionary(path)
    assert caught.value.hint


def test_topk_without_k_is_refused(saelens: Written) -> None:
    with pytest.raises(InputError, match="k as None"):
        load_dictionary(saelens("topk", k=None)[0])
