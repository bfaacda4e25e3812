"""Effects in networks that are no language models: a linear one where they are known, images, and sequences."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_networks import Recurrent, seeded
from torch import Tensor, nn

from glasso_cli.artifacts import ActivationStats, Interventions
from glasso_cli.collection.modules.run import collect_arrays
from glasso_cli.config import CollectSection, InterveneSection
from glasso_cli.console import PythonWarnings
from glasso_cli.corpora.arrays import ArrayCorpus
from glasso_cli.errors import InputError
from glasso_cli.intervention.arrays import intervene_arrays
from glasso_cli.models.modules.network import ModuleNetwork

pytestmark = pytest.mark.filterwarnings("ignore")


class Images(nn.Module):
    """Two 3 x 3 convolutions without padding to speak of, with an activation function between."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.second = nn.Conv2d(6, 5, 1)

    def forward(self, images: Tensor) -> Tensor:
        made: Tensor = self.second(torch.tanh(self.first(images)))
        return made


def linear() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 5), nn.Linear(5, 2))


def recurrent() -> nn.Module:
    made = Recurrent("GRU", 1, batch_first=True)
    made(torch.zeros(1, 7, 4))  # the shape of the last module follows from a first pass
    return made


def corpus_of(*shape: int, count: int = 48, seed: int = 0) -> ArrayCorpus:
    rng = np.random.default_rng(seed)
    return ArrayCorpus(list(rng.standard_normal((count, *shape)).astype(np.float32)), np.arange(count))


def statistics(network: ModuleNetwork, corpus: ArrayCorpus, **section: Any) -> tuple[ActivationStats, CollectSection]:
    settings = {"blocks": 8, "mask": {"massive": None, "first": 0}, "lags": 2}
    collect = CollectSection.model_validate(settings | section)
    return collect_arrays(network, corpus, collect, name="a", seed=0, reporter=PythonWarnings()), collect


def measure(
    network: ModuleNetwork,
    corpus: ArrayCorpus,
    stats: ActivationStats,
    collect: CollectSection,
    folder: Path,
    **section: Any,
) -> Interventions:
    asked = InterveneSection.model_validate({"sources": "all", "stratify": [], "tokens": 10**6} | section)
    return intervene_arrays(
        network, corpus, stats, None, collect, asked, folder, read="a", name="a", seed=0, reporter=PythonWarnings()
    )


@pytest.mark.slow
def test_effects_in_a_linear_network_are_its_weights(tmp_path: Path) -> None:
    network, corpus = seeded(linear), corpus_of(4)
    stats, collect = statistics(network, corpus, hook_points=["0:out", "1:out", "2:out"])
    made = measure(network, corpus, stats, collect, tmp_path, changes=["step", "mean", "resample"])
    modules: Any = network.module
    one = modules[1].weight.detach().numpy().astype(float)
    weights = np.concatenate([one, modules[2].weight.detach().numpy() @ one])
    expected = (weights * stats.std[:6]).T / stats.std[6:]
    np.testing.assert_allclose(made.effects[0], expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(made.rms[0], np.abs(expected), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(made.errors[0], 0, atol=1e-5)
    np.testing.assert_allclose(made.effects[1], 0, atol=1e-4)  # the mean of what is taken away
    np.testing.assert_allclose(made.rms[1], np.abs(expected), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(made.effects[2], 0, atol=1e-4)  # each document's value is given to one other
    np.testing.assert_allclose(made.linear_ratios, 1, rtol=1e-3)
    assert (made.found[0] == (np.abs(expected) > made.metrics.min_effect)).mean() > 0.95
    assert made.metrics.impossible.same_hook_point == 0
    assert not made.metrics.texts.held_out


@pytest.mark.slow
def test_a_step_of_a_channel_is_a_change_of_its_bias(tmp_path: Path) -> None:
    network, corpus = seeded(Images), corpus_of(3, 6, 6)
    stats, collect = statistics(network, corpus, hook_points=["first:out", "second:out"])
    made = measure(network, corpus, stats, collect, tmp_path, changes=["step"], delta=0.5)
    assert made.metrics.texts.tokens == 48 * 16  # the border is left out, here and below
    images = torch.from_numpy(np.stack(corpus.items))
    for channel in range(6):
        ends = []
        for sign in (1, -1):
            changed: Any = copy.deepcopy(network.module)
            changed.first.bias = nn.Parameter(changed.first.bias.clone())
            changed.first.bias.data[channel] += sign * 0.5 * stats.std[channel]
            ends.append(changed(images)[:, :, 1:-1, 1:-1].mean((0, 2, 3)).detach().numpy())
        np.testing.assert_allclose(made.effects[0, channel], (ends[0] - ends[1]) / stats.std[6:], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_units_of_a_recurrent_network_act_on_what_reads_them(tmp_path: Path) -> None:
    network = seeded(recurrent)
    corpus = corpus_of(7, 4)
    stats, collect = statistics(network, corpus, hook_points=["rnn:out", "out:out"])
    made = measure(network, corpus, stats, collect, tmp_path, changes=["step"])
    weight = network.module.get_submodule("out").weight
    assert isinstance(weight, Tensor)
    expected = (weight.numpy() * made.source_std).T / made.target_std
    assert made.source_ids[0] == "rnn:out[0]"
    np.testing.assert_allclose(made.effects[0], expected, rtol=1e-3, atol=1e-5)


class Pooled(nn.Module):
    """The mean over the steps of a sequence, padding included."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, steps: Tensor) -> Tensor:
        made: Tensor = self.last(torch.tanh(self.first(steps.mean(1))))
        return made


@pytest.mark.slow
def test_items_of_several_lengths_share_no_window_where_padding_counts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    items = [rng.standard_normal((length, 4)).astype(np.float32) for length in np.tile([6, 14], 24)]
    network, apart = seeded(Pooled), ArrayCorpus(items, np.arange(48))
    stats, collect = statistics(network, apart, hook_points=["first:out", "last:out"])
    measure(network, apart, stats, collect, tmp_path / "a", changes=["step"])
    together = ArrayCorpus(items, np.repeat(np.arange(24), 2))
    with pytest.raises(InputError, match="Document 0 has items of 6 and of 14 entries"):
        measure(network, together, stats, collect, tmp_path / "b", changes=["step"])


@pytest.mark.slow
def test_an_output_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my_outputs.py").write_text(
        "def first(output):\n    return output[:, 0]\n\ndef wrong(output):\n    return output.sum()\n"
    )
    network, corpus = seeded(linear), corpus_of(4)
    stats, collect = statistics(network, corpus, hook_points=["0:out", "1:out"])
    settings = {"changes": ["step"], "trust": ["import"]}
    made = measure(network, corpus, stats, collect, tmp_path / "a", outputs=["my_outputs:first"], **settings)
    modules: Any = network.module
    weights = (modules[2].weight @ modules[1].weight).numpy()[0]
    np.testing.assert_allclose(made.output_effects[0, :, 0], weights * stats.std[:6], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(made.output_errors[0], 0, atol=1e-5)
    with pytest.raises(InputError, match="gives a tensor of shape"):
        measure(network, corpus, stats, collect, tmp_path / "b", outputs=["my_outputs:wrong"], **settings)
    with pytest.raises(InputError, match="language model"):
        measure(network, corpus, stats, collect, tmp_path / "c", outputs=["kl"])


@pytest.mark.slow
def test_means_over_positions_are_refused(tmp_path: Path) -> None:
    network, corpus = seeded(Images), corpus_of(3, 6, 6)
    stats, collect = statistics(network, corpus, hook_points=["first:out", "second:out"], positions="mean")
    with pytest.raises(InputError, match=r"collect\.positions: mean"):
        measure(network, corpus, stats, collect, tmp_path)
