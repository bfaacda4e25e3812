"""How a network reads several copies of a batch at once, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glasso_cli.collection.modules.run import read_items
from glasso_cli.collection.texts.reading import read_texts
from glasso_cli.config import CollectSection
from glasso_cli.console import Reporter
from glasso_cli.corpora.arrays import ArrayCorpus
from glasso_cli.corpora.windows import TokenizedCorpus
from glasso_cli.hooks.modules.axes import as_samples
from glasso_cli.hooks.record import Shaped, as_tokens
from glasso_cli.models.forward import errors_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from glasso_cli.collection.batch import ActivationBatch
    from glasso_cli.collection.reading import Reading
    from glasso_cli.hooks import HookPoint
    from glasso_cli.hooks.record import Recorder
    from glasso_cli.models.loaded import LoadedModel
    from glasso_cli.models.modules.network import ModuleNetwork


@dataclass(frozen=True, eq=False, kw_only=True)
class Feed:
    """A network with the documents that it reads, and how several copies of a batch go through it.

    ``call(batch, copies, whole)`` is a pass over ``copies`` of a batch, one after the other; ``whole`` where its output is
    wanted. ``shaped(batch, copies)`` makes ``(copies * rows, positions, width)`` of the tensor of a hook point.
    ``rows(batch)`` counts rows and positions. ``grid(read, batch)`` says of the clean activations which rows and positions are
    kept, their tokens (-1 beyond the end of a window), and the document of each row.
    """

    reading: Reading
    model: nn.Module
    call: Callable[[Any, int, bool], Callable[[], Any]]
    shaped: Callable[[Any, int], Shaped]
    rows: Callable[[Any], tuple[int, int]]
    grid: Callable[[ActivationBatch, Any], tuple[Tensor, Tensor, Tensor]]
    errors: Callable[[], AbstractContextManager[None]]
    causal: bool  # whether a token sees none after it


@contextmanager
def text_feed(
    loaded: LoadedModel,
    points: Sequence[HookPoint],
    corpus: TokenizedCorpus,
    section: CollectSection,
    reporter: Reporter,
) -> Iterator[Feed]:
    """A language model that reads windows of tokens; its hook points are checked first.

    Raises :class:`InputError` as :func:`glasso_cli.hooks.invariants.check_hook_points` does.
    """
    import torch

    from glasso_cli.hooks import record
    from glasso_cli.hooks.invariants import check_hook_points
    from glasso_cli.hooks.windows import lengths_can_mix

    invariants = check_hook_points(loaded, points)
    with record(loaded.model, points) as recorder:
        ordered = sorted(corpus.windows, key=lambda window: len(window.ids))
        extreme = [torch.from_numpy(window.ids).long() for window in (ordered[0], ordered[-1])]
        mixed = lengths_can_mix(loaded, recorder, extreme)
        reading = read_texts(
            loaded, points, recorder, corpus, invariants, section, mixed_lengths=mixed, reporter=reporter
        )
        yield _feed_of(loaded, reading, recorder)


def _feed_of(loaded: LoadedModel, reading: Reading, recorder: Recorder) -> Feed:
    import torch

    def call(batch: Any, copies: int, whole: bool) -> Callable[[], Any]:
        ids, attention = torch.from_numpy(batch.ids), torch.from_numpy(batch.attention)
        given = recorder.inputs(ids.repeat(copies, 1), attention.repeat(copies, 1), None)
        if whole:
            given.pop("logits_to_keep", None)
        return lambda: loaded.model(**given)

    def shaped(batch: Any, copies: int) -> Shaped:
        tokens = (copies * batch.ids.shape[0], batch.ids.shape[1])
        return lambda point, tensor: as_tokens(point, tensor, tokens)

    return Feed(
        reading=reading,
        model=loaded.model,
        call=call,
        shaped=shaped,
        rows=lambda batch: (batch.ids.shape[0], batch.ids.shape[1]),
        grid=lambda read, batch: (
            read.padded(read.kept, fill=False),
            read.padded(read.tokens, fill=-1),
            read.documents,
        ),
        errors=lambda: errors_of(loaded.model),
        causal=loaded.kind == "causal",
    )


@contextmanager
def array_feed(
    network: ModuleNetwork, points: Sequence[HookPoint], corpus: ArrayCorpus, section: CollectSection, seed: int
) -> Iterator[Feed]:
    """Any torch module that reads arrays: images, sequences or rows. Its hook points were checked by `collect`."""
    from dataclasses import replace

    from glasso_cli.hooks import record

    with record(network.module, points) as recorder:
        reading = read_items(network, points, recorder, corpus, section, {"mixed_lengths": False}, seed)

        def call(batch: Any, copies: int, whole: bool) -> Callable[[], Any]:
            given = batch.to_tensors()
            several = replace(
                given,
                values=given.values.repeat(copies, *[1] * (given.values.ndim - 1)),
                lengths=given.lengths.repeat(copies),
            )
            return lambda: network.run_with_gradients(several)

        def shaped(batch: Any, copies: int) -> Shaped:
            return lambda point, tensor: as_samples(point, tensor, copies * len(batch.items))

        yield Feed(
            reading=reading,
            model=network.module,
            call=call,
            shaped=shaped,
            rows=lambda batch: (len(batch.items), _positions(batch)),
            grid=_grid_of_items,
            errors=network.errors,
            causal=False,
        )


def _positions(batch: Any) -> int:
    """How many samples an item gives, at most."""
    largest = batch.windows[0]
    return max(1, int(largest.size) // len(largest.items))


def _grid_of_items(read: ActivationBatch, batch: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Rows are items: of a window of rows each, or one with all its positions."""
    if len(read.rules) == len(batch.items):
        return read.kept[:, None], read.tokens[:, None], read.documents[read.window_of()]
    return read.padded(read.kept, fill=False), read.padded(read.tokens, fill=-1), read.documents
