"""Names wherever a figure or its table shows a neuron; words of texts are hostile."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.named import planted_contexts

from glasso_cli.report.plots import draw
from glasso_cli.report.plots.figures import cards, communities, network
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.study import Study

HOSTILE = ["=SUM(A1)", "\x1b[31mred", "$\\frac{", "<b>bold</b>", 'say"', "\u202eevil", "ユニット", "x" * 90]


@pytest.fixture
def named(make_study: Callable[..., Study]) -> Study:
    """Thirty neurons; each of the first has a hostile word at its strongest contexts."""
    study = make_study(30, 60, section={"edges": 100, "cards": 2})
    return replace(study, stats=planted_contexts([[f" {word}"] for word in HOSTILE], noise=30 - len(HOSTILE)))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_every_table_of_edges_and_neurons_has_names(named: Study, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        files = {path.name: path for group in draw(named, tmp_path) for path in group}
    texts = dict(zip(named.fit.neuron_ids.tolist(), named.names.texts))
    assert sum(bool(text) for text in texts.values()) >= len(HOSTILE)
    for name in ("edges.csv", "network.csv", "accuracy.csv"):
        for row in rows_of(files[name]):
            for end in "ij":
                assert row[f"name_{end}"].removeprefix("'") == texts[row[f"neuron_{end}"]]
    for row in rows_of(files["neurons.csv"]):
        assert row["name"].removeprefix("'") == texts[row["neuron"]]
        assert not row["name"] or float(row["name_score"]) >= 0.65
    assert not any(letter in "".join(texts.values()) for letter in "\x1b\u202e")
    for path in files.values():
        if path.suffix in (".csv", ".txt", ".dot"):
            content = path.read_text(encoding="utf-8")
            assert ",=SUM" not in content


def test_names_stand_in_the_pictures(named: Study) -> None:
    with style.look():
        (picture,) = network.pictures(named)
        shown = [text.get_text() for text in picture.figure.axes[0].texts]
        (card, *_) = list(cards.pictures(named))
        (table,) = communities.pictures(named)
    strongest = next(n for n in named.by_strength.tolist() if named.names.texts[n])
    assert any(named.names.texts[strongest].startswith(text.rstrip("…")) for text in shown if len(text) > 3)
    first = int(named.by_strength[0])
    assert named.titles[first] in card.alt
    assert {"name_a", "name_b", "name_score_a"} <= set(table.table)
