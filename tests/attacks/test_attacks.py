"""A short run of every attack, with fixed seeds; `make attack` runs as many as one likes."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from attacks.lab import Lab, lab
from attacks.outcome import HELD
from attacks.run import ATTACKS

SHORT = {"signals": 1, "swaps": 2, "configs": 60, "gguf": 60, "model files": 3, "texts": 20, "servers": 3}


@pytest.fixture(scope="module")
def here() -> Iterator[Lab]:
    with lab() as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
def test_it_holds(here: Lab, name: str) -> None:
    attack, _ = ATTACKS[name]
    outcomes = [attack(here, Random(f"{name} {seed}")) for seed in range(SHORT.get(name, 6))]
    assert [outcome for outcome in outcomes if outcome.kind != HELD] == []
