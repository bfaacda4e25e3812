"""The configuration that ``glasso init`` writes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from glasso_cli.errors import ConfigError
from glasso_cli.files import atomic_write


def write_starter(path: Path, *, force: bool) -> None:
    """Write the commented configuration to ``path``; raises :class:`ConfigError` if it exists, unless ``force``."""
    if path.exists() and not force:
        raise ConfigError(f"{path} already exists.", "Give another name, or use --force to overwrite it.")
    text = (files("glasso_cli.cli") / "starter.yaml").read_text(encoding="utf-8")
    with atomic_write(path, "w") as file:
        file.write(text)
