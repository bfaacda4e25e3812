"""What becomes of a neuron: a step up or down, its mean, its value in another document, or zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.intervention.passes import Edit
from glasso_cli.intervention.sources import Candidates, Source

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Bank:
    """The clean values of some neurons in all documents: what ``resample`` takes its values from.

    ``values`` has ``(tokens, n)`` for each document with a kept token; ``columns`` says where each neuron (a candidate) is. ``donors``
    gives each of these documents another one. Of a document without a kept token nothing is measured: any donor will do.
    """

    columns: dict[int, int]
    values: dict[int, np.ndarray]
    donors: dict[int, int]

    def of(self, documents: Tensor, positions: int, members: tuple[int, ...]) -> Tensor:
        """Values ``(rows, positions, members)``: those of the donor at the same position, from its start again if it is shorter."""
        import torch

        columns, anyone = [self.columns[member] for member in members], next(iter(self.values))
        rows = []
        for document in documents.tolist():
            donor = self.values[self.donors.get(document, anyone)]
            rows.append(torch.from_numpy(donor[np.arange(positions) % len(donor)][:, columns]))
        return torch.stack(rows)


def donors_of(documents: np.ndarray, seed: int) -> dict[int, int]:
    """Another document for each, each taken once: neighbours in a random circle."""
    order = np.random.default_rng(seed).permutation(documents)
    return dict(zip(order.tolist(), np.roll(order, 1).tolist()))


@dataclass(frozen=True, eq=False)
class Changes:
    """Makes the edits of sources, from the neurons' means and standard deviations."""

    candidates: Candidates
    device: torch.device
    bank: Bank | None = None

    def step(self, source: Source, size: float) -> Edit:
        """All members moved by ``size`` standard deviations: a single neuron upwards, those of a group towards their heavier poles."""
        of = list(source.members)
        sign = np.ones(1) if source.alone else self.candidates.orientation[of]
        delta = self._tensor(size * self.candidates.std[of] * sign)
        return Edit(self._places(source), lambda current: current + delta)

    def other(self, kind: str, source: Source, documents: Tensor) -> Edit:
        """``mean``, ``zero`` or ``resample``; ``documents (rows,)`` are those of the batch."""
        if kind == "zero":
            return Edit(self._places(source), lambda current: current.new_zeros(current.shape))
        if kind == "mean":
            mean = self._tensor(self.candidates.mean[list(source.members)])
            return Edit(self._places(source), lambda current: mean.expand_as(current))
        assert self.bank is not None
        bank = self.bank
        return Edit(
            self._places(source),
            lambda current: bank.of(documents, current.shape[1], source.members).to(current.device),
        )

    def _tensor(self, values: np.ndarray) -> Tensor:
        import torch

        return torch.tensor(values, dtype=torch.float32, device=self.device)

    def _places(self, source: Source) -> tuple[int, ...]:
        return tuple(int(self.candidates.places[member]) for member in source.members)
