"""The table of docs/networks.md for models of images and sounds: which short forms are right, tried and proved.

It is made as that of :mod:`support.networks_page`.
"""

from __future__ import annotations

from typing import Any

import torch

from glasso_cli.collection.modules.windows import batch_of
from glasso_cli.errors import InputError
from glasso_cli.hooks import record
from glasso_cli.hooks.modules.axes import as_samples
from glasso_cli.hooks.modules.invariants import check_module_points
from glasso_cli.hooks.modules.resolve import resolve_module_points
from glasso_cli.models.modules.network import ModuleNetwork
from support.architecture_tables import NONE, RIGHT, ArchitectureTable
from support.encoder_proofs import own_tensors, prove, prove_channels
from support.tiny_architectures import Architecture
from support.tiny_encoders import documents, encoders, tiny_network

FORMS = ("mlp", "head", "resid", "conv")
# A part of what transformers says where even a tiny model is too much, where a package lacks, or where its code fails.
CANNOT_BE_BUILT = {
    "conditional_detr-image": "timm",
    "cvt-image": "list index out of range",
    "dab-detr-image": "timm",
    "deformable_detr-image": "timm",
    "depth_pro-image": "tuple index out of range",
    "detr-image": "timm",
    "dinat-image": "natten",
    "fun_asr_nano-audio": "adaptor_config",
    "kyutai_speech_to_text-audio": "num_embeddings",
    "mobilevitv2-image": "spatial size",
    "moonshine_streaming-audio": "num_key_value_heads",
    "siglip2-image": "cannot be multiplied",
    "table-transformer-image": "timm",
    "timm_backbone-image": "timm",
    "timm_wrapper-image": "timm",
    "uvdoc_backbone-image": "must match the size",
    "vibevoice-audio": "list index out of range",
    "vibevoice_asr-audio": "list index out of range",
    "vitpose_backbone-image": "negative dimension",
}
TABLE = ArchitectureTable(
    start="<!-- table of images and sounds: `make networks` -->",
    end="<!-- end of that table -->",
    forms=FORMS,
    layers=("first layer", "last layer"),
    kinds=("image", "audio"),
    reasons={
        "no tensor that can be proved": NONE,
        "has no heads": NONE,
        "has no list of layers": "layers",
        "matches no convolution": NONE,
        "whose axes are not": "shape",
        "axes": "shape",
        "hidden states for": "states",
        "not the model's own hidden state": "states",
        "ran more than once": "runs",
        "did not run": "unused",
        "differs between a document alone": "batch",
        "what its module makes of its input": "random",
        "reads '": "kind",
        "cannot be run without its decoder": "decoder",
    },
)


def shown() -> list[Architecture]:
    """The architectures that have a row."""
    return [item for item in encoders() if str(item) not in CANNOT_BE_BUILT]


def row(architecture: Architecture) -> list[str]:
    """The cells of an architecture; raises AssertionError for a form that the package accepts and that is not right."""
    name = f"{architecture.model_type} ({architecture.kind})"
    try:
        network = tiny_network(architecture)
    except InputError as error:
        return [name, *[TABLE.reason(error)] * len(FORMS)]
    model: Any = tiny_network(architecture).module  # with the same weights, which has not run without gradients
    given = documents(network)
    layers = [0, network.n_layers - 1] if network.stack is not None else [0]
    cells = [TABLE.cell([outcome(network, model, given, f"{form}.{layer}") for layer in layers]) for form in FORMS[:3]]
    return [name, *cells, outcome(network, model, given, "conv.*")]


def outcome(network: ModuleNetwork, model: Any, documents: list[torch.Tensor], pattern: str) -> str:
    """``right``, proved on ``model`` in another way than the package does, or why the package refuses."""
    batch = batch_of(documents[:1])
    try:
        points = list(resolve_module_points(network, [pattern], batch_of(documents)))
        check_module_points(network, points, documents, batch_of)
    except InputError as error:
        return TABLE.reason(error)
    inputs = network.inputs_of_one(batch)
    if pattern.startswith("conv"):
        own = own_tensors(model, points, inputs)
        for tensor in own:
            prove_channels(tensor)
    else:
        layers = [network.stack.path_of(layer) for layer in range(network.n_layers)] if network.stack else []
        own = [prove(model, points[0], inputs, layers)]
    with record(network.module, points) as recorder:
        recorded = recorder.read(
            lambda: network.run(batch), lambda point, tensor: as_samples(point, tensor, 1), network.errors()
        )
    for point, tensor, seen in zip(points, own, recorded, strict=True):
        torch.testing.assert_close(seen, as_samples(point, tensor.detach(), 1), rtol=1e-4, atol=1e-4)
    return RIGHT


# -- the page -------------------------------------------------------------------------------------


def table(rows: list[list[str]]) -> str:
    """The rows as a Markdown table, after how many architectures of each kind have each form."""
    summary = [
        f"| kind | read arrays of this kind | {' | '.join(f'`{form}`' for form in FORMS)} | any form |",
        f"|{' --- |' * (3 + len(FORMS))}",
    ]
    for kind in TABLE.kinds:
        own = [entries[1:] for entries in rows if entries[0].endswith(f"({kind})")]
        able = [entries for entries in own if entries[0] not in ("kind", "decoder")]
        counts = [sum(TABLE.is_right(entries[place]) for entries in own) for place in range(len(FORMS))]
        anyhow = sum(any(map(TABLE.is_right, entries)) for entries in own)
        summary.append(f"| {kind} | {len(able)} | {' | '.join(map(str, counts))} | {anyhow} |")
    return TABLE.text(rows, summary)


def write() -> None:
    """Try everything and write the table."""
    TABLE.write(table([row(architecture) for architecture in shown()]))
