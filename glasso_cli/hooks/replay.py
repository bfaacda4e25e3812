"""Passes that begin inside the network: what ran before a hook point is kept from one pass, and not run again.

An intervention at a hook point changes nothing that ran before it. The outermost modules that end before the module of
the hook point begins give what they gave, so that later passes cost only what comes after. No knowledge of layers is
needed, and several interventions share a pass, each on its own copy of the batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError
from glasso_cli.hooks.point import HookPoint
from glasso_cli.hooks.record import uncompiled

if TYPE_CHECKING:
    from torch import Tensor, nn


_AGAIN = object()  # in the place of an output that is not kept


class _Reached(Exception):  # noqa: N818 - not an error
    """Ends the first pass at the hook point; never leaves this module."""


@dataclass(eq=False)
class Replay:
    """One network, one source hook point, and what one batch gave before it.

    ``keep`` runs a pass up to the hook point. Inside ``again(copies)``, a pass over ``copies`` of the same batch, one
    after the other along its first axis, begins at the hook point.

    An output lies on the axis of documents, or of documents and positions, if its first axis has that length. A table of positions
    can have the same length: in a batch of one document, and of as many documents as positions. Modules with such an output run again.
    """

    model: nn.Module
    source: HookPoint
    _kept: dict[str, list[Any]] = field(default_factory=dict)  # outputs by module, in the order of its runs
    _rows: tuple[int, ...] = ()
    _copied: dict[str, list[Any]] = field(default_factory=dict)
    _copies: int = 0

    def keep(self, forward: Callable[[], Any], batch: int, positions: int = 1) -> None:
        """Run ``forward`` on a batch of ``batch`` documents up to the hook point, and keep what it gave.

        Some modules give documents and their ``positions`` on one axis. Raises :class:`InputError` for a hook point that is
        one of several runs of its module.
        """
        import torch

        model = uncompiled(self.model)
        if self.source.run is not None:
            raise InputError(
                f"The module of '{self.source.label}' runs several times in a pass, so no pass can begin at one of its runs.",
                "Take a hook point whose module runs once.",
            )
        self._kept, self._copied, self._copies, self._rows = {}, {}, 0, (batch, batch * positions)
        ended: list[tuple[str, int, int, Any]] = []  # name, when it began, when it ended, its output
        clock = Counter[str]()
        began: dict[str, list[int]] = {}

        def begin(name: str) -> None:
            clock["now"] += 1
            began.setdefault(name, []).append(clock["now"])
            if name == self.source.module and self.source.side == "in":
                raise _Reached

        def end(name: str, output: Any) -> None:
            clock["now"] += 1
            if name == self.source.module and self.source.side == "out":
                raise _Reached
            ended.append((name, began[name].pop(), clock["now"], output))

        handles = []
        for name, module in model.named_modules():
            if name:
                handles.append(module.register_forward_pre_hook(lambda *_, name=name: begin(name), prepend=True))
                handles.append(module.register_forward_hook(lambda _m, _a, output, name=name: end(name, output)))
        try:
            with torch.no_grad(), suppress(_Reached):
                forward()
        finally:
            for handle in handles:
                handle.remove()
        unclear = positions if positions > 1 and positions in self._rows else None
        spans = [(start, stop) for _, start, stop, output in ended if not _has_length(output, unclear)]
        runs: dict[str, list[Any]] = {}
        for name, start, stop, output in ended:
            if not any(first < start and stop < last for first, last in spans):
                runs.setdefault(name, []).append(_AGAIN if _has_length(output, unclear) else output)
        self._kept = {name: outputs for name, outputs in runs.items() if any(x is not _AGAIN for x in outputs)}

    @contextmanager
    def again(self, copies: int = 1) -> Iterator[None]:
        """Every pass of the block takes ``copies`` of the batch, and what was kept in the place of what ran before."""
        model = uncompiled(self.model)
        self._copy(copies)
        runs = Counter[str]()
        handle = model.register_forward_pre_hook(lambda *_: runs.clear())
        replaced: list[tuple[dict[str, Any], Any]] = []  # the attributes of a module, and its own forward if it had one
        try:
            for name in self._kept:
                module = model.get_submodule(name)
                replaced.append((module.__dict__, module.__dict__.get("forward")))
                module.__dict__["forward"] = _given(name, self._copied[name], runs, module.forward)
            yield
        finally:
            handle.remove()
            for attributes, own in replaced:
                if own is None:
                    del attributes["forward"]
                else:
                    attributes["forward"] = own

    def _copy(self, copies: int) -> None:
        """What was kept, ``copies`` times along the first axis; taken again where a pass has written into it."""
        if copies == self._copies and not any(
            _written(output) for outputs in self._copied.values() for output in outputs
        ):
            return
        self._copied = {name: [_repeated(x, self._rows, copies) for x in held] for name, held in self._kept.items()}
        self._copies = copies


def _given(name: str, outputs: list[Any], runs: Counter[str], forward: Callable[..., Any]) -> Callable[..., Any]:
    def instead(*args: Any, **kwargs: Any) -> Any:
        run = runs[name]
        runs[name] += 1
        return forward(*args, **kwargs) if run >= len(outputs) or outputs[run] is _AGAIN else outputs[run]

    return instead


def _repeated(value: Any, rows: tuple[int, ...], copies: int) -> Any:
    """``value`` with every tensor whose first axis has one of the lengths ``rows`` repeated, in memory of its own."""
    import torch

    if isinstance(value, torch.Tensor):
        times = copies if value.ndim and value.shape[0] in rows else 1
        return value.detach().repeat(times, *[1] * (value.ndim - 1)) if value.ndim else value.detach().clone()
    if isinstance(value, dict):
        made = {key: _repeated(item, rows, copies) for key, item in value.items()}
        return type(value)(**made) if hasattr(value, "to_tuple") else type(value)(made)
    if isinstance(value, tuple | list):
        items = [_repeated(item, rows, copies) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def _has_length(value: Any, length: int | None) -> bool:
    """Whether the first axis of a tensor in ``value`` has this length."""
    return any(tensor.ndim > 0 and tensor.shape[0] == length for tensor in _tensors(value))


def _written(value: Any) -> bool:
    return any(tensor._version > 0 for tensor in _tensors(value))


def _tensors(value: Any) -> Iterator[Tensor]:
    import torch

    if isinstance(value, torch.Tensor):
        yield value
    items: Any = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    for item in items:
        yield from _tensors(item)
