"""Read API keys and settings of services from a ``.env`` file; their values are never shown."""

from __future__ import annotations

import os
from pathlib import Path

from dotenv.parser import parse_stream

from glasso_cli.errors import ConfigError

PREFIXES = ("HF_", "OPENAI_", "GLASSO_")


def load_env_file(path: Path) -> None:
    """Add the variables of ``path`` that concern glasso to the environment, unless they are already set there.

    Values are taken literally, including ``${...}``. A missing file is no error, nor is a folder, because some virtual
    environments are called ``.env``. Raises :class:`ConfigError`, which names the line but never shows it.
    """
    if not path.is_file():
        return
    for name, value in _variables(path).items():
        os.environ.setdefault(name, value)


def _variables(path: Path) -> dict[str, str]:
    """The variables in ``path`` that have a value; a copied example has empty ones."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            bindings = list(parse_stream(file))
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}).", "Check its permissions.") from None
    for binding in bindings:
        if binding.error:
            raise ConfigError(
                f"{path}:{binding.original.line} should be NAME=value.",
                "Correct that line. It is not shown here because it may contain a secret.",
            )
    for binding in bindings:
        if "\0" in (binding.key or "") + (binding.value or ""):
            raise ConfigError(f"{path}:{binding.original.line} contains a NUL character.", "Write the line again.")
    return {item.key: item.value for item in bindings if item.key and item.value and item.key.startswith(PREFIXES)}
