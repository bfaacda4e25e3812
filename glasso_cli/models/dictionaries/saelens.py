"""Dictionaries of SAELens: ``cfg.json`` and ``sae_weights.safetensors``.

Names as in ``sae_lens/saes`` and ``sae_lens/loading/pretrained_sae_loaders.py`` of SAELens 6, and as in
``sae_lens/sae.py`` of versions 2 to 5, whose settings stand in one object without ``metadata``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries.dictionary import Activation, Dictionary, Normalisation
from glasso_cli.models.dictionaries.hook_names import transformer_lens_hook
from glasso_cli.models.dictionaries.tensors import Weights, read_safetensors, read_settings, whole_number

if TYPE_CHECKING:
    import torch

SETTINGS, WEIGHTS = "cfg.json", "sae_weights.safetensors"
NORMALISATIONS = ("none", "expected_average_only_in", "layer_norm", "constant_norm_rescale")


@dataclass(frozen=True)
class _Kind:
    """What an architecture of SAELens is here."""

    activation: Activation
    transcoder: bool = False
    skip: bool = False


ARCHITECTURES = {
    "standard": _Kind("relu"),
    "topk": _Kind("topk"),
    "jumprelu": _Kind("jumprelu"),
    "gated": _Kind("gated"),
    "transcoder": _Kind("relu", transcoder=True),
    "skip_transcoder": _Kind("relu", transcoder=True, skip=True),
    "jumprelu_transcoder": _Kind("jumprelu", transcoder=True),
    "jumprelu_skip_transcoder": _Kind("jumprelu", transcoder=True, skip=True),
}


def read(folder: Path) -> Dictionary:
    """The dictionary in ``folder``. Raises :class:`InputError` for what cannot be read as it was meant."""
    path = folder / SETTINGS
    settings = _Settings(path, read_settings(path))
    kind = settings.kind
    weights = read_safetensors(folder / WEIGHTS)
    tensors = _tensors(settings, kind, weights)
    model = settings.text("model_name")
    hook_in = transformer_lens_hook(settings.text("hook_name", "hook_point"), model)
    hook_out = transformer_lens_hook(settings.text("hook_name_out"), model) if kind.transcoder else hook_in
    return Dictionary(
        source=str(folder),
        activation=kind.activation,
        k=settings.k if kind.activation == "topk" else None,
        subtract_b_dec=settings.subtract_b_dec and not kind.transcoder,
        normalisation=settings.normalisation,
        scale=None if settings.normalisation == "expected_average_only_in" else 1.0,
        transcoder=kind.transcoder,
        hook_in=hook_in,
        hook_out=hook_out,
        model=model,
        **tensors,
    )


@dataclass(frozen=True)
class _Settings:
    """The settings of either version."""

    path: Path
    values: dict[str, Any]

    def get(self, *names: str) -> Any:
        """The first of ``names`` that is given, at the top or under ``metadata``."""
        metadata = self.values.get("metadata")
        for values in (self.values, metadata if isinstance(metadata, dict) else {}):
            for name in names:
                if values.get(name) is not None:
                    return values[name]
        return None

    def text(self, *names: str) -> str | None:
        value = self.get(*names)
        return value if isinstance(value, str) and value else None

    @property
    def kind(self) -> _Kind:
        """What it is; also refuses what would change the formula."""
        name = self.get("architecture") or "standard"
        function = self.get("activation_fn", "activation_fn_str") or "relu"
        if name == "standard" and function == "topk":  # versions before 6
            name = "topk"
        if name not in ARCHITECTURES:
            raise InputError(
                f"{self.path} names the architecture '{name}', which glasso does not read.",
                f"Give one of {', '.join(ARCHITECTURES)}; SAELens saves batchtopk as jumprelu for inference.",
            )
        kind = ARCHITECTURES[name]
        if function not in ("relu", "topk", "jumprelu"):
            raise InputError(
                f"{self.path} names the activation function '{function}', which glasso does not read.",
                "Give a dictionary with relu, topk, jumprelu or gated latents.",
            )
        if self.get("hook_head_index", "hook_point_head_index") is not None:
            raise InputError(
                f"The dictionary of {self.path} reads one head of attention only, which glasso does not.",
                "Give a dictionary that reads a whole hook point.",
            )
        return kind

    @property
    def k(self) -> int:
        nested = self.get("activation_fn_kwargs")
        values = nested if isinstance(nested, dict) and "k" in nested else self.values
        return whole_number(values, "k", self.path)

    @property
    def subtract_b_dec(self) -> bool:
        value = self.get("apply_b_dec_to_input")
        return True if value is None else bool(value)

    @property
    def normalisation(self) -> Normalisation:
        value = self.get("normalize_activations")
        if value is None or value is False:
            return "none"
        if value is True:  # the oldest files
            return "expected_average_only_in"
        if value not in NORMALISATIONS:
            raise InputError(
                f"{self.path} names the normalisation '{value}', which glasso does not know.",
                f"Give a dictionary with one of {', '.join(NORMALISATIONS)}.",
            )
        return cast(Normalisation, value)


def _tensors(settings: _Settings, kind: _Kind, weights: Weights) -> dict[str, Any]:
    d = whole_number(settings.values, "d_in", settings.path)
    m = whole_number(settings.values, "d_sae", settings.path)
    d_out = whole_number(settings.values, "d_out", settings.path) if kind.transcoder else d
    tensors: dict[str, torch.Tensor] = {
        "W_enc": weights.take("W_enc", d, m),
        "W_dec": weights.take("W_dec", m, d_out),
        "b_dec": weights.take("b_dec", d_out),
    }
    names = {"W_enc", "W_dec", "b_dec", "scaling_factor", "finetuning_scaling_factor"}
    if kind.activation == "gated":
        tensors |= {"b_enc": weights.take("b_gate", m), "r_mag": weights.take("r_mag", m)}
        tensors["b_mag"] = weights.take("b_mag", m)
        names |= {"b_gate", "r_mag", "b_mag"}
    else:
        tensors["b_enc"] = weights.take("b_enc", m)
        names.add("b_enc")
    if kind.activation == "jumprelu":
        log = "log_threshold" in weights.tensors and "threshold" not in weights.tensors  # some training checkpoints
        tensors["threshold"] = weights.take("log_threshold", m).exp() if log else weights.take("threshold", m)
        names.add("log_threshold" if log else "threshold")
    if kind.skip:
        tensors["W_skip"] = weights.take("W_skip", d_out, d)
        names.add("W_skip")
    weights.only(names, settings.get("architecture") or "standard")
    for name in ("scaling_factor", "finetuning_scaling_factor"):  # multiplies the latents in the decoder alone
        if name in weights.tensors:
            tensors["W_dec"] = tensors["W_dec"] * weights.take(name, m)[:, None]
    if kind.activation == "topk" and settings.get("rescale_acts_by_decoder_norm"):
        norm = tensors["W_dec"].norm(dim=1)
        tensors["W_enc"] = tensors["W_enc"] * norm
        tensors["b_enc"] = tensors["b_enc"] * norm
        tensors["W_dec"] = tensors["W_dec"] / norm.clamp(min=1e-30)[:, None]
    return tensors
