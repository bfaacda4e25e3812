"""Dictionaries of sparsify are read as that library means them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries.registry import detect, load_dictionary

Arrays = dict[str, np.ndarray]


@pytest.fixture
def sparsify(folder: Callable[..., Path], random_weights: Callable[..., Arrays]) -> Callable[..., tuple[Path, Arrays]]:
    def written(name: str = "layers.9", **changes: Any) -> tuple[Path, Arrays]:
        w = random_weights()
        arrays = {
            **{"encoder.weight": w["W_enc"].T, "encoder.bias": w["b_enc"], "W_dec": w["W_dec"], "b_dec": w["b_dec"]},
            **({"W_skip": w["W_skip"]} if changes.get("skip_connection") else {}),
        }
        settings = {
            **{"activation": "topk", "expansion_factor": 32, "normalize_decoder": True, "num_latents": 40, "k": 6},
            **{"multi_topk": False, "skip_connection": False, "transcode": False, "d_in": 12},
            **changes,
        }
        return folder(("cfg.json", settings), "sae.safetensors", arrays, name), w

    return written


@pytest.mark.parametrize("transcode", [False, True])
@pytest.mark.parametrize("skip", [False, True])
def test_latents_and_reconstruction_follow_the_formula(
    sparsify: Callable[..., tuple[Path, Arrays]], rng: np.random.Generator, transcode: bool, skip: bool
) -> None:
    path, w = sparsify(transcode=transcode, skip_connection=skip)
    assert detect(path) == "sparsify"
    x = rng.normal(size=(40, 12))
    y = x if transcode else x - w["b_dec"]
    pre = np.maximum(y @ w["W_enc"] + w["b_enc"], 0)
    z = np.where(pre >= np.sort(pre, axis=1)[:, [-6]], pre, 0)
    out = z @ w["W_dec"] + w["b_dec"] + (x @ w["W_skip"].T if skip else 0)
    dictionary = load_dictionary(path)
    found = torch.from_numpy(x.astype(np.float32))
    np.testing.assert_allclose(dictionary.encode(found).numpy(), z, atol=2e-5)
    np.testing.assert_allclose(dictionary.reconstruct(found).numpy(), out, atol=2e-4)


def test_the_folder_names_the_hook_point(sparsify: Callable[..., tuple[Path, Arrays]]) -> None:
    assert load_dictionary(sparsify("layers.9")[0]).hook_in.point == "resid.9"
    assert load_dictionary(sparsify("layers.9.mlp")[0]).hook_in.point == "*layers.9.mlp:out"
    transcoder = load_dictionary(sparsify("layers.9.mlp", transcode=True)[0])
    assert (transcoder.hook_in.point, transcoder.hook_out.point) == ("*layers.9.mlp:in", "*layers.9.mlp:out")
    assert load_dictionary(sparsify("run")[0], hook_in="resid.3").hook_out.point == "resid.3"


def test_older_files_give_an_expansion_factor_only(sparsify: Callable[..., tuple[Path, Arrays]]) -> None:
    with pytest.raises(InputError, match=r"encoder\.weight .* \(384, 12\)"):
        load_dictionary(sparsify(num_latents=0)[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": "groupmax"}, "activation 'groupmax'"),
        ({"embed_skip": True}, "sets embed_skip"),
        ({"signed": True}, "sets signed"),
        ({"k": 0}, "k as 0"),
        ({"skip_connection": None, "d_in": 11}, r"encoder\.weight"),
    ],
)
def test_what_would_be_another_formula_is_refused(
    sparsify: Callable[..., tuple[Path, Arrays]], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load_dictionary(sparsify(**changes)[0])
