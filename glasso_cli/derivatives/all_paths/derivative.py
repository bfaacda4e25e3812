"""Derivatives of later neurons along pushes at every token of a batch: forward mode, or central differences.

In forward mode one pass gives several derivatives, and computes the values of the network once for all of them. Passes
begin where the push enters, and end at the last target.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glasso_cli.hooks import HookPoint, ablate, record
from glasso_cli.hooks.edit import Intervention, add
from glasso_cli.hooks.replay import Replay
from glasso_cli.intervention.passes import POSITIONS

if TYPE_CHECKING:
    from torch import Tensor, nn

    from glasso_cli.hooks.record import Recorder
    from glasso_cli.intervention.feed import Feed


@dataclass(frozen=True, eq=False)
class Targets:
    """Hook points at which derivatives are taken, and the coordinates of the neurons that count, ``(p,)`` each."""

    points: tuple[HookPoint, ...]
    neurons: tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Derivative:
    """Derivatives of ``targets`` along pushes at ``point``. Raises what the code of the network raises.

    ``step`` is that of central differences, in the unit of each push; None means forward mode. ``double`` runs the network
    in float64.
    """

    feed: Feed
    point: HookPoint
    targets: Targets
    step: float | None = None
    double: bool = False

    def at_once(self, batch: Any) -> int:
        """How many pushes share a pass over ``batch``."""
        rows, positions = self.feed.rows(batch)
        fit = POSITIONS[self.feed.reading.device.type] // (rows * positions)
        return max(1, fit if self.step is None else fit // 2)

    def along(self, batch: Any, kept: Tensor, vectors: Tensor, units: Tensor) -> Iterator[tuple[slice, list[Tensor]]]:
        """Derivatives along ``vectors (K, width)``, a group of k after the other: ``(k, N, p)`` for each target.

        ``kept (N,)`` are indices into the rows times positions of ``batch``. ``units (K,)`` are how far each push moves
        in a step of central differences of size 1.
        """
        size = self.at_once(batch)
        with self._over(batch, 1 if self.step is None else 2 * size) as recorder:
            device = self.feed.reading.device
            for start in range(0, len(vectors), size):
                group = slice(start, min(start + size, len(vectors)))
                pushed = vectors[group].to(device, self._dtype())
                if self.step is None:
                    yield group, self._forward(recorder, batch, kept, pushed)
                else:
                    yield group, self._differences(recorder, batch, kept, pushed, units[group].to(pushed) * self.step)

    def clean(self, batch: Any, kept: Tensor) -> list[Tensor]:
        """The targets of a pass that begins where pushes enter, without a push, ``(N, p)`` each."""
        import torch

        with self._over(batch, 1) as recorder:
            still = torch.zeros(self.point.width, dtype=self._dtype(), device=self.feed.reading.device)
            return self._values(recorder, batch, 1, kept, still)

    def _dtype(self) -> Any:
        import torch

        return torch.float64 if self.double else getattr(torch, self.feed.reading.network.dtype)

    @contextmanager
    def _over(self, batch: Any, copies: int) -> Iterator[Recorder]:
        """A pass that keeps what comes before the push; inside the block, passes over ``copies`` of ``batch`` begin there."""
        import torch

        model = self.feed.model
        rows, positions = self.feed.rows(batch)
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            stack.enter_context(torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH))
            if self.double:
                stack.enter_context(in_float64(model))
            replay = Replay(model, self.point)
            replay.keep(self.feed.call(batch, 1, False), rows, positions)
            recorder = stack.enter_context(record(model, self.targets.points, detached=False))
            stack.enter_context(replay.again(copies))
            yield recorder

    def _values(self, recorder: Recorder, batch: Any, copies: int, kept: Tensor, moved: Tensor) -> list[Tensor]:
        """The targets where ``moved``, ``(width,)`` or ``(copies, width)``, is added at every token: ``(copies N, p)`` each."""

        def change(current: Tensor) -> Tensor:
            if moved.ndim == 1:
                return add(moved)(current)
            apart = current.unflatten(0, (copies, -1))
            between = [1] * (apart.ndim - 2)
            changed: Tensor = (apart + moved.reshape(copies, *between, -1)).flatten(0, 1)
            return changed

        with ablate(self.feed.model, [Intervention(self.point, change)]):
            seen = recorder.read(
                self.feed.call(batch, copies, False), self.feed.shaped(batch, copies), errors=nullcontext()
            )
        found = []
        for values, neurons in zip(seen, self.targets.neurons, strict=True):
            rows = values.unflatten(0, (copies, -1)).flatten(1, 2)[:, kept].flatten(0, 1)
            found.append(rows if len(neurons) == rows.shape[-1] else rows[:, neurons])
        return found

    def _forward(self, recorder: Recorder, batch: Any, kept: Tensor, pushed: Tensor) -> list[Tensor]:
        import torch

        here = torch.zeros_like(pushed[0])

        def values(moved: Tensor) -> tuple[Tensor, ...]:
            return tuple(self._values(recorder, batch, 1, kept, moved))

        def along(vector: Tensor) -> Any:
            return torch.func.jvp(values, (here,), (vector,))[1]

        return list(torch.func.vmap(along)(pushed))

    def _differences(self, recorder: Recorder, batch: Any, kept: Tensor, pushed: Tensor, steps: Tensor) -> list[Tensor]:
        import torch

        size = self.at_once(batch)
        moved = torch.zeros(2, size, self.point.width, dtype=pushed.dtype, device=pushed.device)
        moved[0, : len(pushed)] = steps[:, None] * pushed
        moved[1] = -moved[0]
        seen = self._values(recorder, batch, 2 * size, kept, moved.flatten(0, 1))
        apart = [values.unflatten(0, (2, size, -1))[:, : len(pushed)] for values in seen]
        return [((up - down) / (2 * steps[:, None, None])).float() for up, down in apart]


@contextmanager
def in_float64(model: nn.Module) -> Iterator[None]:
    """Inside the block, ``model`` computes in float64: its weights, and what it is given."""
    import torch

    tensors: Sequence[Tensor] = [*model.parameters(), *model.buffers()]
    before = [(tensor, tensor.dtype) for tensor in tensors if tensor.is_floating_point()]

    def widen(module: nn.Module, args: Any, kwargs: Any) -> Any:
        return _widened(args), _widened(kwargs)

    handle = model.register_forward_pre_hook(widen, with_kwargs=True)
    try:
        for tensor, _ in before:
            tensor.data = tensor.data.to(torch.float64)
        yield
    finally:
        handle.remove()
        for tensor, dtype in before:
            tensor.data = tensor.data.to(dtype)


def _widened(value: Any) -> Any:
    """``value`` with its floating-point tensors in float64."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.double() if value.is_floating_point() else value
    if isinstance(value, dict):
        return {name: _widened(item) for name, item in value.items()}
    return type(value)(_widened(item) for item in value) if isinstance(value, tuple | list) else value
