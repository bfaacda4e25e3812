"""Whether the closed form is the exact derivative, on a sample of source neurons and built-in texts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.collection.orientation import reference_windows
from glasso_cli.corpora.windows import batches
from glasso_cli.derivatives.frozen import held_derivatives
from glasso_cli.derivatives.maps import maps_of
from glasso_cli.derivatives.pairs import derivatives
from glasso_cli.derivatives.reader import PairReader, pairs_read
from glasso_cli.derivatives.sums import SummedFactors
from glasso_cli.errors import InputError
from glasso_cli.hooks.neurons import probe_ids
from glasso_cli.models.forward import errors_of
from glasso_cli.models.loaded import padding_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from glasso_cli.derivatives.layout.pair import LayerPair
    from glasso_cli.models.loaded import LoadedModel

SOURCES = 8  # random neurons
TEXTS = 4  # of the reference texts
TOLERANCE = 1e-3
_BLOCKS = 2  # an error of nothing is needed here


@dataclass(frozen=True)
class Discrepancy:
    """The distance of the closed form from the exact derivative, over its norm: of means over tokens, and of RMS."""

    mean: float
    rms: float


def checked(loaded: LoadedModel, pair: LayerPair) -> Discrepancy:
    """How exact the closed form is; raises :class:`InputError` above ``TOLERANCE``."""
    import torch

    sources = np.sort(np.random.default_rng(0).permutation(pair.source.width)[:SOURCES])
    sample = _inputs(loaded)
    closed = closed_form(loaded, pair, torch.from_numpy(sources), sample)
    exact = _exact(loaded, pair, sources, sample)
    found = Discrepancy(*(_distance(one, other) for one, other in zip(closed, exact)))
    if not max(found.mean, found.rms) <= TOLERANCE:  # nan, too
        more = "Set model.dtype: float32." if loaded.dtype != "float32" else "Leave this pair out of influence.layers."
        raise InputError(
            f"The closed form of influence from '{pair.source.label}' to '{pair.target.label}' is {max(found.mean, found.rms):.1e} "
            f"off the exact derivative, and may be {TOLERANCE:g} off.",
            more,
        )
    return found


def closed_form(
    loaded: LoadedModel, pair: LayerPair, sources: Tensor, sample: Sequence[dict[str, Tensor]]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and root mean square of the derivative over all tokens of ``sample``, each ``(sources, p)``."""
    import torch

    targets = torch.arange(pair.target.width, device=loaded.device)
    sums = SummedFactors(pair, range(_BLOCKS), targets)
    reader = PairReader(pair)
    with pairs_read(loaded.model, [reader]), torch.no_grad(), errors_of(loaded.model):
        for inputs in sample:
            loaded.model(**{name: tensor.to(loaded.device) for name, tensor in inputs.items()})
            kept = inputs["attention_mask"].reshape(-1).nonzero()[:, 0].to(loaded.device)
            sums.add(reader.take(kept), torch.arange(len(kept), device=loaded.device) % _BLOCKS)
    groups = list(derivatives(sums.finish(), maps_of(pair, sources.to(loaded.device), targets)))
    rms = [
        group.rms(*(part.ravel() for part in np.indices(group.mean.shape)))[0].reshape(group.mean.shape)
        for group in groups
    ]
    return np.concatenate([group.mean for group in groups]).T, np.concatenate(rms).T


def _exact(
    loaded: LoadedModel, pair: LayerPair, sources: np.ndarray, sample: Sequence[dict[str, Tensor]]
) -> tuple[np.ndarray, np.ndarray]:
    import torch

    means, roots = [], []
    for neuron in sources.tolist():
        parts = [
            held_derivatives(loaded, pair, neuron, inputs)[inputs["attention_mask"].bool().to(loaded.device)]
            for inputs in sample
        ]
        values = torch.cat(parts).double()
        means.append(values.mean(0).cpu().numpy())
        roots.append(values.square().mean(0).sqrt().cpu().numpy())
    return np.stack(means), np.stack(roots)


def _inputs(loaded: LoadedModel) -> list[dict[str, Tensor]]:
    """The beginnings of some built-in texts; some token ids where the tokenizer has no token for them."""
    import torch

    windows = list(islice(reference_windows(loaded), TEXTS))
    if not windows:
        ids = probe_ids(loaded.model)
        return [{"input_ids": ids, "attention_mask": torch.ones_like(ids)}]
    return [
        {"input_ids": torch.from_numpy(batch.ids), "attention_mask": torch.from_numpy(batch.attention).long()}
        for batch in batches(windows, budget=1_024, pad_id=padding_id(loaded.tokenizer), mixed_lengths=False)
    ]


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    norm = float(np.linalg.norm(other))
    return float(np.linalg.norm(one - other)) / norm if norm > 0 else float(np.abs(one).max(initial=0))
