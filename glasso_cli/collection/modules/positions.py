"""Where the samples of arrays are: the positions at each hook point, how many there are, and which depend on padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.collection.modules.windows import batch_of
from glasso_cli.config import CollectSection
from glasso_cli.corpora.arrays import ArrayCorpus
from glasso_cli.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.hooks import HookPoint
    from glasso_cli.hooks.modules.tokens import Tokens
    from glasso_cli.hooks.record import Recorder
    from glasso_cli.models.modules.network import ModuleNetwork

PROBED = 16  # documents that show what depends on the border
PROBED_LENGTHS = 8  # where sequences differ in length: of which the same is asked
CHECKED = 4  # documents that go through the network one by one


def spread(corpus: ArrayCorpus, count: int) -> list[Tensor]:
    """Up to ``count`` items: the shortest and the longest of them, and others spread over the corpus."""
    import torch

    lengths = corpus.lengths
    places = np.linspace(0, len(corpus.items) - 1, count).astype(int).tolist()
    ends = [int(np.argmin(lengths)), int(np.argmax(lengths))] if len(set(lengths)) > 1 else []
    chosen = dict.fromkeys([*ends, *places])
    return [torch.from_numpy(corpus.item(index)) for index in list(chosen)[:count]]


def grids_of(
    network: ModuleNetwork, points: Sequence[HookPoint], recorder: Recorder, item: np.ndarray
) -> list[tuple[int, ...]]:
    """The positions at every hook point of one item, by axis."""
    import torch

    from glasso_cli.hooks.modules.axes import as_samples, grid_of

    grids: dict[str, tuple[int, ...]] = {}

    def shaped(point: HookPoint, tensor: Tensor | None) -> Tensor:
        samples = as_samples(point, tensor, 1)
        assert tensor is not None
        grids[point.name] = grid_of(point, tensor) or (1,)
        return samples

    batch = batch_of([torch.from_numpy(item)])
    recorder.read(lambda: network.run(batch), shaped, network.errors())
    return [grids[point.name] for point in points]


def sizes_between(lengths: Sequence[int], shortest: int, longest: int) -> list[int]:
    """About how many samples each sequence gives, from those of the shortest and of the longest one.

    Exact where every step gives one. With a stride it is right within one, which is enough to fill batches.
    """
    ends = min(lengths), max(lengths)
    return [round(size) for size in np.interp(lengths, ends, (shortest, longest)).tolist()]


def tokens_in(
    network: ModuleNetwork,
    points: Sequence[HookPoint],
    longest: np.ndarray,
    grids: Sequence[tuple[int, ...]],
    *,
    one_size: bool,
) -> list[Tokens | None]:
    """How the tokens of the longest item lie at each hook point of a model of transformers; None for what are no tokens."""
    import torch

    from glasso_cli.hooks.modules.tokens import tokens_of

    batch = batch_of([torch.from_numpy(longest)])
    known: dict[tuple[int, int], Tokens | None] = {}  # by what of a hook point decides
    found = []
    for point, grid in zip(points, grids, strict=True):
        key = (grid[0], len(point.axes))
        if key not in known:
            known[key] = tokens_of(network, point, batch, grid[0])
        found.append(known[key])
    if one_size:
        return found
    if any(tokens is not None and bool(tokens.special.any()) for tokens in found):
        raise InputError(
            "This network puts special tokens among the others, and the documents differ in length.",
            "Give documents of one length.",
        )
    return [None] * len(points)


def at_border(
    network: ModuleNetwork,
    points: Sequence[HookPoint],
    corpus: ArrayCorpus,
    grids: Sequence[tuple[int, ...]],
    section: CollectSection,
) -> list[Tensor] | None:
    """The positions of each hook point that lie at the border of an image; None where none can."""
    from glasso_cli.hooks.modules.border import border_of, positions_at_border

    if all(int(np.prod(grid)) == 1 for grid in grids) or section.mask.border == 0:
        return None
    if all(len(grid) == 1 for grid in grids) and _are_tokens(network, points, section):
        return None
    if section.mask.border != "auto":
        return [border_of(grid, section.mask.border) for grid in grids]
    found = positions_at_border(network, points, batch_of(spread(corpus, PROBED)))
    if section.positions == "each" and all(bool(border.all()) for border in found):
        raise InputError(
            f"Every position at {points[0].label} ({shown(grids[0])}) depends on the padding at the border of the image.",
            "Take an earlier hook point or larger images; or set collect.mask.border to a number, 0 for none.",
        )
    return found


def _are_tokens(network: ModuleNetwork, points: Sequence[HookPoint], section: CollectSection) -> bool:
    """Whether positions on one axis are tokens of a model of transformers, whose attention lets all depend on all.

    Raises :class:`InputError` where a border is asked for all the same.
    """
    if network.kind == "torch":
        return False
    if section.mask.border not in ("auto", 0):
        raise InputError(
            f"{points[0].label} has tokens and no image with a border, so collect.mask.border has no effect.",
            "Delete it.",
        )
    return True


def ends_at_padding(
    network: ModuleNetwork,
    points: Sequence[HookPoint],
    corpus: ArrayCorpus,
    lengths: Sequence[int],
    section: CollectSection,
) -> list[tuple[int, int]]:
    """How many positions of each hook point depend on padding at both ends of sequences whose lengths differ."""
    import torch

    from glasso_cli.hooks.modules.border import ends_at_border

    if _are_tokens(network, points, section):
        return [(0, 0)] * len(points)
    if section.mask.border != "auto":
        return [(section.mask.border, section.mask.border)] * len(points)
    different = sorted(set(lengths))
    chosen = {different[place] for place in np.linspace(0, len(different) - 1, PROBED_LENGTHS).astype(int)}
    batches = []
    for length in sorted(chosen):
        items = [index for index, found in enumerate(lengths) if found == length][:CHECKED]
        batches.append(batch_of([torch.from_numpy(corpus.item(index)) for index in items]))
    found = ends_at_border(network, points, batches)
    unknown = next((point for point, ends in zip(points, found) if ends is None), None)
    if unknown is not None:
        raise InputError(
            f"At {unknown.label}, all positions of a sequence depend on the padding at its ends, or positions in its middle do.",
            "Take an earlier hook point or longer sequences; or set collect.mask.border to a number, 0 for none.",
        )
    return [ends for ends in found if ends is not None]


def shown(grid: Sequence[int]) -> str:
    return " x ".join(map(str, grid))
