"""The influence along all paths in networks that are no language models: images, sequences, and a network that is linear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_networks import Recurrent, seeded
from torch import Tensor, nn

from glasso_cli.artifacts import ActivationStats, Influence
from glasso_cli.collection.modules.run import collect_arrays
from glasso_cli.config import CollectSection, InfluenceSection
from glasso_cli.console import PythonWarnings
from glasso_cli.corpora.arrays import ArrayCorpus
from glasso_cli.derivatives.all_paths.corpus import influence_of_arrays
from glasso_cli.errors import InputError
from glasso_cli.models.modules.network import ModuleNetwork

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
STEP = 1e-3  # standard deviations


class Images(nn.Module):
    """Two convolutions with an activation function in place between, and a normalisation after."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.act = nn.SiLU(inplace=True)
        self.second = nn.Conv2d(6, 5, 3, padding=1)
        self.norm = nn.GroupNorm(1, 5)

    def forward(self, images: Tensor) -> Tensor:
        made: Tensor = self.norm(self.second(self.act(self.first(images))))
        return made


class Twofold(torch.autograd.Function):
    """A product with two that has no forward mode."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return 2 * values

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return 2 * grad


class Foreign(nn.Module):
    """Two linear modules; between them a function without forward mode, or one whose derivative is cut off."""

    def __init__(self, *, cut: bool) -> None:
        super().__init__()
        self.first, self.second, self.cut = nn.Linear(4, 6), nn.Linear(6, 3), cut

    def forward(self, rows: Tensor) -> Tensor:
        x = torch.tanh(self.first(rows))
        twofold: Any = Twofold
        x = x.detach() if self.cut else twofold.apply(x)
        made: Tensor = self.second(x)
        return made


def recurrent(kind: str) -> nn.Module:
    made = nn.Sequential(Recurrent(kind, 1, batch_first=True), Recurrent(kind, 1, batch_first=True))
    made[1].rnn = getattr(nn, kind)(2, 5, batch_first=True)
    made(torch.zeros(1, 7, 4))  # the shapes of the last modules follow from a first pass
    return made


def corpus_of(*shape: int, count: int = 32, seed: int = 0) -> ArrayCorpus:
    rng = np.random.default_rng(seed)
    return ArrayCorpus(list(rng.standard_normal((count, *shape)).astype(np.float32)), np.arange(count))


def statistics(network: ModuleNetwork, corpus: ArrayCorpus, **section: Any) -> tuple[ActivationStats, CollectSection]:
    settings = {"blocks": 8, "mask": {"massive": None, "first": 0, "border": 0}, "lags": 2}
    collect = CollectSection.model_validate(settings | section)
    return collect_arrays(network, corpus, collect, name="a", seed=0, reporter=PythonWarnings()), collect


def measured(
    network: ModuleNetwork,
    corpus: ArrayCorpus,
    stats: ActivationStats,
    collect: CollectSection,
    folder: Path,
    **settings: Any,
) -> Influence:
    section = InfluenceSection(paths="all", keep="all", max_tokens=10**6, **settings)
    return influence_of_arrays(
        network, corpus, stats, collect, section, folder, name="a", seed=0, reporter=PythonWarnings()
    )


def matrix(influence: Influence, name: str = "mean") -> np.ndarray:
    """A column as ``(sources, targets)``, both in the order of the neurons."""
    found = np.zeros((influence.n_neurons, influence.n_neurons))
    found[influence.sources, influence.targets] = getattr(influence, name)
    return found


def pushed(module: nn.Module, name: str, unit: int, delta: float, axis: int, values: Tensor, seen: str) -> np.ndarray:
    """What the module ``seen`` gives in float64 where ``delta`` is added to a unit of the output of ``name`` everywhere."""
    found: list[Tensor] = []

    def push(part: nn.Module, args: Any, output: Any) -> Any:
        tensor = output[0] if isinstance(output, tuple) else output
        moved = tensor.clone()
        moved.select(axis, unit).add_(delta)
        return (moved, *output[1:]) if isinstance(output, tuple) else moved

    def keep(part: nn.Module, args: Any, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)

    handles = [
        module.get_submodule(name).register_forward_hook(push),
        module.get_submodule(seen).register_forward_hook(keep),
    ]
    with torch.no_grad():
        module.double()(values.double())
    module.float()
    for handle in handles:
        handle.remove()
    return np.asarray(found[0].movedim(axis, -1).flatten(0, -2).numpy())


@pytest.mark.parametrize(
    ("network", "points", "axis", "shape"),
    [
        (seeded(Images), ("first:out", "norm:out"), 1, (3, 6, 6)),
        (seeded(lambda: recurrent("GRU")), ("0.rnn:out", "1.rnn:out"), 2, (7, 4)),
        (seeded(lambda: recurrent("LSTM")), ("0.rnn:out", "1.rnn:out"), 2, (7, 4)),
        (seeded(lambda: Foreign(cut=False)), ("first:out", "second:out"), 1, (4,)),
        (seeded(lambda: Foreign(cut=True)), ("first:out", "second:out"), 1, (4,)),
    ],
    ids=["images", "gru", "lstm", "no forward mode", "cut derivative"],
)
def test_it_is_what_a_push_does_to_the_whole_network(
    tmp_path: Path, network: ModuleNetwork, points: tuple[str, str], axis: int, shape: tuple[int, ...]
) -> None:
    corpus = corpus_of(*shape)
    stats, collect = statistics(network, corpus, hook_points=points)
    influence = measured(network, corpus, stats, collect, tmp_path)
    values = torch.from_numpy(np.stack(corpus.items))
    (layers,) = influence.metrics.layers
    assert layers.by == "sources"
    m = layers.sources
    mean, rms = matrix(influence), matrix(influence, "rms")
    for unit in range(m):
        step = STEP * stats.std[unit]
        up, down = (
            pushed(network.module, points[0].removesuffix(":out"), unit, sign * step, axis, values, points[1][:-4])
            for sign in (1, -1)
        )
        slope = (up - down) / (2 * STEP) / stats.std[m:]
        np.testing.assert_allclose(mean[unit, m:], slope.mean(0), atol=1e-4)
        np.testing.assert_allclose(rms[unit, m:], np.sqrt((slope**2).mean(0)), atol=1e-4)


def test_where_forward_mode_fails_differences_are_taken(tmp_path: Path) -> None:
    for cut in (False, True):
        network, corpus = seeded(lambda cut=cut: Foreign(cut=cut)), corpus_of(4)  # type: ignore[misc]
        stats, collect = statistics(network, corpus, hook_points=["first:out", "second:out"])
        folder = tmp_path / str(cut)
        folder.mkdir()
        influence = measured(network, corpus, stats, collect, folder)
        assert influence.metrics.layers[0].derivative == "differences"
        assert next(network.module.parameters()).dtype == torch.float32


def test_in_a_linear_network_it_is_the_weights(tmp_path: Path) -> None:
    """Neurons that a linear module reads are pushed as directions where these are fewer."""
    network = seeded(lambda: nn.Sequential(nn.Linear(4, 12), nn.Linear(12, 5), nn.Linear(5, 3)))
    corpus = corpus_of(4)
    stats, collect = statistics(network, corpus, hook_points=["1:in", "2:out"])
    influence = measured(network, corpus, stats, collect, tmp_path)
    modules: Any = network.module
    weights = (modules[2].weight @ modules[1].weight).detach().numpy() * stats.std[:12] / stats.std[12:, None]
    found = matrix(influence)[:12, 12:]
    np.testing.assert_allclose(found, weights.T, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(matrix(influence, "rms")[:12, 12:], np.abs(weights.T), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(influence.error, 0, atol=1e-5)
    (layers,) = influence.metrics.layers
    assert (layers.by, layers.pushes, layers.derivative) == ("directions", 5, "forward")


def test_statistics_of_means_over_positions_are_refused(tmp_path: Path) -> None:
    network, corpus = seeded(Images), corpus_of(3, 6, 6)
    stats, collect = statistics(network, corpus, hook_points=["first:out", "norm:out"], positions="mean")
    with pytest.raises(InputError, match="influence is of single positions"):
        measured(network, corpus, stats, collect, tmp_path)
