"""The table of docs/networks.md: in which architectures which short form is right, tried and proved one by one.

``python -m support.networks_page`` in the folder of tests writes it again, and the table of :mod:`support.encoders_page`, in
about three minutes. A short form counts as
right when the package accepts it and :mod:`support.proofs` proves it in another way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint, record, resolve_hook_points
from glasso_cli.hooks.invariants import check_hook_points
from glasso_cli.models.loaded import LoadedModel, loaded_in_memory
from support.architecture_tables import NONE, RIGHT, ArchitectureTable
from support.proofs import IDS, MANY, own_tensor, prove, prove_self_attention
from support.tiny_architectures import Architecture, architectures, tiny_model, word_tokenizer

FORMS = ("mlp", "head", "mixer", "expert", "resid")
LAYERS = (0, 1)
TEXTS = ["w7 w20 w31 w44 w52 w9 w61 w73 w11 w80 w33 w12", "w8 w9 w40", "w10 w30 w20 w50 w60 w22 w45"]

# What transformers says where even a tiny model is too much, or where its own code fails.
CANNOT_BE_BUILT = {
    "blt-causal": "not tiny",
    "dbrx-causal": "rope_theta",
    "dots3_note-causal": "per_layer_config",
    "gemma3n-causal": "timm",
    "gemma4_assistant-causal": "hidden_size_per_layer_input must be 0",
    "gemma4_unified_assistant-causal": "layer types producing a cache",
    "musicgen-causal": "no attribute 'dropout'",
    "musicgen_melody-causal": "no attribute 'dropout'",
    "zamba-causal": "tie_weights_keys",
}
# Built as encoder-decoders, which have rows of their own.
ENCODER_DECODERS = ("bart-masked", "mbart-masked", "mvp-masked")
# Language models that also hear: transformers lists them with encoder-decoders, but they have one stack of layers.
NO_ENCODER_DECODERS = (
    *("audioflamingo3-encoder", "glmasr-encoder", "granite_speech-encoder", "granite_speech_plus-encoder"),
    *("moss_transcribe_diarize-encoder", "musicflamingo-encoder", "nemo_speechlm-encoder", "qwen2_audio-encoder"),
    *("qwen3_asr-encoder", "vibevoice_asr-encoder", "voxtral-encoder", "voxtral_realtime-encoder"),
)
ONE_ATTENTION = ("T5Gemma2Decoder",)  # over the tokens of the decoder and those of the encoder
TABLE = ArchitectureTable(
    start="<!-- table: written by tests/support/networks_page.py, `make networks` -->",
    end="<!-- end of the table -->",
    forms=FORMS,
    layers=("layer 0", "layer 1"),
    kinds=("causal", "masked", "encoder", "decoder"),
    reasons={
        "is a mixture of experts": "experts",
        "no tensor that can be proved": NONE,
        "has no heads": NONE,
        "has no mixer": NONE,
        "do not follow from its weights": "unproved",
        "has no experts": NONE,
        "in a padded batch": "padding",
        "was expected": "shape",
        "ran more than once": "runs",
        "not the model's own hidden state": "other state",
        "did not run": "unused",
        "no list of": "layers",
        "no table of token embeddings": "tokens",
        "is no language model": "kind",
        "does not read text": "kind",
        "cannot be run without its decoder": "decoder",
    },
)


def shown() -> list[Architecture]:
    """The architectures that have a row."""
    without = {*CANNOT_BE_BUILT, *ENCODER_DECODERS, *NO_ENCODER_DECODERS}
    items = [item for item in architectures() if str(item) not in without]
    decoders = [Architecture(item.model_type, "decoder") for item in items if item.kind == "encoder"]
    return sorted([*items, *decoders], key=str)


def row(architecture: Architecture) -> list[str]:
    """The cells of an architecture; raises AssertionError for a form that the package accepts and that is not right."""
    model = tiny_model(architecture)
    try:
        part = "decoder" if architecture.kind == "decoder" else "encoder"
        with loaded_in_memory(model, word_tokenizer(), part=part) as loaded:
            cells = [TABLE.cell([outcome(loaded, form, layer) for layer in LAYERS]) for form in FORMS]
    except InputError as error:
        cells = [TABLE.reason(error)] * len(FORMS)
    return [f"{architecture.model_type} ({architecture.kind})", *cells]


def outcome(loaded: LoadedModel, form: str, layer: int) -> str:
    """``right``, proved in another way than the package does, or why the package refuses."""
    pattern = f"{form}.{layer}" + (".*" if form == "expert" else "")
    try:
        point = busiest(loaded.model, resolve_hook_points(loaded.model, [pattern]))
        check_hook_points(loaded, [point], TEXTS)
    except InputError as error:
        return TABLE.reason(error)
    prove(loaded.model, point)
    if form == "head" and loaded.kind == "decoder":
        prove_self_attention(loaded.model, point, joined=type(loaded.model.get_decoder()).__name__ in ONE_ATTENTION)
    if point.expert is None:
        with record(loaded.model, [point]) as recorder:
            recorded = recorder.run(IDS)[0]
        own = own_tensor(loaded.model, point).detach().reshape(recorded.shape)
        torch.testing.assert_close(recorded, own, rtol=1e-4, atol=1e-4)
    return RIGHT


def busiest(model: Any, points: Sequence[HookPoint]) -> HookPoint:
    """Of several experts the one to which most tokens are routed; otherwise the only point."""
    if len(points) == 1:
        return points[0]
    with record(model, points) as recorder:
        tokens = [int(values.any(dim=-1).sum()) for values in recorder.run(MANY)]
    return points[tokens.index(max(tokens))]


# -- the page -------------------------------------------------------------------------------------


def table(rows: list[list[str]]) -> str:
    """The rows as a Markdown table, after how many architectures have each form."""
    counts = [sum(TABLE.is_right(entries[place]) for entries in rows) for place in range(1, 1 + len(FORMS))]
    either = sum(TABLE.is_right(entries[1]) or TABLE.is_right(entries[4]) for entries in rows)
    summary = [
        f"| `mlp` or `expert` | {' | '.join(f'`{form}`' for form in FORMS)} |",
        f"|{' --- |' * (1 + len(FORMS))}",
        f"| {either} ({100 * either / len(rows):.0f} %) | {' | '.join(map(str, counts))} |",
    ]
    return TABLE.text(rows, summary)


def quiet() -> None:
    """One thread, since a second one only waits on models this small, and no notices of transformers."""
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.set_verbosity_error()


if __name__ == "__main__":
    from support import encoders_page

    quiet()
    TABLE.write(table([row(architecture) for architecture in shown()]))
    encoders_page.write()
