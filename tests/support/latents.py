"""A dictionary that explains any activations, and what its latents are in float64."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def write_parts(folder: Path, d: int, threshold: float = 1e6, decoder: float = 1.0) -> Path:
    """A dictionary of 3 d latents in the format of Gemma Scope, with its folder.

    The first 2 d are the positive and the negative parts of the coordinates. The last d are the coordinates above
    ``threshold``, which the reconstruction does not use. ``decoder`` multiplies the reconstruction.
    """
    folder.mkdir(parents=True, exist_ok=True)
    eye = np.eye(d, dtype=np.float32)
    np.savez(
        folder / "params.npz",
        W_enc=np.concatenate([eye, -eye, eye], axis=1),
        W_dec=np.concatenate([eye, -eye, 0 * eye]) * np.float32(decoder),
        b_enc=np.zeros(3 * d, np.float32),
        b_dec=np.zeros(d, np.float32),
        threshold=np.repeat([0, 0, threshold], d).astype(np.float32),
    )
    return folder


def as_saelens(folder: Path, **settings: object) -> Path:
    """The dictionary in ``folder`` in the format of SAELens, in a folder within; it is of ``resid.1``."""
    import torch
    from safetensors.torch import save_file

    other = folder / "saelens"
    other.mkdir()
    with np.load(folder / "params.npz") as arrays:
        save_file({name: torch.from_numpy(arrays[name]) for name in arrays.files}, other / "sae_weights.safetensors")
        d, m = arrays["W_enc"].shape
    cfg = {
        **{"architecture": "jumprelu", "d_in": d, "d_sae": m, "apply_b_dec_to_input": False},
        "metadata": {"sae_lens_version": "6.12.1", "hook_name": "blocks.1.hook_resid_post"},
        **settings,
    }
    (other / "cfg.json").write_text(json.dumps(cfg), encoding="utf-8")
    return other


def parts_of(x: np.ndarray, threshold: float = 1e6) -> np.ndarray:
    """The latents ``(n, 3 d)`` of activations ``(n, d)`` in float64."""
    x = x.astype(np.float64)
    return np.concatenate([np.maximum(x, 0), np.maximum(-x, 0), np.where(x > threshold, x, 0)], axis=1)


def write_transcoder(folder: Path, mlp: dict[str, np.ndarray], skip: float | None = None) -> Path:
    """A transcoder in the format of SAELens that copies an MLP of ReLU neurons, of which ``mlp`` holds the weights of both linear
    modules: ``W_enc (d, m)``, ``b_enc``, ``W_dec (m, d)``, ``b_dec``. ``skip`` adds so many times its input to the output.
    """
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    d, m = mlp["W_enc"].shape
    tensors = {name: np.ascontiguousarray(value, np.float32) for name, value in mlp.items()}
    kind = "transcoder" if skip is None else "skip_transcoder"
    if skip is not None:
        tensors["W_skip"] = np.eye(d, dtype=np.float32) * np.float32(skip)
    save_file(tensors, folder / "sae_weights.safetensors")
    settings = {"architecture": kind, "d_in": d, "d_sae": m, "d_out": d, "normalize_activations": "none"}
    (folder / "cfg.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder
