"""What a model folder must hold, and what kind of model its config says it is."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from glasso_cli.errors import InputError
from glasso_cli.models.encoder_decoder import ENCODER

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tekken.json",
)
LFS_POINTER = b"version https://git-lfs"


def require_model_files(model_id: str, folder: Path, trust: Collection[str], *, tokenizer: bool = True) -> None:
    """Check that ``folder`` holds a config, complete weights and, for a language model, a ``tokenizer``.

    Raises :class:`InputError` for what is missing or cut short. Without a tokenizer, transformers would
    make an empty one without a word.
    """
    _require_config(model_id, folder)
    if tokenizer and not any((folder / name).is_file() for name in TOKENIZER_FILES):
        code = list(folder.glob("tokenization*.py"))
        if not (code and "remote_code" in trust):
            model_kind(model_id, load_config(model_id, folder, trust))  # says so of a model that reads no texts
            raise InputError(
                f"The model '{model_id}' comes without a tokenizer.",
                "Save the tokenizer into its folder: tokenizer.save_pretrained(folder).",
            )
    _require_weights(model_id, folder, trust)


def _require_config(model_id: str, folder: Path) -> None:
    path = folder / "config.json"
    if not path.is_file():
        adapters = (folder / "adapter_config.json").is_file()
        what = "holds adapters, not a model" if adapters else "has no config.json, so it is not a model"
        raise InputError(
            f"The model '{model_id}' {what}.",
            "Merge the adapters into their model and save that."
            if adapters
            else "Give the folder that model.save_pretrained wrote.",
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"The config.json of '{model_id}' is not valid JSON ({error}).", "Download the model again."
        ) from error
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise InputError(
            f"The config.json of '{model_id}' names no model_type.",
            "Give the folder that model.save_pretrained wrote, or add the model_type to the file.",
        )


def _require_weights(model_id: str, folder: Path, trust: Collection[str]) -> None:
    shards = _named_shards(model_id, folder)
    missing = [name for name in shards if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"The model '{model_id}' lacks {len(missing)} of its {len(shards)} weight files, such as {missing[0]}.",
            "Download the model again.",
        )
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        _require_pickle(model_id, folder, trust)
    for path in files:
        _require_whole(model_id, path)


def _named_shards(model_id: str, folder: Path) -> list[str]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return []
    try:
        return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"The list of weight files of '{model_id}' ({index.name}) is damaged.", "Download it again."
        ) from error


def _require_pickle(model_id: str, folder: Path, trust: Collection[str]) -> None:
    pickles = sorted(folder.glob("pytorch_model*.bin"))
    if "pickle" in trust and pickles:
        return
    if "pickle" in trust:
        raise InputError(f"The model '{model_id}' comes without weights.", "Download it again.")
    raise InputError(
        f"The model '{model_id}' has no safetensors weights"
        + (f", only a pickled checkpoint ({pickles[0].name})." if pickles else "."),
        "If it has a pickled checkpoint that you trust (it can run anything on this machine), set model.trust: pickle.",
    )


def _require_whole(model_id: str, path: Path) -> None:
    """Read the header of a safetensors file, which says how long the file must be."""
    from safetensors import SafetensorError, safe_open

    with path.open("rb") as file:
        pointer = file.read(len(LFS_POINTER)) == LFS_POINTER
    if pointer:
        raise InputError(
            f"The weights of '{model_id}' are not there: {path.name} is a Git LFS pointer.",
            "Run 'git lfs pull' in its folder.",
        )
    try:
        with safe_open(path, framework="numpy"):
            pass
    except SafetensorError as error:
        raise InputError(
            f"The weights of '{model_id}' are damaged: {path.name} is cut short or not a safetensors file ({error}).",
            "Download the file again.",
        ) from error


# -- config ---------------------------------------------------------------------------------------


def load_config(model_id: str, folder: Path, trust: Collection[str]) -> PreTrainedConfig:
    """The config of a model folder. Raises :class:`InputError` for one that transformers cannot read."""
    from transformers import AutoConfig

    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(folder, trust_remote_code="remote_code" in trust)
    except Exception as error:  # whatever the config or its code raises, it cannot be used
        raise _config_error(model_id, str(error)) from error
    _require_sizes(model_id, config)
    return config


_LARGEST = {"num_hidden_layers": 10_000, "hidden_size": 10**6, "vocab_size": 10**8, "intermediate_size": 10**7}


def _require_sizes(model_id: str, config: PreTrainedConfig) -> None:
    """Raise :class:`InputError` for sizes that no model has, before anything is built that large."""
    for part in (config, config.get_text_config()):
        for name, largest in _LARGEST.items():
            value = getattr(part, name, None)
            if isinstance(value, int) and not 0 <= value <= largest:
                raise InputError(
                    f"The config.json of '{model_id}' gives {name} as {value:,}, which no model has.",
                    "Download the model again.",
                )


def _config_error(model_id: str, reason: str) -> InputError:
    if "trust_remote_code" in reason:
        return InputError(
            f"The model '{model_id}' needs Python code from its repository.",
            "Read that code, then allow it with model.trust: remote_code; it can run anything on this machine.",
        )
    if "model type" in reason or "model_type" in reason:
        return InputError(
            f"transformers does not know the architecture of '{model_id}'.",
            "Upgrade transformers; if the repository ships its own code, see model.trust: remote_code.",
        )
    return InputError(f"The config.json of '{model_id}' cannot be used: {one_line(reason)}")


def architectures(config: PreTrainedConfig) -> list[str]:
    """The classes that a configuration says were saved; none where it holds something else than a list of names."""
    written = getattr(config, "architectures", None)
    return [name for name in written if isinstance(name, str)] if isinstance(written, list | tuple) else []


def model_kind(model_id: str, config: PreTrainedConfig) -> str:
    """``causal``, ``masked`` or ``encoder``; :class:`InputError` for what is neither, and for quantised weights.

    Of an encoder-decoder model the encoder is read, unless somebody asks for the decoder.
    """
    from transformers import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_MASKED_LM_MAPPING,
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    )

    refuse_quantised(model_id, config)
    if config.is_encoder_decoder:
        if type(config) in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING:
            return ENCODER
        raise InputError(
            f"'{model_id}' is an encoder-decoder model whose encoder does not read text.",
            _other_documents(config) or "Use an encoder-decoder, causal or masked model of text.",
        )
    written = " ".join(architectures(config))
    code = getattr(config, "auto_map", None) or {}
    is_causal = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING or "AutoModelForCausalLM" in code
    is_masked = type(config) in MODEL_FOR_MASKED_LM_MAPPING or "AutoModelForMaskedLM" in code
    # BERT can be built as both; what was saved decides, then what the family is for.
    if is_masked and not (is_causal and ("CausalLM" in written or "LMHead" in written)):
        return "masked"
    if is_causal:
        return "causal"
    raise InputError(
        f"'{model_id}' is a '{config.model_type}' model, which is no language model.",
        _other_documents(config) or "Use a language model.",
    )


def _other_documents(config: PreTrainedConfig) -> str | None:
    """What a model that reads no texts can be given; None for one that reads neither images nor sounds."""
    kind = kind_of_arrays(config)
    if kind is None:
        return None
    return f"It reads {'images: give images or arrays' if kind == 'image' else 'sounds: give arrays'} in corpora."


def refuse_quantised(model_id: str, config: PreTrainedConfig) -> None:
    """Raise :class:`InputError` for quantised weights."""
    if getattr(config, "quantization_config", None):
        raise InputError(
            f"The weights of '{model_id}' are quantised, so its linear layers cannot be checked or intervened on.",
            "Use the checkpoint it was quantised from.",
        )


def kind_of_arrays(config: PreTrainedConfig) -> str | None:
    """``image`` or ``audio``, what a model of this configuration reads; None where it reads something else."""
    from transformers.models.auto import modeling_auto as auto

    images = (
        auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING,
        auto.MODEL_FOR_IMAGE_MAPPING,
        auto.MODEL_FOR_BACKBONE_MAPPING,
    )
    sounds = (
        auto.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING,
        auto.MODEL_FOR_CTC_MAPPING,
        auto.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING,
    )
    if any(type(config) in mapping for mapping in images):
        return "image"
    return "audio" if any(type(config) in mapping for mapping in sounds) else None


def one_line(reason: str, limit: int = 200) -> str:
    """``reason`` on one line, cut to ``limit`` characters."""
    line = " ".join(reason.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
