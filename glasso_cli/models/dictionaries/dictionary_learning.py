"""Dictionaries of dictionary_learning: ``config.json`` and ``ae.pt``.

Names as in ``dictionary_learning/dictionary.py`` and ``trainers/`` of that library. Latents are given in its units: for
gated and JumpReLU dictionaries, multiplied by the norm of their decoder rows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries.dictionary import Claims, Dictionary
from glasso_cli.models.dictionaries.hook_names import dictionary_learning_hook
from glasso_cli.models.dictionaries.tensors import Weights, number, read_pickle, read_settings, whole_number

if TYPE_CHECKING:
    import torch

SETTINGS, WEIGHTS = "config.json", "ae.pt"
MEASURED = "eval_results.json"  # what the library measured, where it did


def read(folder: Path) -> Dictionary:
    """The dictionary in ``folder``. Raises :class:`InputError` for what cannot be read as it was meant."""
    path = folder / SETTINGS
    settings = read_settings(path)
    trainer = settings.get("trainer")
    name = trainer.get("dict_class") if isinstance(trainer, dict) else None
    if not isinstance(trainer, dict) or name not in CLASSES:
        raise InputError(
            f"{path} names the class {name!r} for the dictionary, which glasso does not read.",
            f"Give one of {', '.join(CLASSES)}.",
        )
    buffer = settings.get("buffer")
    side = buffer.get("io", "out") if isinstance(buffer, dict) else "out"
    if side not in ("in", "out"):
        raise InputError(
            f"The dictionary of {path} was trained from the input to the output of a module ('{side}'), "
            "which glasso does not read in this format.",
            "Give an autoencoder, or a transcoder of SAELens or sparsify.",
        )
    weights = read_pickle(folder / WEIGHTS)
    fields = CLASSES[name](weights, trainer, path)
    submodule = trainer.get("submodule_name")
    hook = dictionary_learning_hook(submodule if isinstance(submodule, str) and side == "out" else None)
    model = trainer.get("lm_name")
    dictionary = Dictionary(
        source=str(folder),
        hook_in=hook,
        hook_out=hook,
        model=model if isinstance(model, str) else None,
        claims=_claims(folder / MEASURED),
        **fields,
    )
    for key, found in (("activation_dim", dictionary.d_in), ("dict_size", dictionary.width)):
        if key in trainer and whole_number(trainer, key, path) != found:
            raise InputError(
                f"{path} gives {key} as {trainer[key]}, but the weights have {found}.",
                "Give the settings and the weights of the same dictionary.",
            )
    return dictionary


def _claims(path: Path) -> Claims:
    if not path.is_file():
        return Claims()
    measured = read_settings(path)
    explained = number(measured, "frac_variance_explained")
    fvu = 1.0 - explained if explained is not None and explained < 1 else None
    return Claims(fvu=fvu, l0=number(measured, "l0"))


# -- the classes ------------------------------------------------------------------------------------


def _linear(weights: Weights, b_dec: str, b_enc: str = "encoder.bias") -> dict[str, Any]:
    """Encoder and decoder of ``nn.Linear``, whose weights stand the other way round, and their biases by name."""
    encoder = weights.take("encoder.weight", None, None)
    m, d = encoder.shape
    return {
        "W_enc": encoder.T.contiguous(),
        "W_dec": weights.take("decoder.weight", d, m).T.contiguous(),
        "b_enc": weights.take(b_enc, m),
        "b_dec": weights.take(b_dec, d),
    }


def _as_named(weights: Weights) -> dict[str, Any]:
    """Encoder, decoder and biases that have our names and stand our way round."""
    encoder = weights.take("W_enc", None, None)
    d, m = encoder.shape
    return {
        "W_enc": encoder,
        "W_dec": weights.take("W_dec", m, d),
        "b_enc": weights.take("b_enc", m),
        "b_dec": weights.take("b_dec", d),
    }


def _standard(weights: Weights, trainer: dict[str, Any], path: Path) -> dict[str, Any]:
    weights.only({"bias", "encoder.weight", "encoder.bias", "decoder.weight"}, "AutoEncoder")
    return {**_linear(weights, "bias"), "activation": "relu"}


def _standard_new(weights: Weights, trainer: dict[str, Any], path: Path) -> dict[str, Any]:
    weights.only({"decoder.bias", "encoder.weight", "encoder.bias", "decoder.weight"}, "AutoEncoderNew")
    return {**_linear(weights, "decoder.bias"), "activation": "relu", "subtract_b_dec": False}


def _gated(weights: Weights, trainer: dict[str, Any], path: Path) -> dict[str, Any]:
    names = {"decoder_bias", "encoder.weight", "r_mag", "gate_bias", "mag_bias", "decoder.weight"}
    weights.only(names, "GatedAutoEncoder")
    fields = _linear(weights, "decoder_bias", "gate_bias")
    m, norm = len(fields["W_dec"]), _norms(fields["W_dec"], weights)
    return {
        **fields,
        "W_dec": fields["W_dec"] / norm[:, None],
        "r_mag": weights.take("r_mag", m) + norm.log(),
        "b_mag": weights.take("mag_bias", m) * norm,
        "activation": "gated",
    }


def _jumprelu(weights: Weights, trainer: dict[str, Any], path: Path) -> dict[str, Any]:
    weights.only({"W_enc", "b_enc", "W_dec", "b_dec", "threshold"}, "JumpReluAutoEncoder")
    fields = _as_named(weights)
    norm = _norms(fields["W_dec"], weights)
    return {
        **fields,
        "W_enc": fields["W_enc"] * norm,
        "W_dec": fields["W_dec"] / norm[:, None],
        "b_enc": fields["b_enc"] * norm,
        "threshold": weights.take("threshold", len(norm)) * norm,
        "activation": "jumprelu",
        "subtract_b_dec": False,
    }


def _topk(weights: Weights, trainer: dict[str, Any], path: Path) -> dict[str, Any]:
    names = {"k", "threshold", "encoder.weight", "encoder.bias", "decoder.weight", "b_dec"}
    weights.only(names, "AutoEncoderTopK")
    fields = _linear(weights, "b_dec")
    k = whole_number(trainer, "k", path)
    if "k" in weights.tensors and int(weights.take("k")) != k:
        raise InputError(
            f"{path} gives k as {k}, but {weights.path} as {int(weights.take('k'))}.",
            "Give the settings and the weights of the same dictionary.",
        )
    return {**fields, "activation": "topk", "k": k}


def _batch_topk(weights: Weights, trainer: dict[str, Any], path: Path) -> dict[str, Any]:
    names = {"k", "threshold", "encoder.weight", "encoder.bias", "decoder.weight", "b_dec"}
    weights.only(names, "BatchTopKSAE")
    return _with_threshold(_linear(weights, "b_dec"), weights)


def _matryoshka(weights: Weights, trainer: dict[str, Any], path: Path) -> dict[str, Any]:
    names = {"k", "threshold", "group_sizes", "W_enc", "b_enc", "W_dec", "b_dec"}
    weights.only(names, "MatryoshkaBatchTopKSAE")
    return _with_threshold(_as_named(weights), weights)


def _with_threshold(fields: dict[str, Any], weights: Weights) -> dict[str, Any]:
    """``fields`` with the one threshold that stands for the top k of a batch at inference, for each latent."""
    threshold = weights.take("threshold")
    if float(threshold) < 0:
        raise InputError(
            f"{weights.path} selects its latents over a whole batch and holds no threshold for inference yet.",
            "Give a checkpoint from later in the training.",
        )
    return {**fields, "activation": "jumprelu", "threshold": threshold.expand(len(fields["W_dec"])).contiguous()}


def _norms(decoder: torch.Tensor, weights: Weights) -> torch.Tensor:
    """The norms ``(m,)`` of the rows of ``decoder (m, d)``, all above zero."""
    norm: torch.Tensor = decoder.norm(dim=1)
    if not bool((norm > 0).all()):
        raise InputError(
            f"{weights.path} has {int((norm == 0).sum())} latents whose decoder row is zero.",
            "Give a dictionary whose latents all have a direction.",
        )
    return norm


CLASSES: dict[str, Callable[[Weights, dict[str, Any], Path], dict[str, Any]]] = {
    "AutoEncoder": _standard,
    "AutoEncoderNew": _standard_new,
    "GatedAutoEncoder": _gated,
    "JumpReluAutoEncoder": _jumprelu,
    "AutoEncoderTopK": _topk,
    "BatchTopKSAE": _batch_topk,
    "MatryoshkaBatchTopKSAE": _matryoshka,
}
