"""Between which hook points influence along all paths is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glasso_cli.errors import InputError
from glasso_cli.hooks.point import whole

if TYPE_CHECKING:
    from glasso_cli.config import InfluenceSection
    from glasso_cli.hooks import HookPoint


def wanted_points(
    points: Sequence[HookPoint], order: Sequence[str], section: InfluenceSection
) -> list[tuple[HookPoint, tuple[HookPoint, ...]]]:
    """Every source hook point with its targets, which run after it; ``order`` are the names of ``points`` as they run.

    Raises :class:`InputError` for a layer that was not collected, and where nothing runs after a source.
    """
    rank = {name: number for number, name in enumerate(order)}
    ran = sorted(points, key=lambda point: rank[point.name])
    collected = ", ".join(point.label for point in points)
    for layer in (layer for pair in section.layers or () for layer in pair):
        if all(point.layer != layer for point in points):
            raise InputError(
                f"influence.layers names layer {layer}, of which nothing was collected: {collected}.",
                f"Add mlp.{layer}, or another hook point of this layer, to collect.hook_points and collect again.",
            )
    wanted: dict[str, tuple[HookPoint, ...]] = {}
    for number, source in enumerate(ran):
        wanted[source.name] = tuple(
            target
            for target in ran[number + 1 :]
            if whole(target) != whole(source)
            and (section.layers is None or (source.layer, target.layer) in section.layers)
        )
    found = [(source, wanted[source.name]) for source in ran if wanted[source.name]]
    if not found:
        raise InputError(
            f"Influence is of a hook point on a later one, and among these there is no such pair: {collected}.",
            "Name a later hook point as well in collect.hook_points, such as mlp.8 and mlp.10, and collect again.",
        )
    return found
