"""The table of docs/networks.md: in which architectures which short form is right, tried and proved one by one.

``python -m support.networks_page`` in the folder of tests writes it again, and the table of :mod:`support.encoders_page`, in
about three minutes. A short form counts as
right when the package accepts it and :mod:`support.proofs` proves it in another way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint, record, resolve_hook_points
from glasso_cli.hooks.invariants import check_hook_points
from glasso_cli.models.loaded import LoadedModel, loaded_in_memory
from support.documents import ROOT
from support.proofs import IDS, MANY, own_tensor, prove, prove_self_attention
from support.tiny_architectures import Architecture, architectures, tiny_model, word_tokenizer

PAGE = ROOT / "docs" / "networks.md"
START, END = "<!-- table: written by tests/support/networks_page.py, `make networks` -->", "<!-- end of the table -->"
FORMS = ("mlp", "head", "mixer", "expert", "resid")
LAYERS = (0, 1)
RIGHT, NONE = "right", "–"
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
# A part of what the error says, and the word in the table.
REASONS = {
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
}


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
            cells = [cell([outcome(loaded, form, layer) for layer in LAYERS]) for form in FORMS]
    except InputError as error:
        cells = [reason(error)] * len(FORMS)
    return [f"{architecture.model_type} ({architecture.kind})", *cells]


def outcome(loaded: LoadedModel, form: str, layer: int) -> str:
    """``right``, proved in another way than the package does, or why the package refuses."""
    pattern = f"{form}.{layer}" + (".*" if form == "expert" else "")
    try:
        point = busiest(loaded.model, resolve_hook_points(loaded.model, [pattern]))
        check_hook_points(loaded, [point], TEXTS)
    except InputError as error:
        return reason(error)
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


def reason(error: InputError) -> str:
    """The word in the table for what an error says."""
    assert error.message
    assert error.hint
    words = [word for says, word in REASONS.items() if says in error.message]
    assert words, error.message
    return words[0]


def cell(outcomes: list[str]) -> str:
    """What both layers have in common, or the layer in which the form is right."""
    if len(set(outcomes)) == 1:
        return outcomes[0]
    if RIGHT in outcomes:
        return f"layer {outcomes.index(RIGHT)}"
    return next(item for item in outcomes if item != NONE)


def is_right(entry: str) -> bool:
    """Whether a cell says that the form is right in some layer."""
    return entry == RIGHT or entry.startswith("layer ")


# -- the page -------------------------------------------------------------------------------------


def table(rows: list[list[str]]) -> str:
    """The rows as a Markdown table, after what they come to."""
    lines = [("architecture", *(f"`{form}`" for form in FORMS)), ["---"] * (1 + len(FORMS)), *rows]
    return "\n".join([*summary(rows), "", *(f"| {' | '.join(line)} |" for line in lines)])


def summary(rows: list[list[str]]) -> Iterator[str]:
    """How many architectures have each form."""
    yield f"{len(rows)} architectures were tried. A form is right in this many of them:"
    yield ""
    counts = [sum(is_right(entries[place]) for entries in rows) for place in range(1, 1 + len(FORMS))]
    either = sum(is_right(entries[1]) or is_right(entries[4]) for entries in rows)
    yield f"| `mlp` or `expert` | {' | '.join(f'`{form}`' for form in FORMS)} |"
    yield f"|{' --- |' * (1 + len(FORMS))}"
    yield f"| {either} ({100 * either / len(rows):.0f} %) | {' | '.join(map(str, counts))} |"


def parts(start: str = START, end: str = END) -> tuple[str, str, str]:
    """The page before a table, the table, and the page after it."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(start)
    inside, _, after = rest.partition(end)
    return before, inside.strip(), after


def rows_on_the_page() -> dict[str, list[str]]:
    """The rows of the large table of the page, by their first cells."""
    lines = re.findall(r"^\| (\S+ \((?:causal|masked|encoder|decoder)\)) \| (.*) \|$", parts()[1], re.MULTILINE)
    return {name: [name, *entries.split(" | ")] for name, entries in lines}


def write(made: str, start: str = START, end: str = END) -> None:
    """Put a table in its place on the page."""
    before, _, after = parts(start, end)
    PAGE.write_text(f"{before}{start}\n\n{made}\n\n{end}{after}", encoding="utf-8")


def quiet() -> None:
    """One thread, since a second one only waits on models this small, and no notices of transformers."""
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.set_verbosity_error()


if __name__ == "__main__":
    from support import encoders_page

    quiet()
    write(table([row(architecture) for architecture in shown()]))
    encoders_page.write()
