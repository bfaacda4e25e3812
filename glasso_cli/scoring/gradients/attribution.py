"""Attribution: what gradients say the ablation of each neuron does to a scalar, for all neurons in one backward pass.

At every kept token, a neuron with value a and baseline b contributes (b - a) times the gradient of the scalar. The forms differ in
the gradient:

- ``plain``: of the network as it is. This is attribution patching (AtP).
- ``frozen``: of the network with what :mod:`glasso_cli.scoring.gradients.frozen` holds (RelP).
- ``integrated``: the mean of plain gradients at midpoints of a straight way from the clean network to the baseline: where a stands
  t of the way, it is (1 - t) a + t b, with the a of this pass. Either the neurons of one hook point go at a time (``each``), and
  their contributions add up to the change of the scalar when these are all ablated; or those of all hook points go together, and
  all contributions add up to the change when everything is ablated. Both up to the error of the midpoint rule. In a chain of
  layers, ``together`` divides an effect among the layers that it passes, so that it costs one pass a step but ranks neurons of
  several layers by less than their own effects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.hooks import ablate
from glasso_cli.hooks.edit import Intervention
from glasso_cli.scoring.clean import Row
from glasso_cli.scoring.replaced import Replacement, at_kept
from glasso_cli.scoring.scalar import Scalar, tokens_of

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.console import Advance


@dataclass(frozen=True, eq=False)
class ByDocument:
    """Sums over the tokens of D documents: contributions of P neurons and their absolute values, each ``(D, P)``."""

    documents: np.ndarray
    counts: np.ndarray  # tokens at which the scalar has a value
    sums: np.ndarray
    absolute: np.ndarray

    def importance(self, rises: bool) -> np.ndarray:
        """How much worse the scalar becomes, ``(P,)``: up to the number of tokens, for a scalar that ``rises`` where it gets worse."""
        return np.asarray(self.sums.sum(axis=0) * (1 if rises else -1))


def attribute(
    scalar: Scalar,
    replacement: Replacement,
    rows: Sequence[Row],
    steps: Sequence[float],
    advance: Advance,
    *,
    each: bool = False,
) -> ByDocument:
    """The contributions of all neurons, with gradients at each of ``steps``: 0 is the clean network, 1 the baseline.

    ``each``: the neurons of one hook point at a time are on the way. Without it, all are.
    """
    points = range(len(replacement.neurons.points))
    groups = [(point,) for point in points] if each else [tuple(points)]
    documents = np.array(sorted({document for row in rows for document in row.documents}))
    width = len(replacement.neurons.ids)
    counts = np.zeros(len(documents), np.int64)
    sums, absolute = (np.zeros((len(documents), width)) for _ in range(2))
    for row in rows:
        at = np.searchsorted(documents, row.counted.documents)
        scalar.set_clean(row)
        for group in groups:
            contributions: list[Tensor] = []
            for step in steps:
                found, tokens = _one_pass(scalar, replacement, row, group, step)
                contributions = found if not contributions else [a + b for a, b in zip(contributions, found)]
                advance(1)
            for point, values in zip(group, contributions):
                own, part = replacement.neurons.of_point(point), values / len(steps)
                for total, of in ((sums, part), (absolute, part.abs())):
                    total[at, own] += row.counted.sums(of[None])[0].double().cpu().numpy()
        counts[at] += tokens
    return ByDocument(documents, counts, sums, absolute)


def midpoints(steps: int) -> list[float]:
    """The middles of ``steps`` equal parts of the way from 0 to 1."""
    return [(step + 0.5) / steps for step in range(steps)]


def _one_pass(
    scalar: Scalar, replacement: Replacement, row: Row, group: Sequence[int], step: float
) -> tuple[list[Tensor], np.ndarray]:
    """(b - a) times the gradient at every kept token, ``(rows, positions, width)`` for each hook point of ``group``, and tokens by document."""
    import torch

    probes: dict[int, tuple[Tensor, Tensor]] = {}  # (b - a), and zeros whose gradient is that of the neurons

    def change(number: int) -> Callable[[Tensor], Tensor]:
        def moved(current: Tensor) -> Tensor:
            distance = replacement.of(replacement.neurons.of_point(number), row) - current
            probe = torch.zeros_like(current, requires_grad=True)
            probes[number] = distance.detach(), probe
            return current + step * distance + probe if step else current + probe

        return moved

    points = replacement.neurons.points
    edits = [Intervention(points[number], at_kept(row.kept, change(number))) for number in group]
    with torch.enable_grad(), ExitStack() as stack:
        stack.enter_context(ablate(scalar.feed.model, edits))
        output = scalar.run(row)
        values = scalar.of(output, row)
        total = values.nan_to_num(0.0).sum()
        gradients = torch.autograd.grad(total, [probes[number][1] for number in group], allow_unused=True)
    found = [
        torch.zeros_like(probes[number][0]) if gradient is None else probes[number][0] * gradient
        for number, gradient in zip(group, gradients)
    ]
    return [part.float() for part in found], tokens_of(values, row)
