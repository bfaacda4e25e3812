"""What a model's own code can do: how many tokens it takes, and what it raises."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import GlassoError, InputError, ServiceError

if TYPE_CHECKING:
    from torch import nn

# what configurations of transformers call the number of positions
_POSITIONS = ("max_position_embeddings", "n_positions", "max_sequence_length", "n_ctx", "max_seq_len", "block_size")
_NAMES = ("position", "wpe", "pos_emb")  # parts of the names of tables of positions


def longest_window(model: nn.Module) -> int | None:
    """The most tokens that a window may have: those that the model has positions for; None where it does not say.

    The configuration says how many, and so does a table of learned positions. Some tables keep their first rows for
    padding.
    """
    from torch import nn

    limits = []
    config: Any = getattr(model, "config", None)
    for part in (config, config.get_text_config() if hasattr(config, "get_text_config") else None):
        values = [getattr(part, name, None) for name in _POSITIONS]
        limits += [value for value in values if isinstance(value, int) and not isinstance(value, bool) and value > 0]
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding) and any(word in name.rpartition(".")[2].lower() for word in _NAMES):
            offset = getattr(module, "offset", None)
            if not isinstance(offset, int):
                offset = 0 if module.padding_idx is None else module.padding_idx + 1
            limits.append(module.num_embeddings - offset)
    positive = [limit for limit in limits if limit > 1]
    return min(positive) if positive else None


def one_pass(model: Any, inputs: Mapping[str, Any], **more: Any) -> Any:
    """The output of a model of transformers for ``inputs``, arguments by name, on its device and without a cache."""
    device = next(model.parameters()).device
    if "use_cache" in inspect.signature(model.forward).parameters:
        more["use_cache"] = False
    return model(**{name: value.to(device) for name, value in inputs.items()}, **more)


@contextmanager
def errors_of(model: Any) -> Iterator[None]:
    """Turn what the code of ``model`` raises into :class:`InputError`, and a lack of memory into :class:`ServiceError`."""
    import torch

    try:
        yield
    except (MemoryError, torch.cuda.OutOfMemoryError) as error:
        raise ServiceError(
            "The model does not fit into the memory that is free.",
            "Set collect.batch_tokens to a smaller number, or model.device: cpu.",
        ) from error
    except GlassoError:
        raise
    except Exception as error:  # code of others, which can raise anything
        raise InputError(
            f"The model {type(model).__name__} fails on a text: {_said(error)}",
            "Check the files of the model; if it needs more than token ids, it cannot be used here.",
        ) from error


@contextmanager
def errors_of_tokenizer() -> Iterator[None]:
    """Turn what a tokenizer raises, and panics of its compiled code, into :class:`InputError`."""
    try:
        yield
    except GlassoError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise InputError(
            f"The tokenizer fails on a text: {_said(error)}",
            "Copy the tokenizer files of the model again: they are damaged, or belong to another one.",
        ) from error


def _said(error: BaseException) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:300]}"
