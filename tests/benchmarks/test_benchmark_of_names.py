"""The table of names on planted neurons."""

from __future__ import annotations

import re
from pathlib import Path

import names
import numpy as np
from support.named import planted_contexts

from glasso_cli.report.names import name_neurons, read_material


def test_planted_names_are_counted_and_exchanged_ones_are_not(tmp_path: Path) -> None:
    stats = planted_contexts([[f" planted{n}"] for n in range(20)], noise=20)
    path = tmp_path / "words.npz"
    stats.save(path)
    cells = names.row(path, tmp_path / "none.npz", np.random.default_rng(0)).cells
    share = float(re.fullmatch(r"([\d.]+) %", cells[2])[1])  # type: ignore[index]
    assert cells[:2] == ("words", "40")
    assert 50 <= share < 65
    assert cells[7:10] == ("–",) * 3
    exchanged = names.exchanged(read_material(stats), np.random.default_rng(0))
    assert np.mean([bool(text) for text in name_neurons(exchanged).texts]) < 0.1
