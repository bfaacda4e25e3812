"""The influence along all paths: against differences of whole networks, and what changes of weights and documents do to it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.influences import assert_close, by_name, collected, measured, sentences
from support.real_runs import interrupted_after
from support.symmetries import KINDS, symmetry, transformed
from torch import Tensor, nn

from glasso_cli.artifacts import ActivationStats, Influence
from glasso_cli.artifacts.artifact import misfits
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.artifacts.pieces import write_piece
from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint, resolve_hook_points
from glasso_cli.inference.jackknife import PseudoValues
from glasso_cli.models.loaded import LoadedModel

ALL: dict[str, Any] = {"paths": "all", "keep": "all", "min_effect": 0.02}
EVERY_TOKEN: dict[str, Any] = {"mask": {"massive": None, "special": False, "first": 0}}
STEPS = {"opt": 1e-6}  # standard deviations: of ReLU, whose slope has a jump
STEP = 1e-3  # of all others, whose norms may be in float32
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::glasso_cli.console.GlassoWarning")]


class Whole:
    """A copy of a network in float64 in which a neuron is pushed at every token, and nothing is held."""

    def __init__(self, loaded: LoadedModel, stats: ActivationStats, points: tuple[HookPoint, ...]) -> None:
        self.model = copy.deepcopy(loaded.model).double()
        self.loaded, self.points = loaded, points
        self.std = stats.std.reshape(len(points), -1)
        self.step = STEPS.get(loaded.model.config.model_type, STEP)

    def slopes(self, neuron: int, text: str) -> list[np.ndarray]:
        """Central differences of the later hook points, ``(time, p)`` each, in standard deviations per standard deviation."""
        up, down = (self._run(neuron, sign * self.step * self.std[0, neuron], text) for sign in (1, -1))
        return [((one - other) / (2 * self.step)).numpy() / std for one, other, std in zip(up, down, self.std[1:])]

    def _run(self, neuron: int, delta: float, text: str) -> list[Tensor]:
        seen: list[Tensor] = []

        def push(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
            moved = args[0].clone()
            moved[..., neuron] += delta
            return (moved, *args[1:])

        def keep(module: nn.Module, args: tuple[Any, ...]) -> None:
            seen.append(args[0].reshape(-1, args[0].shape[-1]).clone())

        with ExitStack() as hooks, torch.no_grad():
            for number, point in enumerate(self.points):
                module = self.model.get_submodule(point.module)
                hooks.callback(module.register_forward_pre_hook(keep if number else push).remove)
            self.model(input_ids=torch.tensor([self.loaded.tokenizer(text)["input_ids"]]))
        return seen


@pytest.mark.parametrize("family", ["gemma3", "llama", "gpt2", "gpt_neox", "bert", "opt"])
def test_it_is_what_a_push_does_to_the_whole_network(
    loaded: Callable[[str], LoadedModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    """Mean, root mean square and standard errors, against central differences of passes over single texts."""
    monkeypatch.setattr("glasso_cli.derivatives.all_paths.sums.GROUP", 4)  # every token by itself
    model, texts = loaded(family), sentences(14)
    stats = collected(model, texts, **EVERY_TOKEN)
    influence = measured(model, texts, tmp_path, stats=stats, collect=EVERY_TOKEN, **ALL)
    points = tuple(resolve_hook_points(model.model, ["mlp.0", "mlp.1", "mlp.2"]))
    network, p = Whole(model, stats, points), points[0].width
    found = {name: np.zeros((3 * p, 3 * p)) for name in ("mean", "rms", "error", "rms_error")}
    for name, values in found.items():
        values[influence.sources, influence.targets] = getattr(influence, name)
    for neuron in (0, 17, 40):
        slopes = [np.concatenate(network.slopes(neuron, text), axis=1) for text in texts]
        every = np.concatenate(slopes)
        size = float(np.sqrt((every**2).mean()))
        np.testing.assert_allclose(found["mean"][neuron, p:], every.mean(0), atol=5e-3 * size)
        np.testing.assert_allclose(found["rms"][neuron, p:], np.sqrt((every**2).mean(0)), atol=5e-3 * size)
        pseudo, of_squares, squares = PseudoValues(2 * p), PseudoValues(2 * p), (every**2).mean(0)
        for block in range(6):
            rows = np.concatenate(slopes[block::6])
            pseudo.add(rows.mean(0) - every.mean(0), len(rows) / len(every))
            of_squares.add((rows**2).mean(0) - squares, len(rows) / len(every))
        np.testing.assert_allclose(found["error"][neuron, p:], np.sqrt(pseudo.variance()), atol=5e-3 * size)
        expected = np.sqrt(of_squares.variance() / squares) / 2
        np.testing.assert_allclose(found["rms_error"][neuron, p:], expected, atol=5e-3 * size)
    for layers in influence.metrics.layers:
        assert (layers.by, layers.pushes, layers.derivative) == ("directions", 32, "forward")
        assert layers.check_rms is not None
        assert layers.check_rms < 1e-5


def test_fewer_combinations_of_tokens_give_nearly_the_root_mean_square(
    loaded: Callable[[str], LoadedModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mean is the same, the root mean square is close, and never below the mean."""
    model, texts = loaded("gemma3"), sentences(60)
    stats = collected(model, texts)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    estimated = measured(model, texts, tmp_path / "a", stats=stats, **ALL)
    monkeypatch.setattr("glasso_cli.derivatives.all_paths.sums.GROUP", 4)
    exact = measured(model, texts, tmp_path / "b", stats=stats, **ALL)
    np.testing.assert_allclose(estimated.mean, exact.mean, atol=1e-4)
    assert estimated.metrics.combinations is not None
    assert exact.metrics.combinations == exact.metrics.tokens > 2.5 * estimated.metrics.combinations
    ratio = estimated.rms / exact.rms
    assert abs(float(ratio.mean()) - 1) < 0.01
    assert 0.005 < float(ratio.std()) < 0.08
    assert (np.abs(estimated.mean) <= estimated.rms * 1.001 + 1e-5).all()
    noise = (estimated.rms - exact.rms) / estimated.rms_error  # of the combinations, which differ from block to block
    assert 0.1 < float(np.sqrt((noise**2).mean())) < 1
    assert float((estimated.rms_error / exact.rms_error).mean()) > 1


@pytest.mark.parametrize(
    ("family", "kind"),
    [(name, kind) for name in ("gemma3", "opt", "gpt2") for kind in KINDS[name]],
)
@pytest.mark.parametrize("layer", [0, 2])
def test_a_symmetry_of_the_weights_changes_nothing(
    loaded: Callable[[str], LoadedModel], tmp_path: Path, family: str, kind: str, layer: int
) -> None:
    """Neurons of layer 0 are sources, and those of layer 2 are targets: turned over, scaled, or in another order."""
    model, texts = loaded(family), sentences(30)
    reader = resolve_hook_points(model.model, [f"mlp.{layer}"])[0]
    change = symmetry(kind, reader.width)
    other = replace(model, model=transformed(model.model, family, reader.module, change))
    names = {
        f"layers.{layer}.mlp[{new}]": f"layers.{layer}.mlp[{old}]" for new, old in enumerate(change.order.tolist())
    }
    settings: dict[str, Any] = {"collect": {"mask": {"massive": None}}, "layers": ((0, 2),), **ALL}
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    before = measured(model, texts, tmp_path / "a", **settings)
    after = measured(other, texts, tmp_path / "b", **settings)
    for column in ("mean", "error", "rms", "rms_error"):
        assert_close(by_name(before, column), by_name(after, column, names))


def test_its_arrays_are_as_declared_and_say_what_was_done(loaded: Callable[[str], LoadedModel], tmp_path: Path) -> None:
    influence = measured(loaded("gemma3"), sentences(40), tmp_path, **ALL)
    arrays = {name: getattr(influence, name) for name in influence.__dataclass_fields__ if name != "meta"}
    assert misfits(Influence, arrays) == []
    assert influence.direct.size == oriented(influence).direct.size == influence.ablation.size == 0
    assert "direct" not in influence.edge_columns()
    assert influence.metrics.paths == "all"
    named = [(layers.source, layers.target) for layers in influence.metrics.layers]
    assert named == [(f"layers.{a}.mlp", f"layers.{b}.mlp") for a, b in ((0, 1), (0, 2), (1, 2))]
    assert influence.metrics.edges == influence.edge.sum() > 0
    influence.save(tmp_path / "influence.npz")
    np.testing.assert_array_equal(Influence.load(tmp_path / "influence.npz").mean, influence.mean)


def test_any_hook_point_may_be_source_or_target(loaded: Callable[[str], LoadedModel], tmp_path: Path) -> None:
    """The stream has no linear reader, so its coordinates are pushed; what they do is what those who write there do."""
    points = {"hook_points": ("mlp.0", "resid.0", "head.1", "mlp.2"), **EVERY_TOKEN}
    model, texts = loaded("llama"), sentences(20)
    influence = measured(model, texts, tmp_path, collect=points, **ALL)
    by = {(layers.source, layers.target): layers.by for layers in influence.metrics.layers}
    assert by == {
        ("layers.0.mlp", "layers.0.resid"): "directions",
        ("layers.0.mlp", "layers.1.head"): "directions",
        ("layers.0.mlp", "layers.2.mlp"): "directions",
        ("layers.0.resid", "layers.1.head"): "sources",
        ("layers.0.resid", "layers.2.mlp"): "sources",
        ("layers.1.head", "layers.2.mlp"): "sources",
    }
    ids, unit = influence.neuron_ids.tolist(), influence.std
    mean = np.zeros((len(ids), len(ids)))
    mean[influence.sources, influence.targets] = influence.mean
    mean *= unit / unit[:, None]  # in the units of the activations
    rows = {kind: [i for i, name in enumerate(ids) if kind in name] for kind in (".0.mlp", ".0.resid", ".2.mlp")}
    weight: Any = model.model.get_submodule(resolve_hook_points(model.model, ["mlp.0"])[0].module).weight
    wrote = mean[np.ix_(rows[".0.mlp"], rows[".0.resid"])]
    np.testing.assert_allclose(wrote, weight.detach().numpy().T, atol=1e-4 * np.abs(wrote).max())
    through = wrote @ mean[np.ix_(rows[".0.resid"], rows[".2.mlp"])]
    np.testing.assert_allclose(mean[np.ix_(rows[".0.mlp"], rows[".2.mlp"])], through, atol=1e-3 * np.abs(through).max())


def test_an_interrupted_run_goes_on_to_the_same_bytes(
    loaded: Callable[[str], LoadedModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, texts = loaded("gemma3"), sentences(40)
    stats = collected(model, texts)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    measured(model, texts, tmp_path / "a", stats=stats, **ALL).save(tmp_path / "a.npz")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("glasso_cli.pipeline.units.write_piece", interrupted_after(10, write_piece))
        measured(model, texts, tmp_path / "b", stats=stats, **ALL)
    assert 8 == len(list((tmp_path / "b").glob("source-*"))) < len(list((tmp_path / "a").glob("source-*")))
    measured(model, texts, tmp_path / "b", stats=stats, **ALL).save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_it_takes_whole_documents_up_to_some_tokens(loaded: Callable[[str], LoadedModel], tmp_path: Path) -> None:
    model, texts = loaded("gemma3"), sentences(120)
    stats = collected(model, texts)
    few = measured(model, texts, tmp_path, stats=stats, layers=((0, 2),), **ALL)
    lengths = np.cumsum([len(text.split()) + 1 for text in texts])
    assert lengths[-1] > 1_200
    assert few.metrics.documents == int(np.searchsorted(lengths, 1_000)) + 1
    assert few.counts.sum() == collected(model, texts[: few.metrics.documents]).counts.sum()


def test_what_cannot_be_is_refused(loaded: Callable[[str], LoadedModel], tmp_path: Path) -> None:
    model, texts = loaded("gemma3"), sentences(40)
    stats = collected(model, texts)
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
    with pytest.raises(InputError, match=r"kept .* and collect kept .* the texts or the model are others"):
        measured(model, [text + " the of" for text in texts], tmp_path / "a", stats=stats, max_tokens=10_000, **ALL)
    with pytest.raises(InputError, match="are of 40 documents in 2 blocks, and standard errors need 4 blocks"):
        measured(model, texts, tmp_path / "b", collect={"blocks": 2}, **ALL)
    with pytest.raises(InputError, match="The first 20 tokens are of 1 document in 1 block, and"):
        measured(model, texts, tmp_path / "b", stats=stats, max_tokens=20, **ALL)
    with pytest.raises(InputError, match="runs several times in a pass"):
        measured(loaded("albert"), texts, tmp_path / "c", **ALL)
