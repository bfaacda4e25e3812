"""What is pushed in the place of neurons, and a module that says it is linear and is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_networks import seeded
from torch import Tensor, nn

from glasso_cli.collection.modules.run import collect_arrays
from glasso_cli.config import CollectSection, InfluenceSection
from glasso_cli.console import PythonWarnings
from glasso_cli.corpora.arrays import ArrayCorpus
from glasso_cli.derivatives.all_paths.check import units_of
from glasso_cli.derivatives.all_paths.corpus import influence_of_arrays
from glasso_cli.derivatives.all_paths.push import push_of
from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


class Bent(nn.Linear):
    """It has the attributes of a linear module, and a bend."""

    def forward(self, rows: Tensor) -> Tensor:
        made: Tensor = torch.tanh(super().forward(rows))
        return made


def measured(make: Any, points: tuple[str, str], folder: Path) -> None:
    network = seeded(make)
    rows = np.random.default_rng(0).standard_normal((32, 4)).astype(np.float32)
    corpus = ArrayCorpus(list(rows), np.arange(32))
    collect = CollectSection(hook_points=points, blocks=8, lags=2)
    stats = collect_arrays(network, corpus, collect, name="a", seed=0, reporter=PythonWarnings())
    influence_of_arrays(
        network,
        corpus,
        stats,
        collect,
        InfluenceSection(paths="all"),
        folder,
        name="a",
        seed=0,
        reporter=PythonWarnings(),
    )


def test_a_module_that_is_not_linear_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gives derivatives at '2:out' that are .* off those by the neurons"):
        measured(lambda: nn.Sequential(nn.Linear(4, 12), Bent(12, 5), nn.Linear(5, 3)), ("1:in", "2:out"), tmp_path)


def test_a_direction_moves_as_far_as_the_median_source() -> None:
    linear = nn.Linear(12, 2)
    model, weight = nn.Sequential(nn.Linear(4, 12), linear, nn.Linear(2, 3)), linear.weight.detach().numpy()
    push = push_of(model, HookPoint("1:in", 1, 12, "1:in", "bc"), np.arange(12))
    std = np.linspace(0.5, 2, 12)
    sizes = np.linalg.norm(weight, axis=0) * std
    np.testing.assert_allclose(units_of(push, std), np.full(2, np.median(sizes)), rtol=1e-5)
    alone = push.alone(np.array([3, 5]))
    assert alone.by == "sources"
    np.testing.assert_array_equal(units_of(alone, std[[3, 5]]), std[[3, 5]])
    np.testing.assert_allclose(push.written(np.array([3])), weight[:, 3][None], atol=1e-6)
