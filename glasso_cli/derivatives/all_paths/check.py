"""How a network is differentiated, and whether what is pushed in the place of its neurons gives their derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.derivatives.all_paths.blocks import chain_of
from glasso_cli.derivatives.all_paths.derivative import Derivative, Targets
from glasso_cli.derivatives.all_paths.layered import LayeredDerivative
from glasso_cli.derivatives.check import SOURCES, TOLERANCE, Discrepancy
from glasso_cli.errors import GlassoError, InputError
from glasso_cli.hooks import record
from glasso_cli.intervention.frozen import Free
from glasso_cli.intervention.passes import Passes, check_replay
from glasso_cli.models.loaded import LoadedModel

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.console import Reporter
    from glasso_cli.derivatives.all_paths.push import Push
    from glasso_cli.intervention.feed import Feed

STEP, STEP_IN_FLOAT64 = 0.02, 1e-3  # of central differences, in standard deviations
ROUNDED = 1e-4  # of the norm: how far derivatives through known layers may be from forward mode
SILENT = 0.1  # of the norm: how far forward mode may be from differences, which round and are not linear


@dataclass(frozen=True, eq=False)
class Sample:
    """A batch whose tokens ``kept (N,)`` count, and random source neurons ``(s,)`` of the m of a push with their units."""

    batch: Any
    kept: Tensor
    sources: np.ndarray
    units: np.ndarray  # (s,) their standard deviations

    @classmethod
    def of(cls, batch: Any, kept: Tensor, units: np.ndarray) -> Sample:
        """Eight of the sources with standard deviations ``units (m,)``."""
        sources = np.sort(np.random.default_rng(0).permutation(len(units))[:SOURCES])
        return cls(batch, kept, sources, units[sources])

    def along(self, derivative: Derivative | LayeredDerivative, vectors: Tensor) -> list[Tensor]:
        """The derivatives along ``vectors (s, width)``, which stand for the sources: ``(s, N, p)`` for each target."""
        import torch

        groups = [found for _, found in derivative.along(self.batch, self.kept, vectors, torch.from_numpy(self.units))]
        return [torch.cat(parts) for parts in zip(*groups)]


@dataclass(frozen=True, eq=False)
class Choice:
    """How the derivative is taken, and its distance from that through source neurons, by target; None where it is that."""

    derivative: Derivative | LayeredDerivative
    checks: tuple[Discrepancy | None, ...]

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], feed: Feed, push: Push, targets: Targets) -> Choice:
        """The choice for a push whose :meth:`arrays` are given."""
        step, double = float(arrays["step"]), bool(arrays["double"])
        checks = tuple(None if np.isnan(found).all() else Discrepancy(*found.tolist()) for found in arrays["checks"])
        taken = Derivative(feed, push.source if push.writes is None else push.point, targets)
        general = replace(taken, step=None if np.isnan(step) else step, double=double)
        layered = _through_layers(general, push) if arrays["layered"] else None
        return cls(layered or general, checks)

    def arrays(self) -> dict[str, np.ndarray]:
        """The choice as numbers; nan is for None."""
        taken = self.derivative
        general = taken.general if isinstance(taken, LayeredDerivative) else taken
        checks = [(np.nan, np.nan) if check is None else (check.mean, check.rms) for check in self.checks]
        step = np.nan if general.step is None else general.step
        return {
            "step": np.array(step),
            "double": np.array(general.double),
            "layered": np.array(taken is not general),
            "checks": np.array(checks),
        }


def chosen_derivative(
    feed: Feed, reader: Any, push: Push, targets: Targets, sample: Sample, reporter: Reporter
) -> Choice:
    """Forward mode where the network has one, and central differences elsewhere.

    Raises :class:`InputError` where no pass can begin at the push, and where pushes do not give the derivatives by the
    neurons.
    """
    for point in {push.point.name: push.point, push.source.name: push.source}.values():
        with record(feed.model, targets.points) as recorder:
            check_replay(Passes(feed, point, recorder, Free()), sample.batch, reader)
    through, exact = _through_sources(feed, push, targets, sample, reporter)
    if push.writes is None:
        return Choice(through, (None,) * len(targets.points))
    derivative = replace(through, point=push.point)
    with feed.errors():
        found = sample.along(derivative, push.written(sample.sources))
    checks = tuple(_discrepancy(one, other) for one, other in zip(found, exact, strict=True))
    for target, check in zip(targets.points, checks, strict=True):
        if not max(check.mean, check.rms) <= TOLERANCE:  # nan, too
            low = feed.reading.network.dtype != "float32"
            raise InputError(
                f"What the neurons of '{push.source.label}' write gives derivatives at '{target.label}' that are "
                f"{max(check.mean, check.rms):.1e} off those by the neurons, and may be {TOLERANCE:g} off.",
                "Set model.dtype: float32." if low else "Take another source hook point (influence.layers).",
            )
    layered = _layered(derivative, push, sample, found)
    if layered is None:
        return Choice(derivative, checks)
    taken, found = layered
    return Choice(taken, tuple(_discrepancy(one, other) for one, other in zip(found, exact, strict=True)))


def _layered(
    general: Derivative, push: Push, sample: Sample, found: list[Tensor]
) -> tuple[LayeredDerivative, list[Tensor]] | None:
    """The derivative through layers of a known layout and what it gives, or None where it is not what ``general`` has ``found``."""
    layered = _through_layers(general, push)
    if layered is None:
        return None
    try:
        if not layered.takes(sample.batch):
            return None
        made = sample.along(layered, push.written(sample.sources))
    except Exception:  # code of others: a layer may not run by itself
        return None
    is_right = all(_distance(one, other) <= ROUNDED for one, other in zip(made, found, strict=True))
    return (layered, made) if is_right else None


def _through_layers(general: Derivative, push: Push) -> LayeredDerivative | None:
    """The derivative through layers, where their layout is known, in float32 on a processor; it is not checked."""
    network = general.feed.reading.network
    if not isinstance(network, LoadedModel) or network.dtype != "float32" or general.feed.reading.device.type != "cpu":
        return None
    if general.step is not None:
        return None
    chain = chain_of(network, push.source, general.targets.points)
    return None if chain is None else LayeredDerivative(general, chain)


def _through_sources(
    feed: Feed, push: Push, targets: Targets, sample: Sample, reporter: Reporter
) -> tuple[Derivative, list[Tensor]]:
    """The derivative by the source neurons themselves, and what it gives for the sample."""
    forward = Derivative(feed, push.source, targets)
    vectors = push.alone(sample.sources).vectors()
    found, why = None, ""
    try:
        found = sample.along(forward, vectors)
    except GlassoError:
        raise
    except Exception as error:  # code of others, whose kernels may have no forward mode
        why = " ".join(str(error).split())[:100]
    if found is not None:
        rough = replace(forward, step=STEP)
        with feed.errors():
            off = max(map(_distance, found, sample.along(rough, vectors)))
        if off <= SILENT:
            return forward, found
        why = f"forward mode is {off:.1g} off central differences"
    reporter.note(
        f"influence: derivatives by '{push.source.label}' are central differences, since forward mode fails ({why})"
    )
    with suppress(Exception):
        double = replace(forward, step=STEP_IN_FLOAT64, double=True)
        return double, sample.along(double, vectors)
    single = replace(forward, step=STEP)
    with feed.errors():
        return single, sample.along(single, vectors)


def _discrepancy(found: Tensor, exact: Tensor) -> Discrepancy:
    """Of derivatives ``(s, N, p)``: of their means over tokens, and of the derivatives themselves."""
    return Discrepancy(_distance(found.mean(1), exact.mean(1)), _distance(found, exact))


def _distance(found: Tensor, exact: Tensor) -> float:
    norm = float(exact.double().norm())
    return float((found.double() - exact.double()).norm()) / norm if norm > 0 else float(found.abs().max())


def units_of(push: Push, std: np.ndarray) -> np.ndarray:
    """How far each of the K pushes moves in a step of size 1, from standard deviations ``(m,)`` of the sources.

    A direction moves as far as the median source moves the output that it writes.
    """
    if push.writes is None:
        return std
    sizes = np.linalg.norm(push.writes, axis=0) * std
    return np.full(len(push.coordinates), np.median(sizes))
