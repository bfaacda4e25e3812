"""A stage whose units are made by the processes of an engine; one of them merges, so that this one needs no model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from glasso_cli.digests import refuse_changed
from glasso_cli.engine.shares import Units
from glasso_cli.engine.tasks import CallFailed, Engine, Item, in_words
from glasso_cli.errors import InputError, ServiceError
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.parts import units_failed
from glasso_cli.pipeline.sessions import Order, Said, make_unit, merge, units_of
from glasso_cli.pipeline.stage import stage_named


def fan_out(job: Job, engine: Engine) -> str:
    """Make the artifact of ``job`` on ``engine``, and return what its stage says of it.

    What comes before the units is made once, then all missing units, phase after phase, and then one process merges. Raises
    :class:`UnitsFailed` where a unit failed at every attempt, after all others are made that do not need it.
    """
    order, name = Order.of(job), f"{job.target.stage} {job.corpus}"
    failed: dict[str, BaseException] = {}
    phase = 0
    while (units := _one(engine, units_of, order, phase)) is not None:
        failed |= _made(units, order, phase, engine, job, name)
        phase += 1
    if failed:
        raise units_failed(name, failed)
    refuse_changed(job.states)
    summary, said = _one(engine, merge, order)
    try:
        refuse_changed(job.states)  # units are read while they are merged
    except InputError:
        job.target.path.unlink(missing_ok=True)
        raise
    _say(job, said)
    return str(summary)


def _one(engine: Engine, function: Callable[..., Any], order: Order, *item: int) -> Any:
    """What one call of ``function`` gives; raises its error."""
    (outcome,) = engine.run(function, order, [item])
    if isinstance(outcome.error, CallFailed):
        raise ServiceError(
            f"{order.target.stage} {order.corpus} failed in another process: {in_words(outcome.error)}.",
            "Run the same command with engine.kind: none to see where; finished work is kept.",
        )
    if outcome.error is not None:
        raise outcome.error
    return outcome.value


def _made(units: Units, order: Order, phase: int, engine: Engine, job: Job, name: str) -> dict[str, BaseException]:
    """Make the units; the value is the errors of those that failed at every attempt."""
    failed: dict[str, BaseException] = {}
    work: list[Item] = [(phase, number) for number in units]
    if 0 < len(units) < engine.size and phase == 0:
        more = stage_named(job.target.stage).more_units
        job.console.note(
            f"{name}: the work has {len(units)} parts, fewer than the {engine.size} processes"
            + (f"; more {more} give more" if more else "")
        )
    total = sum(unit.size for unit in units.values())
    with job.console.progress(name, 100, "%") as advance:
        for outcome in engine.run(make_unit, order, work):
            unit = units[outcome.item[1]]
            if outcome.error is not None:
                failed[unit.name] = outcome.error
                continue
            _say(job, outcome.value)
            advance(100 * unit.size / total)
    return failed


def _say(job: Job, said: Iterable[Said]) -> None:
    for how, text in said:
        getattr(job.console, how)(text)
