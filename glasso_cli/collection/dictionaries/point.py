"""The latents of a dictionary as the units of a hook point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glasso_cli.hooks.point import HookPoint


@dataclass(frozen=True)
class LatentPoint(HookPoint):
    """A hook point that is read through a dictionary: ``latents (width,)`` are the numbers of those that are kept.

    ``name``, ``layer`` and ``axes`` are those of the hook point underneath. A latent keeps its number in the dictionary:
    ``layers.9.sae[4711]``.
    """

    latents: tuple[int, ...] = ()

    @property
    def neuron_ids(self) -> list[str]:
        """The ids of the kept latents, such as ``layers.9.sae[4711]``."""
        return [f"{self.label}[{latent}]" for latent in self.latents]


def latent_point(base: HookPoint, latents: Sequence[int]) -> LatentPoint:
    """The ``latents``, in ascending order, of a dictionary that reads ``base``."""
    label = f"{base.name}.sae" if base.layer is None else f"layers.{base.layer}.sae"
    return LatentPoint(base.name, base.layer, len(latents), label, base.axes, latents=tuple(latents))
