"""A graph in a terminal: its degrees and its strongest edges."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from support.studies import build_study

from glasso_cli.artifacts.npz import write_npz
from glasso_cli.cli.showing.graph_preview import preview


def drawn(path: Path) -> str:
    out = StringIO()
    Console(file=out, width=200, highlight=False).print(preview(path))
    return out.getvalue()


@pytest.mark.parametrize("ending", ["npz", "dot"])
def test_the_strongest_edges_and_how_many_each_neuron_has(tmp_path: Path, ending: str) -> None:
    study = build_study(tmp_path, p=40, edges=70)
    study.fit.save(tmp_path / "fit.npz")
    text = drawn(tmp_path / "fit.npz" if ending == "npz" else study.dot)
    strongest = [line.split() for line in text.splitlines() if line.lstrip().startswith(("+", "-"))]
    assert len(strongest) == 10
    rows, cols, rho = study.edges
    for (value, *names), i, j, wanted in zip(strongest, rows, cols, rho):
        assert value == f"{wanted:+.3f}"
        assert set(names) == {study.fit.neuron_ids[i], study.fit.neuron_ids[j]}
    isolated = next(line.split() for line in text.splitlines() if line.split()[:1] == ["0"])
    assert int(isolated[1]) == (study.degree == 0).sum()
    bars = [line.split() for line in text.splitlines() if "█" in line or line.split()[1:] == ["0"]]
    assert sum(int(bar[1].replace(",", "")) for bar in bars) == study.p


def test_names_with_quotes_and_lines(tmp_path: Path) -> None:
    study = build_study(tmp_path, p=4, edges=4, ids=['say "hi"', "a\nb", "[red]x", "c\\n"], sizes=(4,))
    study.fit.save(tmp_path / "fit.npz")
    text = drawn(study.dot)
    assert 'say "hi"' in text
    assert "a\\nb" in text
    assert "[red]x" in text
    assert text.splitlines() == drawn(tmp_path / "fit.npz").splitlines()


def test_no_edges_and_other_files(tmp_path: Path) -> None:
    assert "The graph has no edges." in drawn(build_study(tmp_path, p=3, sizes=(0,)).dot)
    write_npz(tmp_path / "other.npz", {}, {"kind": "words", "schema": 1, "key": "x"})
    assert preview(tmp_path / "other.npz") is None
