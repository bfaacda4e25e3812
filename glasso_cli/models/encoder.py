"""The encoder of an encoder-decoder model, which reads a text as a masked language model does: all of it at once.

The decoder has a stream of tokens of its own, so its activations have no place in one covariance with those of the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glasso_cli.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

KIND = "encoder"


def encoder_of(model: PreTrainedModel) -> PreTrainedModel:
    """The part of an encoder-decoder model that reads the text; :class:`InputError` where that is no model by itself."""
    from transformers import PreTrainedModel

    encoder = model.get_encoder()
    if not isinstance(encoder, PreTrainedModel) or encoder is model:
        raise InputError(
            f"The encoder of '{type(model).__name__}' cannot be run without its decoder.",
            "Use another encoder-decoder model, or a causal or masked language model.",
        )
    return encoder


def patterns_in_part(kind: str, patterns: Sequence[str]) -> tuple[str, ...]:
    """``patterns`` without the word ``encoder.``, which may stand before each for a model of that kind.

    Raises :class:`InputError` for the decoder.
    """
    if kind != KIND:
        return tuple(patterns)
    for pattern in patterns:
        if pattern.startswith("decoder."):
            raise InputError(
                f"'{pattern}' is in the decoder, which does not read the texts: only the encoder of this model is run.",
                f"Name a place in the encoder, such as 'encoder.{pattern.removeprefix('decoder.')}'.",
            )
    return tuple(pattern.removeprefix("encoder.") for pattern in patterns)
