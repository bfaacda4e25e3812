"""Batches of tokens in, latents of a dictionary with their masks out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from glasso_cli.collection.batch import ActivationBatch
from glasso_cli.collection.reading import Reader
from glasso_cli.models.dictionaries.dictionary import Dictionary

if TYPE_CHECKING:
    import torch


@dataclass(eq=False)
class LatentReader:
    """Encodes what ``base`` reads at the first hook point, and gives the latents ``kept (p,)`` as dense values.

    Tokens are masked at all hook points, with the limits of ``base``, which are known before anything is encoded. A
    transcoder has a second one, which it predicts.
    """

    base: Reader
    dictionary: Dictionary  # on the device of the activations
    kept: torch.Tensor
    columns: torch.Tensor | None = None  # indices into ``kept``; None takes all

    @property
    def limits(self) -> list[float] | None:
        """The norms at the hook points over which a token is massive."""
        return self.base.limits

    @limits.setter
    def limits(self, value: list[float] | None) -> None:
        self.base.limits = value

    def read(self, batch: Any) -> ActivationBatch:
        """The latents of all tokens of ``batch``, ``(N, p)`` float32, masked tokens included."""
        read = self.base.read(batch)
        kept = self.kept if self.columns is None else self.kept[self.columns]
        return replace(read, values=_dense(self.dictionary, read.values[:, : self.dictionary.d_in], kept))

    def set_limits(self, sample: ActivationBatch) -> ActivationBatch:
        """The sample as it is: it was masked when it was read."""
        return sample


def _dense(dictionary: Dictionary, x: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """The latents ``kept (p,)`` of activations ``(n, d)`` as ``(n, p)``, without an array of all latents."""
    import torch

    latents = dictionary.encode_sparse(x)
    place = torch.full((dictionary.width,), -1, device=kept.device)
    place[kept] = torch.arange(len(kept), device=kept.device)
    columns = place[latents.columns]
    wanted = columns >= 0
    values = torch.zeros(len(latents), len(kept), device=kept.device)
    values[latents.rows()[wanted], columns[wanted]] = latents.values[wanted]
    return values
