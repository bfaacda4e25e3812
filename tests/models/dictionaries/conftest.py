"""Dictionaries written as their libraries write them, and the formulas of these libraries in float64."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from glasso_cli.models.dictionaries.dictionary import Dictionary

D, M = 12, 40  # coordinates, latents

Arrays = dict[str, np.ndarray]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def random_weights(rng: np.random.Generator) -> Callable[..., Arrays]:
    """Weights ``W_enc (d, m)`` and so on, and those of every kind of activation."""

    def made(d: int = D, m: int = M, d_out: int | None = None) -> Arrays:
        d_out = d if d_out is None else d_out
        shapes: dict[str, tuple[int, ...]] = {
            **{"W_enc": (d, m), "W_dec": (m, d_out), "b_dec": (d_out,), "W_skip": (d_out, d)},
            **dict.fromkeys(("b_enc", "b_gate", "b_mag", "r_mag"), (m,)),
        }
        arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
        arrays["r_mag"] *= 0.3
        arrays["threshold"] = rng.uniform(-0.5, 2.0, size=m).astype(np.float32)
        return arrays

    return made


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes a settings file and a file of tensors, in a folder with a name of its own."""

    def written(
        settings: tuple[str, dict[str, Any]] | None, weights: str, arrays: Arrays, name: str = "dictionary"
    ) -> Path:
        path = tmp_path / name
        path.mkdir(parents=True, exist_ok=True)
        if settings is not None:
            (path / settings[0]).write_text(json.dumps(settings[1]), encoding="utf-8")
        tensors = {key: torch.tensor(value).contiguous() for key, value in arrays.items()}
        if weights.endswith(".safetensors"):
            save_file(tensors, path / weights)
        elif weights.endswith(".pt"):
            torch.save(tensors, path / weights)
        else:
            np.savez(path / weights, allow_pickle=False, **arrays)
        return path

    return written


@pytest.fixture
def saelens(folder: Callable[..., Path], random_weights: Callable[..., Arrays]) -> Callable[..., tuple[Path, Arrays]]:
    """Writes a dictionary of SAELens 6 and returns its folder and its weights."""

    def written(architecture: str = "standard", *, name: str = "dictionary", **changes: Any) -> tuple[Path, Arrays]:
        transcoder = "transcoder" in architecture
        arrays = random_weights(d_out=9 if transcoder else None)
        names = ["W_enc", "W_dec", "b_dec"]
        names += ["b_gate", "b_mag", "r_mag"] if architecture == "gated" else ["b_enc"]
        names += ["threshold"] if "jumprelu" in architecture else []
        names += ["W_skip"] if "skip" in architecture else []
        settings = {
            **{"d_in": D, "d_sae": M, "dtype": "float32", "device": "cpu", "apply_b_dec_to_input": not transcoder},
            **{"normalize_activations": "none", "reshape_activations": "none", "architecture": architecture},
            "metadata": {
                **{"sae_lens_version": "6.12.1", "model_name": "gpt2", "hook_name": "blocks.9.hook_resid_post"},
                **({"hook_name_out": "blocks.9.hook_mlp_out"} if transcoder else {}),
            },
            **({"d_out": 9} if transcoder else {}),
            **({"k": 5} if architecture == "topk" else {}),
            **changes,
        }
        arrays = {key: arrays[key] for key in names}
        return folder(("cfg.json", settings), "sae_weights.safetensors", arrays, name), arrays

    return written


@pytest.fixture
def planted() -> Callable[..., tuple[Dictionary, torch.Tensor]]:
    """A dictionary that fits, and activations ``(n, d)`` that it explains nearly all of."""

    def made(n: int = 2000, d: int = 64, m: int = 96, seed: int = 3, **changes: Any) -> tuple[Dictionary, torch.Tensor]:
        random = np.random.default_rng(seed)
        directions = random.normal(size=(m, d))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        codes = random.uniform(2.0, 4.0, size=(n, m)) * (random.random((n, m)) < 0.02)
        offset = random.normal(size=d) * 2.0
        x = codes @ directions + offset + 0.05 * random.normal(size=(n, d))
        dictionary = Dictionary(
            source="planted",
            W_enc=torch.tensor(directions.T, dtype=torch.float32),
            b_enc=torch.zeros(m),
            W_dec=torch.tensor(directions, dtype=torch.float32),
            b_dec=torch.tensor(offset, dtype=torch.float32),
            activation="jumprelu",
            threshold=torch.full((m,), 1.3),
        )
        return replace(dictionary, **changes), torch.tensor(x, dtype=torch.float32)

    return made
