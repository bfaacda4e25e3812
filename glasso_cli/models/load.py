"""Load any causal, masked or encoder-decoder model of text, or say in one sentence why it cannot be used.

Weights come from safetensors. A pickled checkpoint and Python code from a model repository can run anything
on this machine, so both need to be named in ``trust``. The model is used as it is: nothing folded, centred
or rewritten. Of an encoder-decoder model one part is read, the encoder unless the decoder is asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError, ServiceError
from glasso_cli.models.canary import check_canary
from glasso_cli.models.encoder_decoder import ENCODER, part_of_model
from glasso_cli.models.folder import load_config, model_kind, one_line, require_model_files
from glasso_cli.models.layers import embedding, find_layers
from glasso_cli.models.loaded import LoadedModel
from glasso_cli.models.source import model_folder, quiet_hub

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from glasso_cli.config import ModelSection
    from glasso_cli.console import Reporter

DTYPES = ("float32", "bfloat16", "float16")
TRUST = ("pickle", "remote_code")


def load_model(
    model_id: str,
    *,
    revision: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    device_map: str | None = None,
    trust: Collection[str] = (),
    part: str = ENCODER,
    cache: Path | None = None,
    notify: Callable[[str], None] = lambda message: None,
) -> LoadedModel:
    """The model behind a hub id, a local folder or a builtin name, checked with a fixed prompt.

    ``dtype`` auto is float32 on every device, so that a result never depends on where it was computed.
    ``device`` auto takes a GPU where there is one; ``device_map="auto"`` spreads the layers over all GPUs
    (needs accelerate). ``part`` is what is read of an encoder-decoder model, ``encoder`` or ``decoder``. ``cache`` holds converted builtin models, by default the user's cache folder.
    ``notify`` is told before slow steps.

    Raises :class:`InputError` for what cannot be used and :class:`ServiceError` for a hub that does not
    answer.
    """
    require_options(dtype, trust)
    target = choose_device(device)
    folder = model_folder(model_id, revision, trust=trust, cache=cache, notify=notify)
    require_model_files(model_id, folder, trust)
    with quiet_transformers():
        config = load_config(model_id, folder, trust)
        kind = model_kind(model_id, config)
        tokenizer = _load_tokenizer(model_id, folder, trust)
        model, notes = _load_weights(model_id, folder, kind, dtype, device_map, trust)
    start = None
    if kind == ENCODER:
        kind = part
        model, start, said = part_of_model(model, part)
        notes = (*notes, said)
    _require_vocabulary(model_id, model, tokenizer)
    if device_map is None:
        model = _move(model_id, model, target)
    loaded = LoadedModel(
        model=model.eval().requires_grad_(False),
        tokenizer=tokenizer,
        device=embedding(model).device,
        dtype="float32" if dtype == "auto" else dtype,
        n_layers=len(find_layers(model).layers),
        kind=kind,
        notes=notes,
        start=start,
    )
    check_canary(loaded)
    return loaded


def load_configured(section: ModelSection, reporter: Reporter, part: str = ENCODER) -> LoadedModel:
    """The language model that a section of kind hf names, or the ``part`` of it that is read, as :func:`load_model` has it.

    ``reporter`` hears what a reader of the results should know.
    """
    loaded = load_model(str(section.id), **options_of(section), part=part, notify=reporter.note)
    for note in loaded.notes:
        reporter.note(f"{section.id}: {note}")
    return loaded


def options_of(section: ModelSection) -> dict[str, Any]:
    """How a section of kind hf says that its model is loaded: keyword arguments of :func:`load_model`."""
    return {name: getattr(section, name) for name in ("revision", "dtype", "device", "device_map", "trust")}


def require_options(dtype: str, trust: Collection[str]) -> None:
    """Raise :class:`InputError` for a dtype or a trust that is not known."""
    if dtype not in ("auto", *DTYPES):
        raise InputError(f"The dtype '{dtype}' is not known.", f"Use auto or one of: {', '.join(DTYPES)}.")
    unknown = sorted(set(trust) - set(TRUST))
    if unknown:
        raise InputError(f"'{unknown[0]}' cannot be trusted.", f"trust takes: {', '.join(TRUST)}.")


def choose_device(device: str) -> torch.device:
    """The device for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; :class:`InputError` when it is not there."""
    import torch

    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return torch.device("cuda:0" if n_gpus else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        chosen = None
    if chosen is None or chosen.type not in ("cpu", "cuda"):
        raise InputError(f"The device '{device}' is not known.", "Use auto, cpu, cuda or cuda:N.")
    if chosen.type == "cuda" and (chosen.index or 0) >= n_gpus:
        raise InputError(
            f"The device '{device}' is not there: torch sees {n_gpus or 'no'} GPU{'s' * (n_gpus > 1)}.",
            "Set device: cpu or auto; for a GPU, install a torch built for it and its driver.",
        )
    return chosen


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No progress bars, warnings or notices of transformers and the hub inside the block."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with quiet_hub(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            if bars:
                logging.enable_progress_bar()


# -- tokenizer ------------------------------------------------------------------------------------


def _load_tokenizer(model_id: str, folder: Path, trust: Collection[str]) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code="remote_code" in trust)
    except Exception as error:  # a tokenizer file can be wrong in any way
        raise InputError(
            f"The tokenizer of '{model_id}' cannot be loaded: {one_line(str(error))}",
            "Copy the tokenizer files again; a tokenizer with its own code needs model.trust: remote_code.",
        ) from error


def _require_vocabulary(model_id: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    rows, tokens = embedding(model).shape[0], max(len(tokenizer), *(1 + i for i in tokenizer.get_vocab().values()))
    if tokens > rows:
        raise InputError(
            f"The tokenizer of '{model_id}' has {tokens} tokens, but the model embeds {rows}.",
            "They do not belong together; copy the tokenizer of this very model.",
        )


# -- weights --------------------------------------------------------------------------------------


def _load_weights(
    model_id: str,
    folder: Path,
    kind: str,
    dtype: str,
    device_map: str | None,
    trust: Collection[str],
) -> tuple[PreTrainedModel, tuple[str, ...]]:
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

    auto = {"causal": AutoModelForCausalLM, "masked": AutoModelForMaskedLM, ENCODER: AutoModelForSeq2SeqLM}[kind]
    model, info = from_folder(auto, model_id, folder, dtype, device_map, trust)
    return model, _notes(model_id, model, info)


def from_folder(
    auto: Any, model_id: str, folder: Path, dtype: str, device_map: str | None, trust: Collection[str]
) -> tuple[PreTrainedModel, dict[str, Any]]:
    """A model that ``auto``, an auto class of transformers, makes of the files in ``folder``, and what it says of its weights.

    Raises :class:`InputError` for weights that cannot be read or do not fit the configuration.
    """
    import torch

    try:
        loaded: Any = auto.from_pretrained(
            folder,
            dtype=torch.float32 if dtype == "auto" else getattr(torch, dtype),
            device_map=_device_map(device_map),
            trust_remote_code="remote_code" in trust,
            ignore_mismatched_sizes=True,  # reported below, in our words
            use_safetensors=None if "pickle" in trust else True,
            output_loading_info=True,
        )
    except torch.OutOfMemoryError as error:
        raise _out_of_memory(model_id) from error
    except (OSError, ValueError, RuntimeError, ImportError, AttributeError, KeyError) as error:
        raise InputError(
            f"The weights of '{model_id}' cannot be loaded: {one_line(str(error))}",
            "Download the model again, or upgrade transformers.",
        ) from error
    model, info = loaded
    wrong = sorted(key for key, *_ in info["mismatched_keys"])
    if wrong:
        raise InputError(
            f"The weights of '{model_id}' do not fit its config.json: '{wrong[0]}' has another shape.",
            "Download the model again; the two belong to different models.",
        )
    return model, info


def _device_map(device_map: str | None) -> str | None:
    import importlib.util

    if device_map is not None and importlib.util.find_spec("accelerate") is None:
        raise InputError("device_map needs the package accelerate.", "pip install accelerate")
    return device_map


def _notes(model_id: str, model: PreTrainedModel, info: dict[str, Any]) -> tuple[str, ...]:
    """What to know about the checkpoint; :class:`InputError` when weights would be random."""
    missing = sorted(info["missing_keys"])
    random = [key for key in missing if f"{model.base_model_prefix}." in key]
    if random:
        raise weights_missing(model_id, model, random)
    notes = []
    if missing:
        notes.append("the checkpoint has no language-model head; its logits are not used")
    if model.config.get_text_config() is not model.config:
        notes.append(f"only the text part of '{type(model).__name__}' sees input; images are not used")
    return tuple(notes)


def weights_missing(model_id: str, model: PreTrainedModel, names: list[str]) -> InputError:
    """The error for a checkpoint without the weights ``names``."""
    return InputError(
        f"The checkpoint of '{model_id}' lacks {len(names)} of the weights of '{type(model).__name__}', "
        f"such as '{names[0]}'; they would be random.",
        "Download the model again; for a checkpoint of adapters, merge them into the model first.",
    )


def _move(model_id: str, model: PreTrainedModel, device: torch.device) -> PreTrainedModel:
    import torch

    try:
        model.to(device)  # type: ignore[arg-type]  # its wrapper loses the signature
        return model
    except torch.OutOfMemoryError as error:
        raise _out_of_memory(model_id) from error


def _out_of_memory(model_id: str) -> ServiceError:
    return ServiceError(
        f"'{model_id}' does not fit into the memory of the GPU.",
        "Use dtype bfloat16, device_map auto over several GPUs, or device cpu.",
    )
