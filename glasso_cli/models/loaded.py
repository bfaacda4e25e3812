"""A loaded model and what it makes of texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError
from glasso_cli.models.encoder_decoder import ENCODER, part_of_model, whole_model
from glasso_cli.models.forward import errors_of, errors_of_tokenizer
from glasso_cli.models.layers import find_layers
from glasso_cli.models.network import evaluated

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class LoadedModel:
    """A language model ready to be read: in eval mode, no gradients. It is a :class:`glasso_cli.models.network.Network`.

    ``device`` is where input goes. ``kind`` is ``causal``, ``masked``, ``encoder`` or ``decoder``. ``notes`` say what was
    decided in loading that a reader of the results should know. ``start`` is the token that a decoder reads before a text.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    device: torch.device
    dtype: str
    n_layers: int
    kind: str
    notes: tuple[str, ...] = ()
    start: int | None = None

    @property
    def module(self) -> nn.Module:
        """The model, under the name that all networks share."""
        return self.model

    def run(self, batch: Mapping[str, Any]) -> Any:
        """The output for a batch, a mapping with ``input_ids`` and what else the model takes."""
        with errors_of(self.model):
            return self.model(**batch)

    def layer_of(self, module: str) -> int | None:
        """The layer that the module of this name belongs to, or None."""
        return find_layers(self.model).layer_of(module)


def encode(loaded: LoadedModel, texts: Sequence[str]) -> list[Tensor]:
    """Token ids of each text, as the tokenizer frames it, after a decoder's start token. Raises :class:`InputError` for a doubled BOS."""
    import torch

    with errors_of_tokenizer():
        rows = [loaded.tokenizer(text)["input_ids"] for text in texts]
    bos = loaded.tokenizer.bos_token_id
    if bos is not None and any(row[:2] == [bos, bos] for row in rows):  # 0 is an id, too
        raise InputError(
            "The tokenizer puts two BOS tokens before a text.",
            "Repair add_bos_token or the post-processor in the tokenizer files.",
        )
    before = [] if loaded.start is None else [loaded.start]
    return [torch.tensor(before + row) for row in rows]


def padding_id(tokenizer: Any) -> int:
    """The id to pad with: the tokenizer's, or 0, since a masked position's id does not matter."""
    return 0 if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)


@contextmanager
def loaded_in_memory(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, part: str = ENCODER
) -> Iterator[LoadedModel]:
    """A model that is in memory already, in eval mode inside the block; then each of its modules gets its own mode back.

    ``part`` is what is read of an encoder-decoder model. Raises :class:`InputError` for a model of no known kind.
    """
    from glasso_cli.models.folder import model_kind
    from glasso_cli.models.layers import embedding

    whole = model = whole_model(model) or model
    name = model.config.name_or_path or type(model).__name__
    kind = model_kind(name, model.config)
    start = None
    if kind == ENCODER:
        kind = part
        model, start, _ = part_of_model(model, part)
    weight = embedding(model)
    with evaluated(whole):
        yield LoadedModel(
            model=model.eval(),
            tokenizer=tokenizer,
            device=weight.device,
            dtype=str(weight.dtype).removeprefix("torch."),
            n_layers=len(find_layers(model).layers),
            kind=kind,
            start=start,
        )
