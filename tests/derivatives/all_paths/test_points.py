"""Between which hook points influence along all paths is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from glasso_cli.config import InfluenceSection
from glasso_cli.derivatives.all_paths.points import wanted_points
from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint

POINTS = [
    HookPoint("a.0:out", 0, 4, "layers.0.resid"),
    HookPoint("a.0.mlp:in", 0, 8, "layers.0.mlp"),
    HookPoint("a.3.o:in[0:4]", 3, 4, "layers.3.head.0"),
    HookPoint("a.3.o:in[4:8]", 3, 4, "layers.3.head.1"),
    HookPoint("head:out", None, 4, "head:out"),
]
ORDER = ["a.0.mlp:in", "a.0:out", "a.3.o:in[0:4]", "a.3.o:in[4:8]", "head:out"]


def wanted(**settings: Any) -> dict[str, list[str]]:
    section = InfluenceSection(paths="all", **settings)
    return {source.label: [t.label for t in targets] for source, targets in wanted_points(POINTS, ORDER, section)}


def test_every_hook_point_is_a_source_of_all_that_run_later() -> None:
    later = ["layers.3.head.0", "layers.3.head.1", "head:out"]
    assert wanted() == {
        "layers.0.mlp": ["layers.0.resid", *later],
        "layers.0.resid": later,
        "layers.3.head.0": ["head:out"],  # the other head is of the same tensor
        "layers.3.head.1": ["head:out"],
    }


def test_pairs_of_layers_choose_among_them() -> None:
    heads = ["layers.3.head.0", "layers.3.head.1"]
    assert wanted(layers=((0, 3),)) == {"layers.0.mlp": heads, "layers.0.resid": heads}


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="names layer 2, of which nothing was collected"):
        wanted(layers=((0, 2),))
    with pytest.raises(InputError, match="there is no such pair: head:out"):
        wanted_points(POINTS[4:], ORDER, InfluenceSection(paths="all"))
