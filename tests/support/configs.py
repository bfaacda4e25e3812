"""Configuration files in the working folder, and what is said about them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from glasso_cli.config.load import load_config
from glasso_cli.errors import ConfigError

BASE = """\
model: {id: some/model}
corpora:
  a: {topic: a topic}
collect:
  hook_points: [mlp.1]
"""


def write(text: str | bytes, **others: str) -> Path:
    """The path ``c.yaml``, after writing ``text`` there and ``others`` beside it."""
    for name, content in others.items():
        Path(f"{name}.yaml").write_text(content, encoding="utf-8")
    path = Path("c.yaml")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(path: Path, *overrides: str) -> ConfigError:
    """The error that loading ``path`` with ``overrides`` raises."""
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return caught.value


def rows(error: ConfigError) -> list[str]:
    """The problems of a report, each with single spaces, without the source lines."""
    found = [line for line in error.message.splitlines()[1:] if line.startswith("  ") and line[2] != " "]
    return [re.sub(r" +", " ", line).strip() for line in found]
