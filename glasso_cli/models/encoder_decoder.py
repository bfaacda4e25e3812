"""The two parts of an encoder-decoder model, of which one is read.

The encoder reads a text as a masked language model does: all of it at once. The decoder reads the same text after its
start token, token by token, as in training with the text as the target; the encoder has then read the text as well. What
the two give never goes into one covariance: their tokens have different neighbours.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from glasso_cli.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

ENCODER, DECODER = PARTS = ("encoder", "decoder")


def part_of_model(model: PreTrainedModel, part: str) -> tuple[PreTrainedModel, int | None, str]:
    """What is read of an encoder-decoder ``model``, the token that comes before every text, and a note that says so.

    Raises :class:`InputError` where the part cannot be read.
    """
    name = type(model).__name__
    if part == DECODER:
        start = start_token(model)
        said = f"the decoder of '{name}' reads each text after its start token {start}; its encoder reads the text too"
        return text_decoder(model), start, said
    return encoder_of(model), None, f"only the encoder of '{name}' reads the texts"


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


# -- the decoder ----------------------------------------------------------------------------------


def text_decoder(model: PreTrainedModel) -> PreTrainedModel:
    """``model`` as a network that reads ``input_ids (b, T)`` with its decoder, and the last T - 1 of them with its encoder.

    The first token is the decoder's start token. Modules have names such as ``decoder.layers.0`` and ``encoder.layers.0``,
    and hidden states are those of the decoder. Raises :class:`InputError` where the two have different vocabularies.
    """
    model = getattr(model, "_orig_mod", model)  # under torch.compile
    _require_one_vocabulary(model)
    return cast("PreTrainedModel", _text_decoder_class()(model))


def whole_model(module: nn.Module) -> PreTrainedModel | None:
    """The encoder-decoder model that :func:`text_decoder` made ``module`` of; None for another module."""
    return cast("Any", module).whole() if isinstance(module, _text_decoder_class()) else None


def start_token(model: PreTrainedModel) -> int:
    """The token that the decoder reads first; :class:`InputError` where the configuration names none in its vocabulary."""
    for config in (model.config, getattr(model, "generation_config", None)):
        start = getattr(config, "decoder_start_token_id", None)
        if isinstance(start, list):  # one for each text of a batch
            start = start[0] if len(set(start)) == 1 else None
        if start is not None:
            break
    rows = len(_table(model.get_decoder(), model))
    if not isinstance(start, int) or not 0 <= start < rows:
        raise InputError(
            f"'{type(model).__name__}' has no start token for its decoder "
            + ("(decoder_start_token_id is not set)." if start is None else f"(decoder_start_token_id is {start})."),
            f"Set decoder_start_token_id in its config.json to a token from 0 to {rows - 1}, or read the encoder.",
        )
    return start


def _require_one_vocabulary(model: PreTrainedModel) -> None:
    name, (encoder, decoder) = type(model).__name__, (model.get_encoder(), model.get_decoder())
    if encoder is model or decoder is model:
        raise InputError(
            f"The encoder and the decoder of '{name}' cannot be told apart.",
            "Use another encoder-decoder model, or a causal or masked language model.",
        )
    sizes = [len(_table(part, model)) for part in (encoder, decoder)]
    if sizes[0] != sizes[1] or getattr(model.config, "share_encoder_decoder_embeddings", True) is False:
        raise InputError(
            f"The decoder of '{name}' has another vocabulary than its encoder ({sizes[1]:,} and {sizes[0]:,} tokens), so the "
            "two cannot read the same text.",
            "Read the encoder: hook points without 'decoder.'.",
        )


def _table(part: Any, model: PreTrainedModel) -> Tensor:
    """The token embeddings of a part of ``model``."""
    from glasso_cli.models.layers import embedding

    return embedding(part if hasattr(part, "get_input_embeddings") else model)


def _decoder_layers(config: Any) -> int | None:
    """How many layers the decoder has, where the configuration of the whole model says so."""
    return getattr(config, "decoder_layers", None) or getattr(config, "num_decoder_layers", None)


@cache
def _text_decoder_class() -> type[nn.Module]:
    import torch
    from torch import nn
    from transformers.modeling_outputs import BaseModelOutput

    class TextDecoder(nn.Module):
        """The model as one that reads a text with its decoder: see :func:`text_decoder`."""

        def __init__(self, model: PreTrainedModel) -> None:
            super().__init__()
            self.decoder, self.encoder = model.get_decoder(), model.get_encoder()
            self.config = getattr(self.decoder, "config", model.config).get_text_config(decoder=True)
            self.n_layers = _decoder_layers(model.config) or self.config.num_hidden_layers
            inside = {id(module) for part in (self.decoder, self.encoder) for module in part.modules()}
            leaves = [module for module in model.modules() if not any(True for _ in module.children())]
            self.others = nn.ModuleList(module for module in leaves if id(module) not in inside)
            self._model = (model,)  # in a tuple: no module is to have two names
            self.training = model.training

        def whole(self) -> PreTrainedModel:
            return self._model[0]

        def get_decoder(self) -> nn.Module:
            return cast("nn.Module", self.decoder)

        def get_input_embeddings(self) -> Any:
            part = self.decoder if hasattr(self.decoder, "get_input_embeddings") else self.whole()
            return part.get_input_embeddings()

        def train(self, mode: bool = True) -> TextDecoder:
            self.whole().train(mode)
            self.training = self.others.training = mode
            return self

        def _apply(self, fn: Any, recurse: bool = True) -> TextDecoder:
            self.whole()._apply(fn, recurse)
            return self

        def forward(
            self, input_ids: Tensor, attention_mask: Tensor | None = None, output_hidden_states: bool = False
        ) -> BaseModelOutput:
            mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
            output = self.whole()(
                input_ids=input_ids[:, 1:],
                attention_mask=mask[:, 1:],
                decoder_input_ids=input_ids,
                decoder_attention_mask=mask,
                output_hidden_states=output_hidden_states,
                use_cache=False,
                return_dict=True,
            )
            return BaseModelOutput(hidden_states=output.decoder_hidden_states)

    return TextDecoder
