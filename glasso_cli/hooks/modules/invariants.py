"""What must hold at the hook points of any module, checked once before it is read; refused with the number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError
from glasso_cli.hooks.modules.axes import as_samples
from glasso_cli.hooks.record import first_tensor, record

if TYPE_CHECKING:
    from torch import Tensor, nn

    from glasso_cli.hooks.point import HookPoint
    from glasso_cli.models.modules.network import ModuleBatch, ModuleNetwork

TOLERANCE = 1e-3  # of the norm: sums are taken in another order


@dataclass(frozen=True)
class ModuleReport:
    """What was measured per hook point, relative to the norm of its values; 0 is exact.

    ``repeated``: the module called again on what it read, against what it gave. ``batching``: documents alone, against the
    same documents in one batch, in another order. ``mixed_lengths``: whether that also holds where a batch pads shorter
    documents; otherwise a batch holds documents of one length.
    """

    repeated: dict[str, float]
    batching: dict[str, float]
    tolerance: float
    mixed_lengths: bool
    n_documents: int

    def as_meta(self) -> dict[str, Any]:
        """The report as JSON-ready data."""
        return asdict(self)


def check_module_points(
    network: ModuleNetwork,
    points: Sequence[HookPoint],
    documents: Sequence[Tensor],
    batch_of: Callable[[Sequence[Tensor]], ModuleBatch],
) -> ModuleReport:
    """What was measured at ``points``, which are then known to be what they say.

    Every module runs, once a pass, in evaluation mode; every value is finite; a module called again on what it read gives
    what it gave; a document gives the same values alone and in a batch, in any order. ``documents`` are two or more;
    ``batch_of`` makes a batch of some of them. Raises :class:`InputError` for the first of these that does not hold.
    """
    with record(network.module, points, stop=False) as recorder:

        def read(chosen: Sequence[Tensor]) -> list[Tensor]:
            batch = batch_of(chosen)
            return recorder.read(
                lambda: network.run(batch),
                lambda point, tensor: as_samples(point, tensor, len(chosen)),
                network.errors(),
            )

        alone = [read([document]) for document in documents]
        _refuse_training(network.module)
        _refuse_non_finite(points, alone)
        repeated = _repeated(network, points, batch_of(documents))
        _refuse(
            repeated,
            "is not what its module makes of its input: the module called again differs from it by",
            _OWN_STATE,
        )
        lengths = {len(document) for document in documents}
        orders: list[list[int]] = [list(range(len(documents)))[::-1]]
        mixed = _batching(points, documents, alone, read, orders)
        together = max(mixed.values()) <= TOLERANCE
        if not together and len(lengths) > 1:
            # Documents of one length, twice in one batch.
            mixed = _batching(points, documents, alone, read, [[index, index] for index in range(len(documents))])
    _refuse(mixed, "differs between a document alone and the same document in a batch by", _BATCH)
    _prove_short_forms(network, points, batch_of(documents[:1]))
    return ModuleReport(repeated, mixed, TOLERANCE, together or len(lengths) == 1, len(documents))


def _prove_short_forms(network: ModuleNetwork, points: Sequence[HookPoint], batch: ModuleBatch) -> None:
    """Raise :class:`InputError` for a short form of a layer that is not what it says on a document."""
    if network.stack is None or not any(point.kind for point in points):
        return
    from glasso_cli.hooks.invariants import prove_short_forms

    model: Any = network.module
    with network.errors():
        prove_short_forms(model, network.dtype, network.stack, points, network.inputs_of_one(batch))


_OWN_STATE = (
    "The module is random or keeps a state from call to call; choose another hook point, or change the network."
)
_BATCH = "This network mixes documents that share a batch, or is random; it cannot be read."


def _batching(
    points: Sequence[HookPoint],
    documents: Sequence[Tensor],
    alone: Sequence[Sequence[Tensor]],
    read: Callable[[Sequence[Tensor]], list[Tensor]],
    orders: Sequence[Sequence[int]],
) -> dict[str, float]:
    """The largest distance over the norm of all samples of a document, per hook point."""
    worst = {point.name: 0.0 for point in points}
    for order in orders:
        batched = read([documents[index] for index in order])
        for row, index in enumerate(order):
            for point, one, other in zip(points, alone[index], batched, strict=True):
                own = other[row, : one.shape[1]]
                worst[point.name] = max(worst[point.name], distance(own, one[0]))
    return worst


def distance(first: Tensor, second: Tensor) -> float:
    """The norm of the difference over that of ``second``; infinite for other shapes and for values that are not finite."""
    if first.shape != second.shape or not bool(first.isfinite().all()):
        return float("inf")
    return float((first - second).norm() / second.norm().clamp_min(1e-30))


def _repeated(network: ModuleNetwork, points: Sequence[HookPoint], batch: ModuleBatch) -> dict[str, float]:
    """How far each module's output is from what its forward makes of a copy of its input."""
    import torch

    from glasso_cli.models.modules.network import exact_float32

    given: dict[str, tuple[Any, Any]] = {}
    made: dict[str, Tensor | None] = {}
    names = list(dict.fromkeys(point.module for point in points))
    with ExitStack() as hooks, network.errors():
        for name in names:
            module = network.module.get_submodule(name)
            hooks.callback(
                module.register_forward_pre_hook(
                    lambda module, args, kwargs, name=name: given.update({name: (_copied(args), _copied(kwargs))}),
                    with_kwargs=True,
                ).remove
            )
            hooks.callback(
                module.register_forward_hook(
                    lambda module, args, output, name=name: made.update({name: _copied(first_tensor(output))})
                ).remove
            )
        network.run(batch)
    errors = {}
    for point in points:
        output = made.get(point.module)
        if output is None:
            continue
        args, kwargs = given[point.module]
        module = network.module.get_submodule(point.module)
        with network.errors(), exact_float32(), torch.inference_mode():
            again = first_tensor(module.forward(*_copied(args), **_copied(kwargs)))
        errors[point.name] = float("inf") if again is None else distance(again, output)
    return errors


def _copied(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(_copied(item) for item in value)
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return {name: _copied(item) for name, item in value.items()} if isinstance(value, dict) else value


def _refuse(errors: dict[str, float], what: str, advice: str) -> None:
    for name, error in errors.items():
        if not error <= TOLERANCE:
            raise InputError(f"Hook point '{name}' {what} {error:.2g} of its norm (allowed {TOLERANCE:g}).", advice)


def _refuse_training(module: nn.Module) -> None:
    for name, part in module.named_modules():
        if part.training:
            raise InputError(
                f"'{name or type(module).__name__}' is in training mode after a pass, so its values are random or change.",
                "Change the network so that it stays in evaluation mode.",
            )


def _refuse_non_finite(points: Sequence[HookPoint], alone: Sequence[Sequence[Tensor]]) -> None:
    for values in alone:
        for point, tensor in zip(points, values, strict=True):
            if bad := int((~tensor.isfinite()).sum()):
                raise InputError(
                    f"Hook point '{point.name}' gives {bad} values that are not finite.",
                    "Check the data (nan, its scale) and the weights.",
                )
