"""How the tokens of an image lie: which are patches, on what grid, and which belong to no place of the image.

Measured and not derived: a token that enters the first layer with the same values for two images of noise, such as a class
token or a register, is special. The other tokens are patches row by row, if noise in two corners of the image enters where
this order puts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError
from glasso_cli.hooks.record import first_tensor

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.hooks.point import HookPoint
    from glasso_cli.models.modules.network import ModuleBatch, ModuleNetwork

_SAME = 1e-6  # of the largest value


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of every image, ``T`` of them.

    ``order (T,)`` puts the patches first, row by row, and special tokens behind them; ``special (T,)`` says which these are,
    in that order. ``grid`` has room for all tokens, with the special ones in rows below the patches; None where patches lie
    on no grid.
    """

    order: Tensor
    special: Tensor
    grid: tuple[int, int] | None


def tokens_of(network: ModuleNetwork, point: HookPoint, batch: ModuleBatch, count: int) -> Tokens | None:
    """How ``count`` tokens at ``point`` lie in the documents of ``batch``; None where nothing tells them from a sequence.

    Raises :class:`InputError` for tokens of an image of which it is unknown whether they are patches.
    """
    import torch

    if network.kind == "torch" or network.stack is None or len(point.axes) != 3:
        return None
    first, second = (_noise(batch.values[:1], seed) for seed in (0, 1))
    entering = [_entering(network, values, batch) for values in (first, second)]
    if entering[0] is None or entering[1] is None:
        return None
    constant = _unchanged(entering[0], entering[1])
    special = constant if len(constant) == count else torch.zeros(count, dtype=torch.bool)
    patches = int((~special).sum())
    order = torch.cat([torch.arange(count)[~special], torch.arange(count)[special]])
    if network.kind != "image" or batch.values.ndim != 4:
        return Tokens(torch.arange(count), special, None)
    sides = (int(batch.values.shape[2]), int(batch.values.shape[3]))
    grid = _grid(patches, *sides)
    if grid is None and len(constant) != count:
        raise InputError(
            f"Hook point '{point.name}' has {count} tokens, which lie on no grid of an image of {sides[0]} x {sides[1]} "
            "pixels, so that nothing says which of them are patches.",
            "Choose a hook point in another layer.",
        )
    if grid is None or (len(constant) == count and not _row_by_row(network, first, batch, entering[0], order, grid)):
        return Tokens(torch.arange(count), special, None)
    rows = grid[0] + -(-(count - patches) // grid[1])
    return Tokens(order, special[order], (rows, grid[1]))


def _noise(like: Tensor, seed: int) -> Tensor:
    import torch

    noise = torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))
    return noise.to(like.dtype) if like.is_floating_point() else like


def _entering(network: ModuleNetwork, values: Tensor, batch: ModuleBatch) -> Tensor | None:
    """What enters the first layer, ``(T, width)``; None where it has other axes."""
    from glasso_cli.models.modules.network import ModuleBatch

    assert network.stack is not None
    seen: list[Tensor] = []

    def keep(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        tensor = first_tensor(args or kwargs)
        if tensor is not None:
            seen.append(tensor.detach().float().cpu().clone())

    handle = network.module.get_submodule(network.stack.path_of(0)).register_forward_pre_hook(keep, with_kwargs=True)
    try:
        with network.errors():
            network.run(ModuleBatch(values, batch.lengths[:1]))
    finally:
        handle.remove()
    return seen[0][0] if seen and seen[0].ndim == 3 and len(seen[0]) == 1 else None


def _unchanged(first: Tensor, second: Tensor) -> Tensor:
    """Which tokens of two tensors ``(T, width)`` are equal, ``(T,)`` bool."""
    distance = (first - second).abs().amax(1)
    unchanged: Tensor = distance <= _SAME * first.abs().max()
    return unchanged


def _grid(patches: int, height: int, width: int) -> tuple[int, int] | None:
    """The rows and columns of square patches that give this many, cut off or filled up at the border; None if there are none."""
    for side in range(1, max(height, width) + 1):
        for rows, columns in ((height // side, width // side), (-(-height // side), -(-width // side))):
            if rows * columns == patches:
                return rows, columns
    return None


def _row_by_row(
    network: ModuleNetwork,
    values: Tensor,
    batch: ModuleBatch,
    plain: Tensor,
    order: Tensor,
    grid: tuple[int, int],
) -> bool:
    """Whether noise in two corners of an image changes most the patches that lie there, if they lie row by row.

    ``plain`` is what enters the first layer for the image ``values``.
    """
    rows, columns = grid
    height, width = max(1, values.shape[2] // rows), max(1, values.shape[3] // columns)
    corners = {
        columns - 1: (slice(0, height), slice(values.shape[3] - width, None)),
        (rows - 1) * columns: (slice(values.shape[2] - height, None), slice(0, width)),
    }
    for place, (down, right) in corners.items():
        changed = values.clone()
        changed[:, :, down, right] += 3
        made = _entering(network, changed, batch)
        if made is None:
            return False
        distance = (made - plain).norm(dim=1)[order][: rows * columns]
        if int(distance.argmax()) != place:
            return False
    return True
