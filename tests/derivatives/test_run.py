"""The influence on a corpus: what changes of weights and of documents do to it, and which corpora are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.influences import assert_close, by_name, collected, sentences
from support.influences import measured as measured_as_asked
from support.symmetries import GATED, KINDS, symmetry, transformed

from glasso_cli.artifacts import Influence
from glasso_cli.artifacts.artifact import misfits
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.artifacts.pieces import write_piece
from glasso_cli.derivatives.check import closed_form
from glasso_cli.derivatives.frozen import held_derivatives
from glasso_cli.derivatives.layout.pair import layer_pair
from glasso_cli.errors import InputError
from glasso_cli.hooks import resolve_hook_points
from glasso_cli.inference.jackknife import PseudoValues
from glasso_cli.models.loaded import LoadedModel

EVERYTHING: dict[str, Any] = {"keep": "all", "min_effect": 0.02, "ablation": True}
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::glasso_cli.console.GlassoWarning")]


def measured(loaded: LoadedModel, texts: list[str], folder: Path, **settings: Any) -> Influence:
    return measured_as_asked(loaded, texts, folder, **(EVERYTHING | settings))


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize(
    ("family", "kind"),
    [(name, kind) for name in ("gemma3", "phi3", "opt", "gpt2", "bert") for kind in KINDS[name]],
)
def test_a_symmetry_of_the_weights_changes_nothing(
    loaded: Callable[[str], LoadedModel], tmp_path: Path, family: str, kind: str, layer: int
) -> None:
    """Neurons of layer 0 are sources, and those of layer 1 are targets, too: turned over, scaled, or in another order."""
    model, texts = loaded(family), sentences(80)
    reader = resolve_hook_points(model.model, [f"mlp.{layer}"])[0]
    change = symmetry(kind, reader.width)
    other = replace(model, model=transformed(model.model, family, reader.module, change))
    names = {
        f"layers.{layer}.mlp[{new}]": f"layers.{layer}.mlp[{old}]" for new, old in enumerate(change.order.tolist())
    }
    settings: dict[str, Any] = {"collect": {"mask": {"massive": None}}}  # norms of neurons change where they are scaled
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    before = measured(model, texts, tmp_path / "a", **settings)
    after = measured(other, texts, tmp_path / "b", **settings)
    if kind == "sign":
        assert family in GATED
        assert (after.orientation != before.orientation).sum() == reader.width // 2
    ablation = ("ablation", "ablation_error", "ablation_rms", "ablation_rms_error")
    for column in ("mean", "error", "direct", "direct_error", "rms", "rms_error", *ablation):
        assert_close(by_name(before, column), by_name(after, column, names))


def test_its_arrays_are_as_declared_and_edges_are_those_of_the_whole(
    loaded: Callable[[str], LoadedModel], tmp_path: Path
) -> None:
    model, texts = loaded("gemma3"), sentences(80)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    stats = collected(model, texts)
    every = measured(model, texts, tmp_path / "a", stats=stats)
    edges = measured(model, texts, tmp_path / "b", stats=stats, keep="edges")
    for influence in (every, edges):
        names = [name for name in influence.__dataclass_fields__ if name != "meta"]
        assert misfits(Influence, {name: getattr(influence, name) for name in names}) == []
    assert len(every.mean) == every.metrics.tested == 2 * 48 * 48
    assert 0 < every.metrics.edges == len(edges.mean) == every.edge.sum()
    assert {len(layer.source) for layer in every.metrics.layers} == {len("layers.0.mlp")}
    assert sum(layer.edges for layer in every.metrics.layers) == every.metrics.edges
    assert (every.layers[every.targets] == every.layers[every.sources] + 1).all()
    kept = every.edge
    for name in ("sources", "targets", "mean", "error", "rms", "q_values"):
        np.testing.assert_array_equal(getattr(every, name)[kept], getattr(edges, name), err_msg=name)
    assert (np.abs(every.mean) <= every.rms * 1.001 + 1e-5).all()
    np.testing.assert_array_equal(every.counts, stats.counts)
    assert "ablation" in every.edge_columns()
    np.testing.assert_array_equal(every.edge_columns()["influence"], edges.edge_columns()["influence"])
    assert edges.neuron_columns()["degree_out"].sum() == edges.metrics.edges


def test_ablation_is_there_only_where_it_is_asked_for(loaded: Callable[[str], LoadedModel], tmp_path: Path) -> None:
    influence = measured(loaded("gemma3"), sentences(40), tmp_path, ablation=False, layers=((0, 1),))
    assert influence.ablation.size == influence.ablation_error.size == 0
    assert influence.ablation_rms.size == influence.ablation_rms_error.size == 0
    assert influence.metrics.ablation_tokens is None
    assert "ablation" not in influence.edge_columns()
    assert oriented(influence).ablation.size == 0


def test_the_means_are_those_of_whole_passes_over_the_kept_tokens(
    loaded: Callable[[str], LoadedModel], tmp_path: Path
) -> None:
    model, texts = loaded("llama"), sentences(30)
    mask = {"mask": {"massive": None, "special": False, "first": 0}}
    stats = collected(model, texts, **mask)
    influence = measured(model, texts, tmp_path, stats=stats, collect=mask, layers=((0, 1),))
    points = resolve_hook_points(model.model, ["mlp.0", "mlp.1"])
    ids = [torch.tensor([model.tokenizer(text)["input_ids"]]) for text in texts]
    sample = [{"input_ids": row, "attention_mask": torch.ones_like(row)} for row in ids]
    mean, rms = closed_form(model, layer_pair(model, points[0], points[1]), torch.arange(48), sample)
    std = stats.std.reshape(3, 48)
    unit = std[0][:, None] / std[1]
    for values, column in ((mean, influence.mean), (rms, influence.rms)):
        found = np.zeros((48, 48))
        found[influence.sources, influence.targets - 48] = column
        np.testing.assert_allclose(found, values * unit, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("family", ["gemma3", "gpt2", "bert", "gpt_neox"])
def test_ablation_is_the_derivative_towards_the_mean(
    loaded: Callable[[str], LoadedModel], tmp_path: Path, family: str
) -> None:
    """Against forward-mode differentiation, token by token; its error against the jackknife over blocks."""
    model, texts = loaded(family), sentences(24)
    mask = {"mask": {"massive": None, "special": False, "first": 0}}
    stats = collected(model, texts, **mask)
    influence = measured(model, texts, tmp_path, stats=stats, collect=mask, layers=((0, 1),))
    p = int((stats.layers == 0).sum())
    ids = [torch.tensor([model.tokenizer(text)["input_ids"]]) for text in texts]
    points = resolve_hook_points(model.model, ["mlp.0", "mlp.1"])
    pair = layer_pair(model, points[0], points[1])
    found, error, rms, rms_error = (np.zeros((p, p)) for _ in range(4))
    names = ("ablation", "ablation_error", "ablation_rms", "ablation_rms_error")
    for values, name in zip((found, error, rms, rms_error), names):
        values[influence.sources, influence.targets - p] = getattr(influence, name)
    block = np.arange(len(texts)) % 6
    for neuron in (0, 17, 40):
        towards = float(stats.mean[neuron])
        moved = [
            held_derivatives(model, pair, neuron, {"input_ids": row, "attention_mask": torch.ones_like(row)}, towards)[
                0
            ].numpy()
            for row in ids
        ]
        moved = [rows / stats.std[p : 2 * p] for rows in moved]
        whole = np.concatenate(moved).mean(0)
        np.testing.assert_allclose(found[neuron], whole, rtol=1e-3, atol=1e-5)
        squares = (np.concatenate(moved) ** 2).mean(0)
        np.testing.assert_allclose(rms[neuron], np.sqrt(squares), rtol=1e-2, atol=1e-4)
        pseudo, of_squares = PseudoValues(p), PseudoValues(p)
        for index in range(6):
            of_block = np.concatenate([rows for rows, at in zip(moved, block) if at == index])
            share = len(of_block) / sum(map(len, moved))
            pseudo.add(of_block.mean(0) - whole, share)
            of_squares.add((of_block**2).mean(0) - squares, share)
        np.testing.assert_allclose(error[neuron], np.sqrt(pseudo.variance()), rtol=1e-2, atol=1e-5)
        expected = np.sqrt(of_squares.variance() / squares) / 2
        np.testing.assert_allclose(rms_error[neuron], expected, rtol=2e-2, atol=1e-4)


@pytest.mark.parametrize("ablation", [False, True])
def test_an_interrupted_pass_goes_on_to_the_same_bytes(
    loaded: Callable[[str], LoadedModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ablation: bool
) -> None:
    """With blocks in groups, and with each block alone, as ablation has them."""
    model, texts = loaded("gemma3"), sentences(80)
    settings: dict[str, Any] = {"ablation": ablation}
    monkeypatch.setattr("glasso_cli.collection.corpus_pass.GROUP_TOKENS", 400)
    stats = collected(model, texts)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    measured(model, texts, tmp_path / "a", stats=stats, **settings).save(tmp_path / "a.npz")

    def once(path: Path, *arguments: Any) -> None:
        write_piece(path, *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("glasso_cli.derivatives.run.write_piece", once)
        measured(model, texts, tmp_path / "b", stats=stats, **settings)
    assert 1 == len(list((tmp_path / "b").glob("part-*"))) < len(list((tmp_path / "a").glob("part-*")))
    measured(model, texts, tmp_path / "b", stats=stats, **settings).save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_fewer_tokens_are_whole_documents(loaded: Callable[[str], LoadedModel], tmp_path: Path) -> None:
    model, texts = loaded("gemma3"), sentences(80)
    stats = collected(model, texts)
    few = measured(model, texts, tmp_path, stats=stats, max_tokens=300)
    lengths = np.cumsum([len(text.split()) + 1 for text in texts])
    documents = int(np.searchsorted(lengths, 300)) + 1
    expected = collected(model, texts[:documents])
    assert few.counts.sum() == expected.counts.sum()
    assert few.metrics.documents == documents


def test_squares_of_ablation_are_of_the_first_documents(
    loaded: Callable[[str], LoadedModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the number of tokens and targets that are summed together."""
    model, texts = loaded("gemma3"), sentences(80)
    stats = collected(model, texts)
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
    whole = measured(model, texts, tmp_path / "a", stats=stats)
    assert whole.metrics.ablation_tokens == whole.metrics.tokens
    monkeypatch.setattr("glasso_cli.derivatives.squares._TOKENS", 7)
    monkeypatch.setattr("glasso_cli.derivatives.squares._TARGETS", 13)
    again = measured(model, texts, tmp_path / "b", stats=stats)
    assert_close(by_name(again, "ablation_rms"), by_name(whole, "ablation_rms"))
    monkeypatch.setattr("glasso_cli.derivatives.run.ABLATION_TOKENS", 300)
    first = measured(model, texts, tmp_path / "c", stats=stats)
    few = measured(model, texts, tmp_path, stats=stats, max_tokens=300)
    assert first.metrics.ablation_tokens == few.metrics.tokens < whole.metrics.tokens
    assert_close(by_name(first, "ablation_rms"), by_name(few, "ablation_rms"))
    np.testing.assert_array_equal(first.ablation, whole.ablation)


def test_chosen_neurons_are_those_of_all(loaded: Callable[[str], LoadedModel], tmp_path: Path) -> None:
    model, texts = loaded("gemma3"), sentences(80)
    chosen = tuple(f"layers.{layer}.mlp[{index}]" for layer in (0, 1) for index in (3, 40, 11))
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    layers: dict[str, Any] = {"layers": ((0, 1),)}
    whole = by_name(measured(model, texts, tmp_path / "a", **layers))
    part = measured(model, texts, tmp_path / "b", collect={"neurons": chosen}, **layers)
    assert part.metrics.tested == 9
    assert_close(by_name(part), {key: whole[key] for key in by_name(part)})


def test_other_texts_than_those_collected_are_refused(loaded: Callable[[str], LoadedModel], tmp_path: Path) -> None:
    model, texts = loaded("gemma3"), sentences(40)
    stats = collected(model, texts)
    with pytest.raises(InputError, match=r"kept .* and collect kept .* the texts or the model are others"):
        measured(model, texts[:-1], tmp_path, stats=stats)


def test_one_layer_or_a_layer_that_is_not_there_is_refused(
    loaded: Callable[[str], LoadedModel], tmp_path: Path
) -> None:
    model, texts = loaded("gemma3"), sentences(40)
    for points in (("mlp.1",), ("mlp.0", "mlp.2"), ("resid.0", "mlp.1")):
        with pytest.raises(InputError, match="between the MLPs of two neighbouring layers"):
            measured(model, texts, tmp_path, collect={"hook_points": points})
    with pytest.raises(
        InputError, match=r"influence.layers names layer 2, of which no MLP was collected: layers.0.mlp"
    ):
        measured(model, texts, tmp_path, collect={"hook_points": ("mlp.0", "mlp.1")}, layers=((1, 2),))


def test_too_few_blocks_have_no_error(loaded: Callable[[str], LoadedModel], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="The error of influence draws from blocks of documents"):
        measured(loaded("gemma3"), sentences(40), tmp_path, collect={"blocks": 2})
