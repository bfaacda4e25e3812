"""Models of transformers that read images or sounds, as networks.

Files are checked and weights are loaded as for language models: safetensors alone, unless ``trust`` says otherwise. Of an
encoder-decoder model the encoder is what is read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError
from glasso_cli.models.encoder_decoder import encoder_of
from glasso_cli.models.folder import architectures, kind_of_arrays, load_config, refuse_quantised, require_model_files
from glasso_cli.models.layers import find_layers_of_encoder
from glasso_cli.models.load import choose_device, from_folder, quiet_transformers, require_options, weights_missing
from glasso_cli.models.modules.network import ModuleNetwork, network_of
from glasso_cli.models.modules.preparation import preparation
from glasso_cli.models.source import model_folder

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedConfig, PreTrainedModel

_INPUTS = {"image": ("pixel_values",), "audio": ("input_values", "input_features")}
_READS = {"image": "images", "audio": "sounds"}
_UNUSED = ("pooler.",)  # what some classes put behind the layers, and checkpoints lack


def load_pretrained(
    model_id: str,
    *,
    reads: str = "arrays",
    prepares: bool = True,
    revision: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    device_map: str | None = None,
    trust: Collection[str] = (),
    cache: Path | None = None,
    notify: Callable[[str], None] = lambda message: None,
) -> ModuleNetwork:
    """The model of images or sounds behind a hub id or a local folder, in float32, with its own preparation of documents.

    ``reads`` is what the documents are: ``images``, ``arrays`` or ``module``. Without ``prepares``, they go in as they are. The other arguments are those of
    :func:`glasso_cli.models.load.load_model`. Raises :class:`InputError` for what cannot be used, and for documents of
    another kind, and :class:`ServiceError` for a hub that does not answer.
    """
    require_options(dtype, trust)
    if dtype not in ("auto", "float32"):
        raise InputError(f"Models of images and sounds run in float32, not in {dtype}.", "Set model.dtype: auto.")
    if device_map is not None:
        raise InputError("device_map spreads language models only.", "Set model.device_map: null.")
    target = choose_device(device)
    folder = model_folder(model_id, revision, trust=trust, cache=cache, notify=notify)
    require_model_files(model_id, folder, trust, tokenizer=False)
    with quiet_transformers():
        config = load_config(model_id, folder, trust)
        kind = kind_of_arrays(config)
        if kind is None:
            raise InputError(
                f"'{model_id}' is a '{config.model_type}' model, which reads neither images nor sounds.",
                "Give texts in corpora (files, dataset or topic), or use another model.",
            )
        if kind == "audio" and reads == "images":
            raise InputError(
                f"'{model_id}' is a '{config.model_type}' model, which reads sounds, not images.",
                "Give recordings as arrays in corpora, or use a model of images.",
            )
        refuse_quantised(model_id, config)
        model, info = from_folder(auto_class(config, kind), model_id, folder, "float32", None, trust)
        notes = _notes(model_id, model, info)
        network = pretrained_network(model, kind, device=target, name=model_id)
        notes = (*notes, *network.notes)
        if not prepares:
            return replace(network, notes=notes)
        prepare, said = preparation(model_id, folder, kind, network.input_name)
    return replace(network, prepare=prepare, notes=(*notes, said))


def pretrained_network(
    model: PreTrainedModel, kind: str, *, device: torch.device | None = None, name: str = "module"
) -> ModuleNetwork:
    """A model of transformers in memory as a network of ``kind`` ``image`` or ``audio``.

    Raises :class:`InputError` for one that reads something else.
    """
    notes: tuple[str, ...] = ()
    if model.config.is_encoder_decoder:
        notes = (f"only the encoder of '{type(model).__name__}' reads the documents",)
        model = encoder_of(model)
    input_name = str(model.main_input_name)
    if input_name not in _INPUTS[kind]:
        raise InputError(
            f"'{type(model).__name__}' reads '{input_name}', not {_READS[kind]}.",
            f"Use a model that reads {_READS[kind]}.",
        )

    def by_name(values: Tensor, lengths: Tensor) -> Any:
        return {input_name: values}

    network = network_of(model, by_name, device=device, name=name)
    return replace(network, kind=kind, stack=find_layers_of_encoder(model), input_name=input_name, notes=notes)


def auto_class(config: PreTrainedConfig, kind: str) -> Any:
    """The auto class of transformers that loads what was saved: the class that the configuration names, or the bare model."""
    import transformers
    from transformers.models.auto import modeling_auto as auto

    tried: dict[str, dict[str, Any]] = {
        "image": {
            "AutoModel": auto.MODEL_MAPPING,
            "AutoModelForImageClassification": auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING,
            "AutoBackbone": auto.MODEL_FOR_BACKBONE_MAPPING,
        },
        "audio": {
            "AutoModel": auto.MODEL_MAPPING,
            "AutoModelForAudioClassification": auto.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING,
            "AutoModelForCTC": auto.MODEL_FOR_CTC_MAPPING,
            "AutoModelForSpeechSeq2Seq": auto.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING,
        },
    }
    saved = set(architectures(config))
    found: dict[str, list[Any]] = {}
    for name, mapping in tried[kind].items():
        if type(config) in mapping:
            classes = mapping[type(config)]
            found[name] = list(classes) if isinstance(classes, list | tuple) else [classes]
    for name, classes in found.items():
        if any(item.__name__ in saved for item in classes):
            return getattr(transformers, name)
    wanted = (name for name, classes in found.items() if classes[0].main_input_name in _INPUTS[kind])
    return getattr(transformers, next(wanted, next(iter(found))))


def _notes(model_id: str, model: PreTrainedModel, info: dict[str, Any]) -> tuple[str, ...]:
    """What to know of the checkpoint; :class:`InputError` where weights that hook points need would be random."""
    missing = sorted(info["missing_keys"])
    random = [key for key in missing if not key.startswith(_UNUSED)]
    if random:
        raise weights_missing(model_id, model, random)
    return (f"the checkpoint lacks '{missing[0]}', whose output is not used",) if missing else ()
