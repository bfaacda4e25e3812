"""Passes that begin inside the network, against whole passes; and that nothing before the source runs again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.tiny_encoder_decoders import bart, marian, pegasus, t5
from support.tiny_models import CONFIGS
from support.tiny_networks import Convolutional
from torch import Tensor, nn
from transformers import PreTrainedModel

from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint, ablate, record, resolve_hook_points
from glasso_cli.hooks.edit import Intervention
from glasso_cli.hooks.replay import Replay
from glasso_cli.models.encoder_decoder import text_decoder
from glasso_cli.models.loaded import LoadedModel

IDS = torch.tensor([[5, 6, 7, 8, 9, 10, 4], [4, 11, 12, 6, 5, 0, 0]])
MASK = torch.tensor([[1] * 7, [1] * 5 + [0] * 2])
COPIES = 3


def push(neurons: list[int], batch: int, width: int) -> Callable[[Tensor], Tensor]:
    """Copy k of a batch has neuron ``neurons[k]`` moved by a half everywhere."""
    delta = torch.zeros(len(neurons), 1, 1, width)
    for copy, neuron in enumerate(neurons):
        delta[copy, ..., neuron] = 0.5
    delta = delta.expand(-1, batch, -1, -1).flatten(0, 1)
    return lambda current: current + delta


@pytest.mark.parametrize("name", [name for name in CONFIGS if name not in ("albert", "gemma3n")])
def test_a_replay_is_a_whole_pass(loaded: Callable[[str], LoadedModel], name: str) -> None:
    """With another intervention in each copy, in any family, up to the last layer."""
    model = loaded(name).model
    source, *targets = resolve_hook_points(model, ["resid.0" if name == "mixtral" else "mlp.0", "resid.1", "resid.2"])
    neurons, ids, mask = [3, 1, 8], IDS.repeat(COPIES, 1), MASK.repeat(COPIES, 1)
    edit = Intervention(source, push(neurons, len(IDS), source.width))
    with ablate(model, [edit]), record(model, targets) as recorder:
        expected = recorder.run(ids, mask)
    replay = Replay(model, source)
    with record(model, targets) as recorder:
        replay.keep(lambda: model(input_ids=IDS, attention_mask=MASK, **_no_cache(model)), *IDS.shape)
        with ablate(model, [edit]), replay.again(COPIES):
            found = recorder.run(ids, mask)
            again = recorder.run(ids, mask)
        whole = recorder.run(ids, mask)
    plain = [part.repeat(COPIES, 1, 1) for part in read(model, targets)]
    for ours, second, theirs, before, after in zip(found, again, expected, plain, whole):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours, second, rtol=0, atol=0)
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
        assert (ours - before).abs().max() > 1e-4


def _no_cache(model: Any) -> dict[str, bool]:
    return {} if model.config.model_type in ("bert", "roberta") else {"use_cache": False}


def read(model: nn.Module, points: list[HookPoint]) -> list[Tensor]:
    with record(model, points) as recorder:
        return recorder.run(IDS, MASK)


@pytest.mark.parametrize(("rows", "positions"), [(1, 7), (7, 7), (6, 7), (2, 7), (2, 2)])
@pytest.mark.parametrize("make", [pegasus, marian, bart, t5])
def test_a_table_of_positions_is_no_batch(make: Callable[[int], PreTrainedModel], rows: int, positions: int) -> None:
    """Whose first axis has the length of the batch, or of its documents and positions."""
    torch.manual_seed(2)
    model = text_decoder(make(40).eval())
    source, target = resolve_hook_points(model, ["mlp.0", "mlp.1"])
    ids = torch.randint(4, 40, (rows, positions))
    replay = Replay(model, source)
    replay.keep(lambda: model(input_ids=ids), rows, positions)
    with record(model, [target]) as recorder:
        (expected,) = recorder.run(ids)
        with replay.again(COPIES):
            (found,) = recorder.run(ids.repeat(COPIES, 1))
    torch.testing.assert_close(found, expected.repeat(COPIES, 1, 1), rtol=1e-4, atol=1e-5)


class Positions(nn.Module):
    """One module is applied to a table of positions, and then to the sum of the documents and the table."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(5, 4))
        self.act, self.read = nn.Tanh(), nn.Linear(4, 3)

    def forward(self, documents: Tensor) -> Tensor:
        made: Tensor = self.read(self.act(documents + self.act(self.table)))
        return made


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_each_run_of_a_module_is_kept_or_run_again(rows: int) -> None:
    torch.manual_seed(0)
    net = Positions().eval()
    documents = torch.randn(rows, 5, 4)
    replay = Replay(net, HookPoint("read:in", None, 4, "read:in", "btc"))
    replay.keep(lambda: net(documents), rows, 5)
    with torch.no_grad(), replay.again(COPIES):
        found = net(documents.repeat(COPIES, 1, 1))
    torch.testing.assert_close(found, net(documents).repeat(COPIES, 1, 1))


def test_nothing_before_the_source_runs_again(loaded: Callable[[str], LoadedModel]) -> None:
    """Weights that are spoilt after the first pass have no say."""
    import copy

    model = copy.deepcopy(loaded("gemma3").model)
    source, target = resolve_hook_points(model, ["mlp.1", "mlp.2"])
    (expected,) = read(model, [target])
    replay = Replay(model, source)
    replay.keep(lambda: model(input_ids=IDS, attention_mask=MASK, use_cache=False), *IDS.shape)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".layers.0." in name or ".layers.1.self_attn" in name or ("gate_proj" in name and ".1." in name):
                weight.fill_(float("nan"))
    with replay.again():
        (found,) = read(model, [target])
    torch.testing.assert_close(found, expected)
    assert read(model, [target])[0].isnan().any()


def test_a_network_that_writes_into_what_was_kept_gets_a_fresh_copy() -> None:
    """The activation writes into the output of the norm before it, which was kept."""
    torch.manual_seed(0)
    net = Convolutional(inplace=True).eval()
    images = torch.randn(2, 3, 6, 6)
    source = HookPoint("act:in", None, 6, "act:in", "bchw")
    expected = net(images)
    replay = Replay(net, source)
    replay.keep(lambda: net(images), len(images))
    for _ in range(2):
        with torch.no_grad(), replay.again(2):
            torch.testing.assert_close(net(images.repeat(2, 1, 1, 1)), expected.repeat(2, 1))


def test_the_module_gets_its_own_forward_back(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("llama").model
    layer = model.get_submodule("model.layers.0")
    layer.forward = original = layer.forward
    replay = Replay(model, resolve_hook_points(model, ["mlp.1"])[0])
    replay.keep(lambda: model(input_ids=IDS, attention_mask=MASK, use_cache=False), *IDS.shape)
    try:
        with replay.again():
            assert layer.forward is not original
        assert layer.__dict__["forward"] is original
        assert "forward" not in model.get_submodule("model.layers.1.self_attn").__dict__
    finally:
        del layer.forward


def test_one_of_several_runs_is_refused(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("albert").model
    (source,) = resolve_hook_points(model, ["mlp.1"])
    with pytest.raises(InputError, match=r"'layers\.1\.mlp' runs several times in a pass"):
        Replay(model, source).keep(lambda: model(input_ids=IDS), *IDS.shape)
