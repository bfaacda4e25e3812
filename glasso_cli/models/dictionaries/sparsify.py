"""Dictionaries of EleutherAI's sparsify: ``cfg.json`` and ``sae.safetensors``.

Names as in ``sparsify/sparse_coder.py``, ``config.py`` and ``fused_encoder.py`` of that library. The settings do not
name the hook point; it is the name of the folder.
"""

from __future__ import annotations

import re
from pathlib import Path

from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries.dictionary import Dictionary
from glasso_cli.models.dictionaries.hook_names import module_input, module_output
from glasso_cli.models.dictionaries.tensors import read_safetensors, read_settings, whole_number

SETTINGS, WEIGHTS = "cfg.json", "sae.safetensors"
OTHER_FORMULAS = ("embed_skip", "gram_lookup", "signed")  # each adds to the encoder or the output


def read(folder: Path) -> Dictionary:
    """The dictionary in ``folder``. Raises :class:`InputError` for what cannot be read as it was meant."""
    path = folder / SETTINGS
    settings = read_settings(path)
    activation = settings.get("activation", "topk")
    if activation != "topk":
        raise InputError(
            f"{path} names the activation '{activation}', which glasso does not read.",
            "Give a dictionary with topk latents.",
        )
    for name in OTHER_FORMULAS:
        if settings.get(name):
            raise InputError(f"{path} sets {name}, which glasso does not read.", "Give a dictionary without it.")
    d, k = whole_number(settings, "d_in", path), whole_number(settings, "k", path)
    # Files of older versions leave num_latents at 0, or out.
    m = whole_number(settings, "num_latents", path) if settings.get("num_latents") else None
    if m is None:
        m = d * whole_number(settings, "expansion_factor", path)
    transcoder, skip = bool(settings.get("transcode")), bool(settings.get("skip_connection"))
    weights = read_safetensors(folder / WEIGHTS)
    known = {"encoder.weight", "encoder.bias", "W_dec", "b_dec"} | ({"W_skip"} if skip else set())
    weights.only(known, "sparsify's")
    name = folder.resolve().name
    return Dictionary(
        source=str(folder),
        W_enc=weights.take("encoder.weight", m, d).T.contiguous(),
        b_enc=weights.take("encoder.bias", m),
        W_dec=weights.take("W_dec", m, d),
        b_dec=weights.take("b_dec", d),
        W_skip=weights.take("W_skip", d, d) if skip else None,
        activation="topk",
        k=k,
        subtract_b_dec=not transcoder,
        transcoder=transcoder,
        hook_in=module_input(name) if transcoder else module_output(name),
        hook_out=module_output(name),
    )


def said_by_path(folder: Path) -> str:
    """The name of the hook point, which is that of the folder; empty where it names none."""
    name = folder.resolve().name
    return name if re.search(r"\d", name) and "." in name else ""


def predicted_by_path(folder: Path) -> str:
    """The same of a transcoder; empty for an autoencoder."""
    return said_by_path(folder) if read_settings(folder / SETTINGS).get("transcode") else ""
