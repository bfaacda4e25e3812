"""Any torch module in a notebook: the numbers of the command line, and a module that is left as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from support.tiny_networks import Waves
from torch import nn

import glasso_cli as g
from glasso_cli.errors import ConfigError, InputError

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((40, 4)).astype(np.float32)
SETTINGS: dict[str, Any] = {"blocks": 4, "mask": {"massive": None}}


def test_the_numbers_are_those_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lengths = RNG.integers(6, 12, 40)
    items = [RNG.standard_normal((length, 4)).astype(np.float32) for length in lengths]
    padded = np.zeros((40, 12, 4), np.float32)
    for row, item in zip(padded, items):
        row[: len(item)] = item
    owners = np.arange(40) // 2
    np.savez("waves.npz", values=padded, lengths=lengths, documents=owners)
    torch.manual_seed(0)
    net = Waves()
    torch.save(net.state_dict(), "weights.pt")
    model = {"kind": "torch", "target": "support.tiny_networks:Waves", "weights": "weights.pt", "trust": "import"}
    collect = {"hook_points": ["first:out"], **SETTINGS}
    config = {"out": "out", "model": model, "corpora": {"waves": {"arrays": "waves.npz"}}, "collect": collect}
    Path("c.yaml").write_text(yaml.safe_dump(config))
    g.run("c.yaml", "collect")
    theirs = g.load("out/collect/waves.npz")
    ours = g.collect_arrays(net, items, ["first:out"], documents=owners.tolist(), name="waves", **SETTINGS)
    assert isinstance(theirs, g.ActivationStats)
    for name in ("counts", "sums", "moments", "autocorrelation"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)


def test_the_module_keeps_its_modes_and_its_weights() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.Sequential(nn.Linear(3, 2)))
    net[2].eval()
    before = [part.training for part in net.modules()]
    stats = g.collect_arrays(net, ROWS, ["0:out"], **SETTINGS)
    assert [part.training for part in net.modules()] == before
    assert all(weight.requires_grad for weight in net.parameters())
    expected = net[0](torch.from_numpy(ROWS)).detach().numpy()
    np.testing.assert_allclose(stats.covariance(), np.cov(expected.T, bias=True), rtol=1e-5)


def test_recurrent_layers_stay_together() -> None:
    """`rnn.1` reads the second of three layers, which are one module before and after."""
    torch.manual_seed(0)
    layers = nn.GRU(4, 5, 3, batch_first=True)
    net = nn.Sequential(layers)
    sequences = [RNG.standard_normal((6, 4)).astype(np.float32) for _ in range(20)]
    stats = g.collect_arrays(net, sequences, ["rnn.1"], **SETTINGS)
    assert net[0] is layers
    assert layers.num_layers == 3
    assert stats.n_neurons == 5


def test_rows_of_one_document_count_as_one() -> None:
    stats = g.collect_arrays(nn.Sequential(nn.Linear(4, 3)), ROWS, ["0:out"], documents=np.arange(40) // 2, **SETTINGS)
    assert stats.metrics.documents.read == 20


def test_what_is_wrong_is_said() -> None:
    net = nn.Sequential(nn.Linear(4, 3))
    with pytest.raises(InputError, match="weights of float16"):
        g.collect_arrays(nn.Sequential(nn.Linear(4, 3)).half(), ROWS, ["0:out"], **SETTINGS)
    with pytest.raises(InputError, match="3 names of documents for 40 items"):
        g.collect_arrays(net, ROWS, ["0:out"], documents=["a", "b", "c"], **SETTINGS)
    with pytest.raises(InputError, match="The corpus has 10 documents"):
        g.collect_arrays(net, ROWS[:10], ["0:out"], **SETTINGS)
    with pytest.raises(ConfigError, match="blcks"):
        g.collect_arrays(net, ROWS, ["0:out"], blcks=3)
