"""Secrets and settings of services from a ``.env`` file: never from a configuration, never shown."""

from __future__ import annotations

import os
from pathlib import Path

from dotenv.parser import parse_stream

from glasso_cli.errors import ConfigError

PREFIXES = ("HF_", "OPENAI_", "GLASSO_")


def load_env_file(path: Path) -> None:
    """Put the variables of ``path`` that concern glasso into the environment, which wins over the file.

    Values are taken as they stand, ``${...}`` included. No file, or a folder (some virtual environments are
    called ``.env``), is no error. Raises :class:`ConfigError`, which names the line but never shows it.
    """
    if not path.is_file():
        return
    for name, value in _variables(path).items():
        os.environ.setdefault(name, value)


def _variables(path: Path) -> dict[str, str]:
    """What ``path`` gives a value; an empty one, as in a copied example, is none."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            bindings = list(parse_stream(file))
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}).", "Change its permissions.") from None
    for binding in bindings:
        if binding.error:
            raise ConfigError(
                f"{path}:{binding.original.line} does not read NAME=value.",
                "Mend that line; it is not shown here because it may hold a secret.",
            )
    return {item.key: item.value for item in bindings if item.key and item.value and item.key.startswith(PREFIXES)}
