"""One part of the work of a stage, made by a process beside others that make the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from glasso_cli.engine.shares import ATTEMPTS, Part, ShareDone, sharing
from glasso_cli.engine.tasks import in_words
from glasso_cli.errors import UnitsFailed, UpstreamError
from glasso_cli.pipeline.job import Job

PILOT = "pilot.npz"  # what all parts must have in common


def make_part(job: Job, make: Callable[[Job], Any], part: Part, command: str) -> None:
    """Make one part of the units of ``job``, or what comes before all units; ``command`` is the configuration as typed.

    Raises :class:`UpstreamError` where a part comes before the pilot, and :class:`UnitsFailed` after all other units are made.
    """
    name, own = f"{job.target.stage} {job.corpus}", replace(part, made=[], failed={})
    if not part.prepares and not (job.pieces / PILOT).exists():
        raise UpstreamError(
            f"{name} has no pilot for this configuration, and all parts need the same one.",
            f"Run: glasso {job.target.stage} {command} --pilot",
        )
    try:
        with sharing(own):
            make(job)
    except ShareDone:
        pass
    if part.prepares:
        job.console.note(f"{name}: the pilot is made; next, every part: --part 1/N to N/N")
        return
    made = ", ".join(own.made) if own.made else "nothing, since all of it was there"
    job.console.note(f"{name}: part {part.number}/{part.of} made {made}")
    if own.failed:
        raise units_failed(name, own.failed)


def units_failed(name: str, failed: Mapping[str, BaseException]) -> UnitsFailed:
    """The error of ``failed`` units, by their names, of the artifact ``name``."""
    told = ", ".join(f"{unit} ({in_words(error)})" for unit, error in failed.items())
    return UnitsFailed(
        f"{name}: after up to {ATTEMPTS} attempts, these were not made: {told}.",
        "All other work is saved. Run the same command to try these again.",
    )
