"""The configuration that ``glasso init`` writes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from glasso_cli.errors import ConfigError
from glasso_cli.files import atomic_write


def write_starter(path: Path, *, force: bool) -> None:
    """Write the commented starter; raises :class:`ConfigError` rather than overwrite a file."""
    if path.exists() and not force:
        raise ConfigError(f"{path} exists already.", "Give another name, or --force to overwrite it.")
    text = (files("glasso_cli.cli") / "starter.yaml").read_text(encoding="utf-8")
    with atomic_write(path, "w") as file:
        file.write(text)
