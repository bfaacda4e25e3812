"""What one pass over a corpus needs of a network and its documents, whatever their kind."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from glasso_cli.artifacts.metrics.collect import DocumentCounts, ModelRead
from glasso_cli.collection.contexts import WINDOWS, Extent

if TYPE_CHECKING:
    import torch

    from glasso_cli.collection.autocorrelation import Autocorrelation
    from glasso_cli.collection.batch import ActivationBatch
    from glasso_cli.collection.modules.grid import GridAutocorrelation
    from glasso_cli.hooks import HookPoint
    from glasso_cli.models.network import Network


class Windowed(Protocol):
    """What goes through the network as a whole: of a document counted from 0, with ``size`` samples."""

    @property
    def document(self) -> int: ...

    @property
    def size(self) -> int: ...


AnyWindow = TypeVar("AnyWindow", bound=Windowed)


def windows_within(windows: Sequence[AnyWindow], limit: int | None) -> list[AnyWindow]:
    """``windows`` in the order of their documents, up to and including the document that reaches ``limit`` samples; None takes all."""
    taken: list[AnyWindow] = []
    total = 0
    for _, own in itertools.groupby(
        sorted(windows, key=lambda window: window.document), lambda window: window.document
    ):
        of_document = list(own)
        taken += of_document
        total += sum(window.size for window in of_document)
        if limit is not None and total >= limit:
            break
    return taken


class Reader(Protocol):
    """Turns batches into activations; ``limits`` and ``columns`` are what the pilot decides."""

    limits: list[float] | None  # norms over these are massive, one per hook point
    columns: torch.Tensor | None  # indices of the neurons to keep; None keeps all

    def read(self, batch: Any) -> ActivationBatch:
        """The activations of a batch, with their masks."""

    def set_limits(self, sample: ActivationBatch) -> ActivationBatch:
        """Learn the limits from ``sample``, and mask it by them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Reading:
    """A network at its hook points, and the documents that it reads.

    ``batches(windows, budget)`` gives batches of at most about ``budget`` samples, longest first. Documents and windows
    are counted as they are read. ``symbols`` names the tokens of contexts by their ids; ``extent`` is that of contexts.
    Documents that are no texts have ``crops``, which show samples: see :func:`glasso_cli.collection.contexts.context_arrays`.
    ``autocorrelation(width, lags, device)`` makes the sums for one block. ``fresh(seed)`` is the reading of the
    same documents by the network with fresh weights.
    """

    network: Network
    points: Sequence[HookPoint]
    gated: Sequence[bool]  # of every hook point
    windows: Sequence[Windowed]
    counts: Callable[[], DocumentCounts]  # reads all documents, to find those that repeat others
    samples: str  # what a sample is called: tokens, positions, …
    batches: Callable[[Sequence[Any], int], Iterator[Any]]
    reader: Callable[[], Reader]
    orientation: Callable[[], np.ndarray]
    symbols: Callable[[np.ndarray], list[str]] | None  # None where contexts cannot be shown
    autocorrelation: Callable[[int, int, torch.device], Autocorrelation | GridAutocorrelation]
    dtype_difference: Callable[[Any], dict[str, Any]]
    invariants: dict[str, Any]
    batch_samples: dict[str, int]  # samples in a batch by default, by the kind of device
    fresh: Callable[[int], AbstractContextManager[Reading]]
    pilot_windows: int = 0  # the least that the pilot sample holds, where memory allows
    sparse: bool = False  # whether the products of values are summed from those that are not zero
    keeps_values: bool = False  # whether these are kept themselves, in the place of second moments
    extent: Extent = WINDOWS
    crops: Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]] | None = None
    weighted_lags: bool = False  # whether autocorrelations are weighted by how many pairs a lag has

    @property
    def device(self) -> torch.device:
        """Of the activations."""
        return self.network.device

    @property
    def model(self) -> ModelRead:
        """What the artifact says of the network."""
        return ModelRead(self.network.kind, self.network.dtype, self.network.n_layers)


def windows_of_block(windows: Sequence[AnyWindow], index: int, blocks: int) -> list[AnyWindow]:
    """The windows of one block: documents ``index``, ``index + blocks``, …

    Neighbouring documents go to different blocks, so that an ordered corpus (all negative reviews first) does not make
    blocks of different kinds.
    """
    return [window for window in windows if window.document % blocks == index]
