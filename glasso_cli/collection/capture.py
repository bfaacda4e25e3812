"""Batches of tokens in, activations with their masks out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glasso_cli.collection.batch import ActivationBatch
from glasso_cli.config import MaskSection
from glasso_cli.corpora.windows import Batch, Frame
from glasso_cli.errors import InputError

if TYPE_CHECKING:
    import torch

    from glasso_cli.hooks import HookPoint
    from glasso_cli.hooks.record import Recorder


@dataclass(eq=False)
class Capture:
    """Reads the activations of chosen neurons at several hook points, side by side in one matrix.

    A token is left out of the statistics by the first rule that hits it: ``special`` (by id), ``first`` (of its
    window), ``unrouted`` (an expert among the hook points did not see it), ``massive`` (its norm at a hook point is over
    ``limits``).
    """

    recorder: Recorder
    hook_points: Sequence[HookPoint]
    frame: Frame
    mask: MaskSection
    limits: list[float] | None = None  # one norm per hook point; None while it is not known yet
    columns: torch.Tensor | None = None  # indices into all neurons; None takes all
    not_finite: str = "Set model.dtype: float32; if it is float32, the checkpoint is damaged."

    def read(self, batch: Batch) -> ActivationBatch:
        """The activations of all tokens of ``batch``; raises :class:`InputError` for non-finite values."""
        import torch

        attention = torch.from_numpy(batch.attention)
        ids = torch.from_numpy(batch.ids)
        captured = self.recorder.run(ids, attention)
        inside = attention.to(captured[0].device)
        read, norms = self._side_by_side(
            [values[inside] for values in captured],
            tokens=ids[attention].to(inside.device),
            lengths=torch.from_numpy(batch.lengths).to(inside.device),
            documents=torch.from_numpy(batch.documents).to(inside.device),
        )
        unrouted = self.recorder.unrouted
        return self._mask(read, norms, None if unrouted is None else unrouted.to(inside.device)[inside])

    def _side_by_side(
        self, layers: Sequence[torch.Tensor], *, tokens: torch.Tensor, lengths: torch.Tensor, documents: torch.Tensor
    ) -> tuple[ActivationBatch, torch.Tensor]:
        """The values ``(N, width)`` of every hook point as one batch, nothing masked, and their norms ``(H, N)``."""
        import torch

        norms = torch.stack([values.norm(dim=1) for values in layers])
        self._refuse_non_finite(norms, layers)
        values = layers[0] if len(layers) == 1 else torch.cat(list(layers), dim=1)
        chosen = values if self.columns is None else values[:, self.columns]
        return ActivationBatch(chosen, tokens, torch.zeros_like(tokens), lengths, documents), norms

    def norms(self, batch: ActivationBatch, widths: Sequence[int]) -> torch.Tensor:
        """The norm of every token at every hook point, ``(H, N)``, of a batch with all columns."""
        import torch

        return torch.stack([part.norm(dim=1) for part in batch.values.split(list(widths), dim=1)])

    def set_limits(self, sample: ActivationBatch) -> ActivationBatch:
        """Learn the massive norms from the median of ``sample``; the sample with massive tokens masked."""
        if self.mask.massive is None:
            return sample
        norms = self.norms(sample, [point.width for point in self.hook_points])
        medians = norms[:, sample.kept].median(dim=1).values
        self.limits = [float(self.mask.massive * median) for median in medians]
        return sample.masked(self._massive(norms), "massive")

    def _mask(self, read: ActivationBatch, norms: torch.Tensor, unrouted: torch.Tensor | None) -> ActivationBatch:
        import torch

        if self.mask.special:
            special = torch.tensor(self.frame.special, device=read.tokens.device)
            read = read.masked(torch.isin(read.tokens, special), "special")
        read = read.masked(read.position_of() < self.mask.first, "first")
        if unrouted is not None:
            read = read.masked(unrouted, "unrouted")
        return read.masked(self._massive(norms), "massive")

    def _massive(self, norms: torch.Tensor) -> torch.Tensor:
        import torch

        if self.limits is None:
            return torch.zeros(norms.shape[1], dtype=torch.bool, device=norms.device)
        limits = torch.tensor(self.limits, device=norms.device)
        return (norms > limits[:, None]).any(0)

    def _refuse_non_finite(self, norms: torch.Tensor, layers: Sequence[torch.Tensor]) -> None:
        if bool(norms.isfinite().all()):
            return
        import torch

        for point, values in zip(self.hook_points, layers, strict=True):
            bad = int((~torch.isfinite(values)).sum())
            if bad:
                raise InputError(
                    f"{point.name} gave {bad:,} values that are not finite (nan or infinite) in one batch.",
                    self.not_finite,
                )
