"""Dictionaries of Gemma Scope: ``params.npz``, JumpReLU autoencoders and transcoders of Gemma 2.

The file holds tensors only. Model, layer and place are in the path, as in
``gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71``; so is the mean number of active latents.
"""

from __future__ import annotations

import re
from pathlib import Path

from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries.dictionary import Claims, Dictionary
from glasso_cli.models.dictionaries.hook_names import UNKNOWN, Hook, transformer_lens_hook
from glasso_cli.models.dictionaries.tensors import Weights, read_npz

WEIGHTS = "params.npz"
PLACES = {"res": "hook_resid_post", "mlp": "hook_mlp_out", "att": "attn.hook_z"}
NAMES = ("W_enc", "W_dec", "b_enc", "b_dec", "threshold")


def read(folder: Path) -> Dictionary:
    """The dictionary in ``folder``. Raises :class:`InputError` for what cannot be read as it was meant."""
    parts = folder.resolve().parts
    if any(part == "embedding" for part in parts):
        raise InputError(
            f"{folder} is a dictionary of the embeddings, whose scale its file does not hold.",
            "Give a dictionary of a layer.",
        )
    weights = read_npz(folder / WEIGHTS)
    capitals = {"W_" + name[2:] if name.startswith("w_") else name: value for name, value in weights.tensors.items()}
    weights = Weights(weights.path, capitals)
    weights.only(NAMES, "Gemma Scope")
    encoder = weights.take("W_enc", None, None)
    m = encoder.shape[1]
    decoder = weights.take("W_dec", m, None)
    hook_in, hook_out, model = _hooks(parts)
    return Dictionary(
        source=str(folder),
        W_enc=encoder,
        b_enc=weights.take("b_enc", m),
        W_dec=decoder,
        b_dec=weights.take("b_dec", decoder.shape[1]),
        activation="jumprelu",
        threshold=weights.take("threshold", m),
        subtract_b_dec=False,
        transcoder=hook_in != hook_out,
        hook_in=hook_in,
        hook_out=hook_out,
        model=model,
        claims=Claims(l0=_claimed_l0(parts)),
    )


def said_by_path(folder: Path) -> str:
    """The hook points that are in the path; empty where it names none."""
    hook_in, hook_out, _ = _hooks(folder.resolve().parts)
    return ", ".join(dict.fromkeys(str(hook.given) for hook in (hook_in, hook_out) if hook.given))


def predicted_by_path(folder: Path) -> str:
    """The hook point that a transcoder predicts, where it is in the path; empty for an autoencoder."""
    hook_in, hook_out, _ = _hooks(folder.resolve().parts)
    return "" if hook_out == hook_in else str(hook_out.given)


def _hooks(parts: tuple[str, ...]) -> tuple[Hook, Hook, str | None]:
    """What is read, what is reconstructed, and the model, as far as the path says."""
    release = _last(r"gemma-scope-(\d+b)-(pt|it)-(res|mlp|att|transcoders)", parts)
    layer = _last(r"layer_(\d+)", parts)
    if release is None or layer is None:
        return UNKNOWN, UNKNOWN, None
    model = f"google/gemma-2-{release[1]}" + ("-it" if release[2] == "it" else "")
    if release[3] == "transcoders":
        hook_in = transformer_lens_hook(f"blocks.{layer[1]}.ln2.hook_normalized", model)
        return hook_in, transformer_lens_hook(f"blocks.{layer[1]}.hook_mlp_out", model), model
    hook = transformer_lens_hook(f"blocks.{layer[1]}.{PLACES[release[3]]}", model)
    return hook, hook, model


def _claimed_l0(parts: tuple[str, ...]) -> float | None:
    found = _last(r"average_l0_(\d+)", parts)
    return float(found[1]) if found else None


def _last(pattern: str, parts: tuple[str, ...]) -> re.Match[str] | None:
    """The match in the last part of the path that has one."""
    found = [match for part in parts if (match := re.search(pattern + r"(?![\w-])", part))]
    return found[-1] if found else None
