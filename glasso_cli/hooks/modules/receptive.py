"""The receptive field of every position at a hook point: what of a document it depends on, measured and not derived.

A strip of the document is replaced by noise, and every position whose units change depends on the strip. Strips along an
axis give the first and the last place that counts, whatever the path through the network. A path that an activation
function closes on one document is open on another, so several documents count together.
"""

from __future__ import annotations

from collections.abc import Sequence
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
STRIPS = 128  # along an axis; a longer axis is measured in strips of several places
_SIZES = (
    1.0,
    4.0,
)  # of the noise, in standard deviations of the documents: a saturated unit needs less, a small path more


def receptive_fields(
    network: ModuleNetwork, points: Sequence[HookPoint], batch: ModuleBatch, axes: Sequence[int]
) -> list[np.ndarray]:
    """The fields of all S positions at each hook point: first and one past the last place along each of ``axes``.

    Arrays are ``(S, len(axes), 2)`` int32. ``axes`` are those of one document of ``batch``, which are equally long and not
    padded. A position that nothing changes has the empty field (0, 0). Fields are exact up to ``STRIPS`` places along an
    axis; beyond, they end at the borders of strips.
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
    width = -(-length // STRIPS)
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
        fields = [np.zeros((item.shape[1], 2), np.int32) for item in plain]
        for start in range(0, length, width):
            stop = min(start + width, length)
            strip = (slice(None), *[slice(None)] * axis, slice(start, stop))
            changed = values.clone()
            changed[strip] += noise[strip]
            for field, before, after in zip(fields, plain, read(changed), strict=True):
                hit = _changed(before, after)
                field[hit & (field[:, 1] == 0), 0] = start
                field[hit, 1] = stop
    return fields


def _changed(before: Tensor, after: Tensor) -> np.ndarray:
    """Which positions changed in any document, ``(S,)`` bool."""
    distance = (before - after).norm(dim=2)
    hit: np.ndarray = (distance > CHANGED * before.norm(dim=2).mean()).any(0).cpu().numpy()
    return hit
