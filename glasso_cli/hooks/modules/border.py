"""Which positions of an image depend on the padding at its border, measured and not derived.

Two passes over the same documents differ only in what the padding holds: what the network puts there, and noise. A
position whose units differ reads over the border, whatever the path through the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from glasso_cli.hooks.modules.axes import as_samples
from glasso_cli.hooks.record import record

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from glasso_cli.hooks.point import HookPoint
    from glasso_cli.models.modules.network import ModuleBatch, ModuleNetwork

CHANGED = 1e-4  # of the mean norm: a smaller difference is that of sums in another order


def positions_at_border(network: ModuleNetwork, points: Sequence[HookPoint], batch: ModuleBatch) -> list[Tensor]:
    """For each hook point, which of its positions depend on padding, ``(S,)`` bool; all documents count together."""
    count = len(batch.values)
    with record(network.module, points) as recorder:

        def read() -> list[Tensor]:
            return recorder.read(
                lambda: network.run(batch), lambda point, tensor: as_samples(point, tensor, count), network.errors()
            )

        plain = read()
        with _noise_in_padding(network.device):
            noisy = read()
    return [_differ(one, other) for one, other in zip(plain, noisy, strict=True)]


def ends_at_border(
    network: ModuleNetwork, points: Sequence[HookPoint], batches: Sequence[ModuleBatch]
) -> list[tuple[int, int] | None]:
    """For each hook point, how many positions at the start and at the end of a sequence depend on padding.

    Every batch holds sequences of one length; the largest numbers over ``batches`` count. None where one lies apart from
    both ends, so that no number of positions at the ends holds them all.
    """
    found: list[tuple[int, int] | None] = [(0, 0)] * len(points)
    for batch in batches:
        for place, border in enumerate(positions_at_border(network, points, batch)):
            clear = (~border).nonzero()[:, 0].tolist()
            known = found[place]
            if known is None or not clear or bool(border[clear[0] : clear[-1]].any()):
                found[place] = None
            else:
                found[place] = max(known[0], clear[0]), max(known[1], len(border) - 1 - clear[-1])
    return found


def border_of(grid: Sequence[int], width: int) -> Tensor:
    """Which positions of a grid lie less than ``width`` from its border, ``(S,)`` bool."""
    import torch

    inside = torch.zeros(tuple(grid), dtype=torch.bool)
    inside[tuple(slice(width, max(width, size - width)) for size in grid)] = True
    return ~inside.flatten()


def _differ(plain: Tensor, noisy: Tensor) -> Tensor:
    distance = (plain - noisy).norm(dim=2)
    same: Tensor = (distance <= CHANGED * plain.norm(dim=2).mean()).all(0)
    return ~same


def _noise_in_padding(device: torch.device) -> Any:
    """A context in which convolutions, pooling and ``pad`` find noise where they would find padding."""
    import torch
    from torch.overrides import TorchFunctionMode

    generator = torch.Generator(device=device).manual_seed(0)

    def padded(tensor: Tensor, widths: Sequence[int]) -> Tensor:
        grown = torch.nn.functional.pad(tensor, list(widths))
        noise = torch.randn(grown.shape, generator=generator, device=tensor.device, dtype=torch.float32)
        noise = noise.to(tensor.dtype) * (tensor.std() + tensor.abs().mean() + 1e-6)
        inside = torch.nn.functional.pad(torch.ones_like(tensor, dtype=torch.bool), list(widths))
        return torch.where(inside, grown, noise)

    class Noise(TorchFunctionMode):
        """Sees every function of torch before it runs."""

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given = dict(kwargs or {})
            name = getattr(func, "__name__", "")
            with torch._C.DisableTorchFunction():
                if name in ("conv1d", "conv2d", "conv3d"):
                    widths = _widths_of_convolution(args, given)
                    if any(widths):
                        args, given = _without_padding(args, given, 4)
                        args = (padded(args[0], widths), *args[1:])
                elif name in ("max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d"):
                    place = 3
                    width = given.get("padding", args[place] if len(args) > place else 0)
                    widths = _symmetric(width, args[0].ndim - 2)
                    if any(widths):
                        args, given = _without_padding(args, given, place)
                        args = (padded(args[0], widths), *args[1:])
                elif name == "pad" and given.get("mode", args[2] if len(args) > 2 else "constant") == "constant":
                    return padded(args[0], given.get("pad", args[1] if len(args) > 1 else ()))
                return func(*args, **given)

    return Noise()


def _widths_of_convolution(args: Any, kwargs: dict[str, Any]) -> list[int]:
    """The padding of a call ``(input, weight, bias, stride, padding, dilation, groups)``, in the order of ``pad``."""
    padding = kwargs.get("padding", args[4] if len(args) > 4 else 0)
    weight: Any = kwargs["weight"] if "weight" in kwargs else args[1]
    kernel = list(weight.shape[2:])
    if padding == "valid":
        return [0]
    if padding == "same":
        dilation = kwargs.get("dilation", args[5] if len(args) > 5 else 1)
        dilations = list(dilation) if isinstance(dilation, tuple | list) else [dilation] * len(kernel)
        totals = [step * (size - 1) for step, size in zip(dilations, kernel)]
        return [width for total in reversed(totals) for width in (total // 2, total - total // 2)]
    return _symmetric(padding, len(kernel))


def _symmetric(padding: Any, axes: int) -> list[int]:
    widths = list(padding) if isinstance(padding, tuple | list) else [padding]
    widths = widths * axes if len(widths) == 1 else widths
    return [width for size in reversed(widths) for width in (size, size)]


def _without_padding(args: Any, kwargs: dict[str, Any], place: int) -> tuple[Any, dict[str, Any]]:
    if "padding" in kwargs:
        return args, {**kwargs, "padding": 0}
    return (*args[:place], 0, *args[place + 1 :]), kwargs
