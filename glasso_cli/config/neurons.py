"""Which neurons a configuration selects: all, a number, a list of ids, or a file of ids."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glasso_cli.digests import file_digests
from glasso_cli.errors import InputError

Choice = int | str | tuple[str, ...]


def neuron_file(choice: Choice) -> Path | None:
    """The file of ids that ``choice`` names, or None."""
    return Path(choice) if isinstance(choice, str) and choice != "all" else None


def without_path(choice: Choice) -> Any:
    """``choice`` as it enters a cache key: the content of a file matters, not its path."""
    if neuron_file(choice):
        return "a file"
    return list(choice) if isinstance(choice, tuple) else choice


def pin(choice: Choice) -> dict[str, str]:
    """The digest of the file of ids that ``choice`` names, or nothing."""
    path = neuron_file(choice)
    if path is None:
        return {}
    try:
        return {"neurons": file_digests([path])[0]}
    except OSError:
        raise _unreadable(path) from None


def wanted_ids(choice: Choice) -> tuple[str, ...] | None:
    """The ids that ``choice`` gives, directly or in a file; None if it is all or a number."""
    path = neuron_file(choice)
    if path is None:
        return choice if isinstance(choice, tuple) else None
    try:
        ids = path.read_text(encoding="utf-8-sig").split()
    except (OSError, UnicodeDecodeError):
        raise _unreadable(path) from None
    if not ids:
        raise InputError(f"{path} contains no neuron ids.", "Write one id per line.")
    return tuple(ids)


def indices_of(wanted: Sequence[str], ids: Sequence[str]) -> list[int]:
    """The sorted, distinct indices of ``wanted`` in ``ids``; raises :class:`InputError` for an unknown id."""
    known = {name: index for index, name in enumerate(ids)}
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            ask = f" Did you mean '{near[0]}'?" if near else ""
            raise InputError(f"There is no neuron '{name}'.{ask}", f"The ids here run from {ids[0]} to {ids[-1]}.")
    return sorted({known[name] for name in wanted})


def _unreadable(path: Path) -> InputError:
    return InputError(
        f"The file of neuron ids {path} cannot be read.",
        "Give all, a number, a list of ids, or a UTF-8 text file with one id per line.",
    )
