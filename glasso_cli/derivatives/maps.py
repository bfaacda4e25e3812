"""The matrices of the closed form for chosen neurons, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.derivatives.layout.pair import LayerPair


@dataclass(frozen=True, eq=False)
class Maps:
    """The matrices of the closed form, for m source neurons and p target neurons: K paths, R responses."""

    writes: np.ndarray  # (K, d, m) float32: what a unit of each source adds on each path
    reads: np.ndarray  # (R, p, d) float32: what the gate, and the up-projection, of each target reads


def maps_of(pair: LayerPair, sources: Tensor, targets: Tensor) -> Maps:
    """The matrices of the closed form for chosen neurons, indices ``(m,)`` and ``(p,)`` into the hook points."""
    import torch

    reads = [part.weight()[targets] for part in (pair.gate, pair.up) if part is not None]
    writes = torch.stack(list(pair.writes(sources)))
    return Maps(writes.cpu().numpy(), torch.stack(reads).cpu().numpy())
