"""How `collect` divides its work among processes, from the options of the command."""

from __future__ import annotations

from glasso_cli.engine.shares import Part
from glasso_cli.errors import ConfigError


def part_of(part: str | None, pilot: bool, force: bool) -> Part | None:
    """What this process makes: a part, the pilot, or all of it (None); raises :class:`ConfigError` for contradictions."""
    if pilot and part is not None:
        raise ConfigError(
            "--pilot and --part exclude each other.", "Make the pilot first, then start the parts without --pilot."
        )
    if part is not None and force:
        raise ConfigError(
            "--force would remove what the other parts have made.", "Give --force with --pilot, then start all parts."
        )
    if pilot:
        return Part.nothing()
    return None if part is None else Part.parsed(part)


def with_workers(overrides: list[str] | None, workers: int | None, part: str | None, pilot: bool) -> list[str] | None:
    """The ``overrides`` of the configuration with as many processes; raises :class:`ConfigError` for contradictions."""
    if workers is None:
        return overrides
    if workers < 1:
        raise ConfigError(f"--workers {workers} is not a number of processes.", "Give 1 or more.")
    if part is not None or pilot:
        raise ConfigError(
            f"--workers and {'--part' if part is not None else '--pilot'} exclude each other.",
            "Give --workers on one machine, and --pilot and --part where a scheduler starts the processes.",
        )
    return [*(overrides or []), f"engine={{kind: processes, workers: {workers}}}"]
