"""The receptive field of every position at a hook point: what of a document it depends on, measured and not derived.

A strip of the document is replaced by noise, and every position whose units change depends on the strip. Strips along an
axis give the first and the last place that counts, whatever the path through the network. A path that an activation
function closes on one document is open on another, so several documents count together.

Broad strips come first, then finer ones. Strips that are further apart than the longest field share a pass: at most one
of them lies in the field of a position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.hooks.modules.axes import as_samples
from glasso_cli.hooks.record import record
from glasso_cli.models.modules.network import ModuleBatch

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.hooks.point import HookPoint
    from glasso_cli.models.modules.network import ModuleNetwork

CHANGED = 1e-6  # of the mean norm: a smaller difference is rounding
STRIPS = 32  # along an axis, in the first round
FINER = 8  # strips for one, in each further round
PASSES = 256  # of a round at most; fields then end at the borders of the strips of the round before
_SIZES = (
    1.0,
    4.0,
)  # of the noise, in standard deviations of the documents: a saturated unit needs less, a small path more


def receptive_fields(
    network: ModuleNetwork, points: Sequence[HookPoint], batch: ModuleBatch, axes: Sequence[int]
) -> list[np.ndarray]:
    """The fields of all S positions at each hook point: first and one past the last place along each of ``axes``.

    Arrays are ``(S, len(axes), 2)`` int32. ``axes`` are those of one document of ``batch``, which are equally long and not
    padded. A position that nothing changes has the empty field (0, 0). Fields are exact unless that takes more than
    ``PASSES``, or all fields reach into the first and the last of ``STRIPS`` strips: those are whole.
    """
    return [
        np.stack(of_point, axis=1)
        for of_point in zip(*(_along(network, points, batch, axis) for axis in axes), strict=True)
    ]


def _along(network: ModuleNetwork, points: Sequence[HookPoint], batch: ModuleBatch, axis: int) -> list[np.ndarray]:
    """First and one past the last place along one axis, ``(S, 2)`` per hook point."""
    import torch

    values, count = batch.values, len(batch.values)
    length = values.shape[axis + 1]
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(values.shape, generator=generator) * (values.float().std() + 1e-6)
    sizes = torch.tensor([_SIZES[index % len(_SIZES)] for index in range(count)])
    noise = (noise * sizes.reshape(-1, *[1] * (values.ndim - 1))).to(values.dtype)
    with record(network.module, points) as recorder:

        def read(given: Tensor) -> list[Tensor]:
            return recorder.read(
                lambda: network.run(ModuleBatch(given, batch.lengths)),
                lambda point, tensor: as_samples(point, tensor, count),
                network.errors(),
            )

        plain = read(values)

        def changed_by(places: np.ndarray) -> list[np.ndarray]:
            """Which positions at each hook point change with ``places`` of the axis."""
            chosen = torch.zeros(length, dtype=values.dtype)
            chosen[torch.from_numpy(places)] = 1
            given = values + noise * chosen.reshape(-1, *[1] * (values.ndim - 2 - axis))
            return [_changed(before, after) for before, after in zip(plain, read(given), strict=True)]

        return _narrowed(length, [item.shape[1] for item in plain], changed_by)


def _narrowed(
    length: int, positions: Sequence[int], changed_by: Callable[[np.ndarray], list[np.ndarray]]
) -> list[np.ndarray]:
    """The fields of ``positions`` of each hook point along an axis of ``length`` places."""
    width = -(-length // STRIPS)
    fields = [np.array([[0, length]]).repeat(count, axis=0) for count in positions]
    fields = _round(length, width, length, fields, changed_by)
    while width > 1:
        longest = max(int(np.ptp(field, axis=1).max()) for field in fields)
        if all((np.ptp(field, axis=1) == length)[field[:, 1] > 0].all() for field in fields):
            break
        finer = -(-width // FINER)
        if -(-longest // finer) > PASSES:
            break
        fields, width = _round(length, finer, longest, fields, changed_by), finer
    return [field.astype(np.int32) for field in fields]


def _round(
    length: int,
    width: int,
    longest: int,
    fields: list[np.ndarray],
    changed_by: Callable[[np.ndarray], list[np.ndarray]],
) -> list[np.ndarray]:
    """Narrower ``fields`` by strips of ``width`` places; none of the fields is longer than ``longest``."""
    found = [np.zeros_like(field) for field in fields]
    place = np.arange(length)
    apart = -(-longest // width) + 1  # strips from one to the next of a pass
    for first in range(min(apart, -(-length // width))):
        strips = place[(place // width) % apart == first]
        for field, new, hit in zip(fields, found, changed_by(strips), strict=True):
            # The one strip of this pass that meets the field of each position.
            strip = field[:, 0] // width
            strip += (first - strip) % apart
            start, stop = strip * width, np.minimum((strip + 1) * width, length)
            hit = hit & (start < field[:, 1])
            new[:, 0] = np.where(hit & ((new[:, 1] == 0) | (start < new[:, 0])), start, new[:, 0])
            new[:, 1] = np.where(hit, np.maximum(new[:, 1], stop), new[:, 1])
    return found


def _changed(before: Tensor, after: Tensor) -> np.ndarray:
    """Which positions changed in any document, ``(S,)`` bool."""
    distance = (before - after).norm(dim=2)
    hit: np.ndarray = (distance > CHANGED * before.norm(dim=2).mean()).any(0).cpu().numpy()
    return hit
