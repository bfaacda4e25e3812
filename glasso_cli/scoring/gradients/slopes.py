"""Slopes of the scalar in every neuron, for a push at all kept tokens: along all ways, and past later neurons that are held.

A slope is the change of the scalar per token and unit of the neuron, where the neuron moves by the same amount at every kept token: the
sum of the gradients at these tokens, over the number of tokens that have a scalar. In the direct slope, the neurons of later hook points
keep their values at kept tokens. So it is what does not pass through them, and whatever passes through one of them is in its own slope.
Both follow from one pass and two passes back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.derivatives.errors import weighted_deviations
from glasso_cli.hooks import ablate
from glasso_cli.hooks.edit import Intervention
from glasso_cli.inference.document_means import clustered
from glasso_cli.scoring.clean import Neurons, Row
from glasso_cli.scoring.replaced import at_kept
from glasso_cli.scoring.scalar import Scalar, tokens_of

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.console import Advance


@dataclass(frozen=True, eq=False)
class SlopeSums:
    """Sums of gradients over the kept tokens of D documents, for P neurons, each ``(D, P)``."""

    documents: np.ndarray
    counts: np.ndarray  # tokens at which the scalar has a value
    whole: np.ndarray
    direct: np.ndarray

    def arrays(self, blocks: int) -> dict[str, np.ndarray]:
        """The means over tokens ``(P,)``, their standard errors, and how ``blocks`` of documents differ ``(P, blocks)``.

        The squares of the last add up to the squared error by the jackknife over blocks; nan where one block has all tokens.
        """
        slopes, errors = clustered(self.whole, self.counts)
        direct, direct_errors = clustered(self.direct, self.counts)
        of_block = self.documents % blocks
        counts = np.bincount(of_block, self.counts, blocks)
        sums = np.zeros((blocks, self.direct.shape[1]))
        np.add.at(sums, of_block, self.direct)
        deviations = np.full(sums.shape, np.nan)
        if np.count_nonzero(counts) > 1:
            deviations = np.zeros(sums.shape)
            filled, spread = weighted_deviations(counts, sums)
            deviations[filled] = spread
        return {
            "slopes": slopes,
            "slope_errors": errors,
            "direct_slopes": direct,
            "direct_slope_errors": direct_errors,
            "direct_block_deviations": np.ascontiguousarray(deviations.T, dtype=np.float32),
        }


def measure_slopes(
    scalar: Scalar, neurons: Neurons, rows: Sequence[Row], held: Collection[int], advance: Advance
) -> SlopeSums:
    """The sums for all neurons; ``held`` are the hook points, indices into those of ``neurons``, whose neurons are held."""
    documents = np.array(sorted({document for row in rows for document in row.documents}))
    counts = np.zeros(len(documents), np.int64)
    whole, direct = (np.zeros((len(documents), len(neurons.ids))) for _ in range(2))
    for row in rows:
        at = np.searchsorted(documents, row.counted.documents)
        scalar.set_clean(row)
        both, tokens = _two_gradients(scalar, neurons, row, held)
        for total, gradients in zip((whole, direct), both, strict=True):
            for point, gradient in enumerate(gradients):
                sums = row.counted.sums(gradient[None])[0]
                total[at, neurons.of_point(point)] += sums.double().cpu().numpy()
        counts[at] += tokens
        advance(1)
    return SlopeSums(documents, counts, whole, direct)


def _two_gradients(
    scalar: Scalar, neurons: Neurons, row: Row, held: Collection[int]
) -> tuple[list[list[Tensor]], np.ndarray]:
    """Gradients at every kept token ``(rows, positions, width)`` of each hook point, whole and direct; and tokens by document."""
    import torch

    probes: dict[int, Tensor] = {}  # zeros whose gradient is that of the neurons
    closed = False

    def gate(gradient: Tensor) -> Tensor:
        return torch.zeros_like(gradient) if closed else gradient

    def change(number: int) -> Callable[[Tensor], Tensor]:
        def moved(current: Tensor) -> Tensor:
            probes[number] = torch.zeros_like(current, requires_grad=True)
            entering = current.view_as(current)  # a tensor of its own, since others may read ``current``
            if number in held and entering.requires_grad:
                entering.register_hook(gate)
            return entering + probes[number]

        return moved

    edits = [Intervention(point, at_kept(row.kept, change(number))) for number, point in enumerate(neurons.points)]
    with torch.enable_grad(), ablate(scalar.feed.model, edits):
        output = scalar.run(row)
        values = scalar.of(output, row)
        total = values.nan_to_num(0.0).sum()
        inputs = [probes[number] for number in range(len(neurons.points))]
        found = []
        for closed in (False, True):
            gradients = torch.autograd.grad(total, inputs, retain_graph=not closed, allow_unused=True)
            found.append(
                [
                    torch.zeros_like(probe) if gradient is None else gradient.float()
                    for probe, gradient in zip(inputs, gradients, strict=True)
                ]
            )
    return found, tokens_of(values, row)
