"""Effects where none can be: every run measures them on its first batch, and they must be zero to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from glasso_cli.artifacts.metrics.interventions import ImpossiblePairs
from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint, ablate, record
from glasso_cli.hooks.edit import Intervention
from glasso_cli.intervention.changes import Changes
from glasso_cli.intervention.feed import Feed
from glasso_cli.intervention.passes import Edit, Passes
from glasso_cli.intervention.sources import Source
from glasso_cli.intervention.study import Study

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.collection.reading import Reader

_SOURCES = 4  # that are tried


def impossible_pairs(
    passes: Passes,
    study: Study,
    changes: Changes,
    delta: float,
    batch: Any,
    reader: Reader,
    earlier: HookPoint | None,
) -> ImpossiblePairs:
    """The largest effects on what no change can reach.

    Whole passes show other neurons of the source hook point, and a hook point that runs before it. Passes that begin at
    the source show the targets at earlier positions, and with the source set to its own values. Each is compared with an unchanged
    pass of the same shape. Raises :class:`InputError` where one is not zero.
    """
    some = study.sources[:: max(1, len(study.sources) // _SOURCES)][:_SOURCES]
    same, before = _whole(passes.feed, study.source, changes, some, delta, batch, earlier)
    with passes.over(batch, reader, len(some)):
        clean, _ = passes.edited([], len(some))
        own = _apart(passes, batch, study.source, len(some))
        patched, _ = passes.edited([_own_values(source, study, own) for source in some], len(some))
        patch = _largest(patched, clean)
        position = _earlier_position(passes, changes, some, delta, batch, clean)
    found = ImpossiblePairs(same, before, None if earlier is None else earlier.label, position, patch)
    for what, value in (
        ("other neurons of the source hook point", same),
        (f"the earlier hook point '{found.earlier_point}'", before),
        ("earlier positions", position),
        ("the targets of a source that is set to its own values", patch),
    ):
        if value:
            raise InputError(
                f"A change of '{study.source.label}' shows an effect of {value:.2g} on {what}, where none can be.",
                "This network cannot be measured; try model.dtype: float32, model.device: cpu, or intervene.mode: free.",
            )
    return found


def _whole(
    feed: Feed,
    source: HookPoint,
    changes: Changes,
    some: Sequence[Source],
    delta: float,
    batch: Any,
    earlier: HookPoint | None,
) -> tuple[float, float | None]:
    """Whole passes with and without one source changed: the largest change of other neurons there, and of the earlier point."""
    import torch

    points = [source] if earlier is None else [source, earlier]
    same, before = 0.0, 0.0
    shaped = feed.shaped(batch, 1)
    for one in some[:2]:
        edit = changes.step(one, delta)
        pushed = Intervention(source, _of_rows(edit), edit.neurons)
        with ablate(feed.model, [pushed]), record(feed.model, points) as recorder:
            changed = recorder.read(feed.call(batch, 1, False), shaped, feed.errors())
        with record(feed.model, points) as recorder:
            clean = recorder.read(feed.call(batch, 1, False), shaped, feed.errors())
        others = torch.ones(source.width, dtype=torch.bool, device=clean[0].device)
        others[list(edit.neurons)] = False
        same = max(same, _largest([changed[0][..., others]], [clean[0][..., others]]))
        before = max(before, _largest(changed[1:], clean[1:]))
    return same, None if earlier is None else before


def _of_rows(edit: Edit) -> Any:
    """The change of an edit, for values of any number of axes ``(rows, …, neurons)``."""

    def change(current: Tensor) -> Tensor:
        apart = current.reshape(current.shape[0], -1, current.shape[-1])
        return edit.change(apart).to(current.dtype).reshape(current.shape)

    return change


def _apart(passes: Passes, batch: Any, source: HookPoint, copies: int) -> Tensor:
    """The clean values at the source hook point, ``(rows, positions, width)``."""
    with record(passes.feed.model, [source]) as recorder:
        call, shaped = passes.feed.call(batch, copies, False), passes.feed.shaped(batch, copies)
        (values,) = recorder.read(call, shaped, passes.feed.errors())
    first: Tensor = values.unflatten(0, (copies, -1))[0]
    return first


def _own_values(source: Source, study: Study, own: Tensor) -> Edit:
    places = tuple(int(study.candidates.places[member]) for member in source.members)
    return Edit(places, lambda current: own[..., list(places)])


def _earlier_position(
    passes: Passes, changes: Changes, some: Sequence[Source], delta: float, batch: Any, clean: Sequence[Tensor]
) -> float | None:
    """The largest change before the middle of the windows, where sources are changed from the middle on."""
    import torch

    rows, positions = passes.feed.rows(batch)
    if not passes.feed.causal or positions < 2:
        return None
    later = (torch.arange(positions, device=clean[0].device) >= positions // 2).expand(rows, -1)
    read, _ = passes.edited([changes.step(source, delta) for source in some], len(some), later)
    half = positions // 2
    return _largest([part[:, :, :half] for part in read], [part[:, :, :half] for part in clean])


def _largest(changed: Sequence[Tensor], clean: Sequence[Tensor]) -> float:
    return max((float((one - other).abs().max()) for one, other in zip(changed, clean) if one.numel()), default=0.0)
