"""The pilot sample: a few thousand tokens of random documents, read before anything is summed.

It fixes the centre of the moments, the norm that is massive, the neurons of highest variance, the quantile examples and
the tables of normal scores. All of these need values side by side; everything after streams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.collection.batch import ActivationBatch
from glasso_cli.collection.normal_scores import NormalScores
from glasso_cli.collection.reading import AnyWindow
from glasso_cli.collection.tails import steps_of

if TYPE_CHECKING:
    import torch

_PANEL = 256  # neurons whose float64 copy is made at a time


@dataclass(frozen=True, eq=False)
class Pilot:
    """What the sample says about p neurons: ``mean (p,)``, ``std (p,)``, both float32, and the transform, if any.

    ``std`` is a scale: it is at least a millionth of the largest one, and never 0. ``steps (p, STEPS)`` are those of
    :mod:`glasso_cli.collection.tails`, for squares of ``(x - mean) / std``.
    """

    mean: torch.Tensor
    std: torch.Tensor
    transform: NormalScores | None
    steps: torch.Tensor

    def centred(self, values: torch.Tensor) -> torch.Tensor:
        """The values whose moments are summed: minus the mean, or their normal scores (already central)."""
        return values - self.mean if self.transform is None else self.transform(values)

    def centre(self) -> np.ndarray:
        """What ``centred`` subtracts, ``(p,)`` float64."""
        mean = self.mean.double().cpu().numpy()
        return mean if self.transform is None else np.zeros_like(mean)


def sample_windows(windows: Sequence[AnyWindow], tokens: int, seed: int) -> list[AnyWindow]:
    """Random windows, without replacement, with at least ``tokens`` tokens in all (or every window)."""
    order = np.random.default_rng([seed, 0x9E37]).permutation(len(windows))
    lengths = np.array([windows[i].size for i in order]).cumsum()
    stop = int(np.searchsorted(lengths, tokens)) + 1
    return [windows[i] for i in order[:stop]]


def measure_sample(sample: ActivationBatch, transform: str) -> Pilot:
    """The pilot of a sample: moments of its kept tokens, and the tables of ``normal_scores``."""
    values = sample.values[sample.kept]
    mean, variance = _mean_and_variance(values)
    std = variance.sqrt()
    # A neuron that slept through the sample may wake up later: its fourth power must not overflow.
    std = std.clamp(min=float(std.max()) * 1e-6 or 1.0)
    scores = NormalScores.fit(values) if transform == "normal_scores" else None
    centre, scale = mean.float(), std.float()
    return Pilot(centre, scale, scores, _tail_steps(values, centre, scale))


def _tail_steps(values: torch.Tensor, centre: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """The steps ``(p, STEPS)`` of the tails, a panel of neurons at a time."""
    import torch

    panels = zip(values.split(_PANEL, dim=1), centre.split(_PANEL), scale.split(_PANEL))
    return torch.cat([steps_of(((columns - mean) / std).square_()) for columns, mean, std in panels])


def highest_variance(sample: ActivationBatch, count: int) -> np.ndarray:
    """Indices of the ``count`` neurons of highest variance in the sample, increasing."""
    variance = _mean_and_variance(sample.values[sample.kept])[1].cpu().numpy()
    order = np.argsort(-variance, kind="stable")[:count]
    return np.sort(order)


def _mean_and_variance(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Both ``(p,)`` in float64, a panel of neurons at a time: all of them would take twice the sample's memory."""
    import torch

    by_panel = [torch.var_mean(columns.double(), dim=0, correction=0) for columns in values.split(_PANEL, dim=1)]
    variance, mean = (torch.cat(part) for part in zip(*by_panel, strict=True))
    return mean, variance
