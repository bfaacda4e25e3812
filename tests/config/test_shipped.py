"""The configurations in `configs/` are valid, and the list of those that run offline names each that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from glasso_cli.config.load import load_config

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_it_is_valid(path: Path) -> None:
    assert load_config(path, []).missing_sections() == []


def test_those_that_are_listed_exist() -> None:
    listed = set(re.findall(r"configs/([\w-]+)\.yaml", (ROOT / "docs/networks.md").read_text(encoding="utf-8")))
    assert listed <= {path.stem for path in SHIPPED}
    assert {"causal", "causal-smollm2", "ordered", "demo"} <= listed
