"""Effects in language models, against changed weights, permutations and what cannot be."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.interventions import collect_section, measure, statistics, texts
from support.tiny_encoder_decoders import bart, marian, pegasus, t5
from torch import Tensor, nn

from glasso_cli.artifacts import Interventions
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.collection.texts import reading
from glasso_cli.collection.texts.reading import texts_reading
from glasso_cli.config import InterveneSection
from glasso_cli.console import PythonWarnings
from glasso_cli.corpora.repeats import Repeats
from glasso_cli.corpora.windows import TokenizedCorpus, special_frame
from glasso_cli.errors import InputError
from glasso_cli.hooks import record, resolve_hook_points
from glasso_cli.inference.p_values.false_discovery import q_values
from glasso_cli.intervention.texts import choose_texts
from glasso_cli.models.loaded import LoadedModel, encode, loaded_in_memory

FAMILIES = ("gemma3", "gpt2", "llama", "gpt_neox", "opt", "bert", "phi3")
Load = Callable[[str], LoadedModel]
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def few_tokens() -> Iterator[None]:
    """Tiny corpora have fewer tokens than neurons, which is said and does not matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def activations(model: Any, loaded: LoadedModel, point: str) -> list[Tensor]:
    """The values ``(tokens, width)`` of each document at the tokens that count."""
    (target,) = resolve_hook_points(loaded.model, [point])
    special = torch.tensor(special_frame(loaded.tokenizer, loaded.start).special)
    found = []
    with record(model, [target]) as recorder:
        for ids in encode(loaded, texts()):
            kept = ~torch.isin(ids, special)
            kept[0] = False
            found.append(recorder.run(ids[None])[0][0][kept])
    return found


def mean_of(parts: list[Tensor]) -> np.ndarray:
    return torch.cat(parts).double().mean(0).numpy()


def writer(model: Any, loaded: LoadedModel) -> nn.Module:
    """The linear module that reads the neurons of the first MLP, in ``model``."""
    module: nn.Module = model.get_submodule(resolve_hook_points(loaded.model, ["mlp.0"])[0].module)
    return module


def column(module: nn.Module, neuron: int) -> Tensor:
    weight = module.weight
    assert isinstance(weight, Tensor)
    return weight[neuron] if type(module).__name__ == "Conv1D" else weight[:, neuron]


@pytest.mark.parametrize("family", FAMILIES)
def test_effects_are_those_of_changed_weights(loaded: Load, family: str) -> None:
    """A step is a change of the bias behind the neuron, and ablation to zero a column of zeros."""
    model, collect = loaded(family), collect_section()
    stats = statistics(model, collect)
    ids = ["layers.0.mlp[3]", "layers.0.mlp[7]", "layers.0.mlp[20]"]
    made = measure(model, stats, collect, sources=ids, changes=["step", "zero"], delta=0.5)
    place = {name: row for row, name in enumerate(stats.neuron_ids.tolist())}
    std = stats.std[[place[name] for name in made.target_ids]]
    clean = activations(model.model, model, "mlp.1")
    for row, neuron in enumerate((3, 7, 20)):
        ends = []
        for sign in (1, -1):
            changed = copy.deepcopy(model.model)
            module: Any = writer(changed, model)
            shift = sign * 0.5 * stats.std[place[ids[row]]] * column(module, neuron)
            module.bias = nn.Parameter((shift if module.bias is None else module.bias + shift).detach())
            ends.append(mean_of(activations(changed, model, "mlp.1")))
        np.testing.assert_allclose(made.effects[0, row] * std, ends[0] - ends[1], atol=3e-6, rtol=1e-3)
        changed = copy.deepcopy(model.model)
        with torch.no_grad():
            column(writer(changed, model), neuron).zero_()
        after = activations(changed, model, "mlp.1")
        differences = torch.cat([one - other for one, other in zip(after, clean)]).double().numpy()
        np.testing.assert_allclose(made.effects[1, row] * std, differences.mean(0), atol=3e-6, rtol=1e-3)
        np.testing.assert_allclose(made.rms[1, row] * std, np.sqrt((differences**2).mean(0)), atol=3e-6, rtol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_impossible_effects_are_zero_to_the_bit(loaded: Load, family: str) -> None:
    model, collect = loaded(family), collect_section("mlp.1", "mlp.2")
    made = measure(model, statistics(model, collect), collect, sources=6, changes=["step"])
    found = made.metrics.impossible
    assert (found.same_hook_point, found.earlier_hook_point, found.self_patch) == (0, 0, 0)
    assert found.earlier_point == "layers.0.resid"
    assert found.earlier_position == (None if family == "bert" else 0)
    assert made.metrics.replay_difference < 1e-5
    assert np.abs(made.effects).max() > 1e-4


def test_sources_and_targets_have_the_same_effects_in_any_order(loaded: Load) -> None:
    model, collect = loaded("gemma3"), collect_section()
    stats = statistics(model, collect)
    ids = [f"layers.0.mlp[{index}]" for index in (2, 5, 11, 17, 40)]
    made = measure(model, stats, collect, sources=ids)
    alone = measure(model, stats, collect, sources=[ids[3]])
    row = made.source_of(ids[3])
    np.testing.assert_allclose(made.effects[:, row], alone.effects[:, 0], atol=1e-6)
    np.testing.assert_allclose(made.rms[:, row], alone.rms[:, 0], atol=1e-6)
    chosen = [f"layers.0.mlp[{index}]" for index in range(48)] + ["layers.1.mlp[30]", "layers.1.mlp[4]"]
    some = collect_section(neurons=chosen)
    few = measure(model, statistics(model, some), some, sources=ids)
    assert few.target_ids.tolist() == ["layers.1.mlp[4]", "layers.1.mlp[30]"]
    np.testing.assert_allclose(few.effects, made.effects[:, :, [4, 30]], rtol=1e-3, atol=1e-5)


def test_a_flipped_neuron_has_the_same_oriented_effects(loaded: Load) -> None:
    """The sign of a gated neuron is arbitrary: its own weights and those that read it change sign."""
    model, collect = loaded("gemma3"), collect_section()
    flipped = copy.deepcopy(model.model)
    with torch.no_grad():
        for layer, neuron in ((0, 3), (1, 5)):
            mlp: Any = flipped.get_submodule(f"model.layers.{layer}.mlp")
            mlp.up_proj.weight[neuron] *= -1
            mlp.down_proj.weight[:, neuron] *= -1
    other = LoadedModel(flipped, model.tokenizer, model.device, model.dtype, model.n_layers, model.kind)
    ids = ["layers.0.mlp[3]", "layers.0.mlp[4]"]
    group = {"both": ids}
    one, two = (measure(m, statistics(m, collect), collect, sources=ids, groups=group) for m in (model, other))
    assert one.source_orientation.tolist()[0] == -two.source_orientation.tolist()[0]
    raw = one.effects[0] / two.effects[0]
    np.testing.assert_allclose(raw[0, 6:], -1, rtol=1e-2)  # the source's sign
    np.testing.assert_allclose(raw[1, 6:], 1, rtol=1e-2)
    np.testing.assert_allclose(raw[0, 5], 1, rtol=1e-2)  # both signs
    np.testing.assert_allclose(raw[1, 5], -1, rtol=1e-2)
    np.testing.assert_allclose(oriented(one).effects, oriented(two).effects, atol=1e-5)
    np.testing.assert_allclose(one.rms, two.rms, atol=1e-5)
    np.testing.assert_allclose(
        one.effects[1, 0, 6:], two.effects[1, 0, 6:], atol=1e-5
    )  # ablation has no sign of a source


def test_q_values_are_over_all_pairs(loaded: Load) -> None:
    model, collect = loaded("llama"), collect_section()
    made = measure(model, statistics(model, collect), collect, sources=5, min_effect=0.01)
    for row in range(len(made.changes)):
        p = made.p_values[row].ravel()
        assert p.size == made.metrics.pairs == 5 * 48
        np.testing.assert_allclose(np.sort(made.q_values[row].ravel()), q_values(np.sort(p)))
    assert made.metrics.test == "sign flips of 12 documents"
    assert made.metrics.smallest_p == 2 / 2**12


def test_blocks_add_up_to_the_whole(loaded: Load) -> None:
    model, collect = loaded("gpt2"), collect_section()
    made = measure(model, statistics(model, collect), collect, sources=4, blocks=5, outputs=["loss"])
    mean, rms = made.of_blocks(np.arange(5))
    np.testing.assert_allclose(mean, made.effects, atol=1e-6)
    np.testing.assert_allclose(rms, made.rms, atol=1e-6)
    assert made.documents.tolist() == [3, 3, 2, 2, 2]
    even, odd = (made.of_blocks(np.arange(start, 5, 2))[0] for start in (0, 1))
    counts = made.counts[0::2].sum(), made.counts[1::2].sum()
    np.testing.assert_allclose((even * counts[0] + odd * counts[1]) / made.counts.sum(), made.effects, atol=1e-6)


def test_errors_are_those_of_the_documents(loaded: Load) -> None:
    """With as many blocks as documents, the blocks of the artifact give the errors."""
    model, collect = loaded("gemma3"), collect_section()
    made = measure(model, statistics(model, collect), collect, sources=3, blocks=12)
    counts = made.counts[:, None]
    apart = made.block_sums[0] - counts * made.effects[0][:, None]
    by_hand = np.sqrt(12 / 11 * (apart.astype(float) ** 2).sum(axis=1)) / counts.sum()
    np.testing.assert_allclose(made.errors[0], by_hand, rtol=1e-3)


def test_an_interrupted_run_goes_on_and_ends_in_the_same_numbers(
    loaded: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from support.real_runs import interrupted_after

    from glasso_cli.intervention import passes
    from glasso_cli.intervention.measure import Measure

    monkeypatch.setitem(passes.POSITIONS, "cpu", 160)
    model, collect = loaded("gemma3"), collect_section()
    stats = statistics(model, collect)
    whole = measure(model, stats, collect, sources=4, folder=tmp_path / "a")
    assert len(list((tmp_path / "a").glob("cpu-batch-*.npz"))) > 3
    with monkeypatch.context() as patch:
        patch.setattr(Measure, "batch", interrupted_after(2, Measure.batch))
        with pytest.raises(KeyboardInterrupt):
            measure(model, stats, collect, sources=4, folder=tmp_path / "b")
    left = sorted((tmp_path / "b").glob("cpu-batch-*.npz"))
    assert len(left) == 2
    times = [path.stat().st_mtime_ns for path in left]
    again = measure(model, stats, collect, sources=4, folder=tmp_path / "b")
    assert [path.stat().st_mtime_ns for path in left] == times
    same(whole, again)


def same(one: Interventions, other: Interventions) -> None:
    for name in ("effects", "errors", "rms", "p_values", "q_values", "block_sums", "linear_effects", "random_effects"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_changes_at_chosen_tokens_are_counted_from_there_on(loaded: Load) -> None:
    model, collect = loaded("gemma3"), collect_section()
    stats = statistics(model, collect)
    ids = ["layers.0.mlp[3]"]
    made = measure(model, stats, collect, sources=ids, at=[4])
    lengths = [len(row) for row in encode(model, texts())]
    assert made.metrics.texts.tokens == sum(max(0, length - 4) for length in lengths)
    everywhere = measure(model, stats, collect, sources=ids)
    assert not np.allclose(made.effects, everywhere.effects)
    word = measure(model, stats, collect, sources=ids, at=[" the"])
    assert 0 < word.metrics.texts.tokens < everywhere.metrics.texts.tokens
    with pytest.raises(InputError, match="No token is left"):
        measure(model, stats, collect, sources=ids, at=["zebra"])


def test_resampling_takes_values_of_another_document(loaded: Load) -> None:
    model, collect = loaded("gemma3"), collect_section()
    stats = statistics(model, collect)
    made = measure(model, stats, collect, sources=4, changes=["resample", "mean"], seed=1)
    other = measure(model, stats, collect, sources=4, changes=["resample", "mean"], seed=1)
    same(made, other)
    assert made.metrics.effects[0].tested == "rms"
    assert (made.rms[0] > made.rms[1] * 0.7).mean() > 0.9  # two draws vary more than one draw about its mean
    assert made.outside_sources[0].max() == 0
    with pytest.raises(InputError, match="at least two documents"):
        measure(model, stats, collect, sources=4, changes=["resample"], documents=texts(1))


@pytest.mark.parametrize("change", ["step", "mean", "resample", "zero"])
def test_a_document_without_a_kept_token_changes_nothing(loaded: Load, change: str) -> None:
    model, collect = loaded("gemma3"), collect_section()
    stats = statistics(model, collect)
    settings: dict[str, Any] = {"sources": 4, "changes": [change]}
    whole = measure(model, stats, collect, documents=texts(), **settings)
    masked = measure(model, stats, collect, documents=[*texts(), "zebra"], **settings)  # one unknown word
    assert masked.metrics.texts == whole.metrics.texts
    np.testing.assert_allclose(masked.effects, whole.effects, atol=1e-6)
    np.testing.assert_allclose(masked.rms, whole.rms, atol=1e-6)


def test_only_collect_looks_for_documents_that_repeat_others(loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    model, collect = loaded("gemma3"), collect_section(null="reinitialised")
    searched: list[TokenizedCorpus] = []

    def counted(corpus: TokenizedCorpus) -> Repeats:
        searched.append(corpus)
        return Repeats(3, 0)

    monkeypatch.setattr(reading, "count_repeats", counted)
    stats = statistics(model, collect)
    assert (len(searched), stats.metrics.documents.identical) == (1, 3)  # not once more for fresh weights
    measure(model, stats, collect, sources=4, changes=["mean"])
    assert len(searched) == 1


def test_a_group_is_pushed_towards_its_heavier_poles(loaded: Load) -> None:
    model, collect = loaded("gpt2"), collect_section()
    stats = statistics(model, collect)
    ids = ["layers.0.mlp[3]", "layers.0.mlp[9]"]
    made = measure(model, stats, collect, sources=ids, groups={"both": ids}, delta=0.01, changes=["step"])
    signs = made.source_orientation[:2, None]
    np.testing.assert_allclose(made.effects[0, 2], (made.effects[0, :2] * signs).sum(0), rtol=2e-2, atol=2e-4)
    assert made.member_ids.tolist() == [*ids, *ids]
    assert made.member_sources.tolist() == [0, 1, 2, 2]


def test_steps_of_other_sizes_show_whether_effects_are_linear(loaded: Load) -> None:
    model, collect = loaded("gemma3"), collect_section()
    made = measure(model, statistics(model, collect), collect, sources=11, changes=["step"], delta=0.1)
    assert made.linear_sources.tolist() == [0, 10]
    np.testing.assert_allclose(made.linear_effects[0], made.effects[0][[0, 10]], atol=1e-6)
    np.testing.assert_allclose(made.linear_ratios[0], 1, atol=1e-5)
    assert made.random_effects.shape == (4, 48)
    without = measure(model, statistics(model, collect), collect, sources=3, changes=["mean"])
    assert without.metrics.random is None
    assert without.metrics.linearity == {}


# -- the decoder of an encoder-decoder model ----------------------------------------------------------


@pytest.fixture(params=[bart, marian, pegasus, t5])
def decoder(request: pytest.FixtureRequest, tokenizers: dict[str, Any]) -> Iterator[LoadedModel]:
    torch.manual_seed(1)
    tokenizer = tokenizers["bert"]
    with loaded_in_memory(request.param(len(tokenizer)), tokenizer, part="decoder") as found:
        yield found


def token_ids(windows: Any) -> list[list[int]]:
    return [window.ids.tolist() for window in windows]


def test_a_decoder_reads_the_windows_that_collect_reads(decoder: LoadedModel) -> None:
    section = collect_section("decoder.mlp.0", "decoder.mlp.1", max_length=12)
    texts_read = choose_texts(decoder, texts, None, section, InterveneSection(tokens=100_000), name="words")
    with texts_reading(decoder, texts(), section.hook_points, section, name="words", reporter=PythonWarnings()) as read:
        ours, theirs = token_ids(texts_read.corpus.windows), token_ids(read.windows)
    assert ours == theirs
    assert {row[0] for row in ours} == {decoder.start}
    assert max(map(len, ours)) == 12


def test_effects_in_a_decoder_are_those_of_changed_weights(decoder: LoadedModel) -> None:
    collect = collect_section("decoder.mlp.0", "decoder.mlp.1")
    stats = statistics(decoder, collect)
    made = measure(decoder, stats, collect, sources=["layers.0.mlp[3]"], changes=["step"], delta=0.5)
    place = {name: row for row, name in enumerate(stats.neuron_ids.tolist())}
    means = []
    for sign in (1, -1):
        changed = copy.deepcopy(decoder.model)
        module: Any = writer(changed, decoder)
        shift = sign * 0.5 * stats.std[place["layers.0.mlp[3]"]] * column(module, 3)
        module.bias = nn.Parameter((shift if module.bias is None else module.bias + shift).detach())
        means.append(mean_of(activations(changed, decoder, "mlp.1")))
    std = stats.std[[place[name] for name in made.target_ids]]
    np.testing.assert_allclose(made.effects[0, 0] * std, means[0] - means[1], atol=3e-6, rtol=1e-3)


def test_a_change_in_a_decoder_is_counted_from_there_on(decoder: LoadedModel) -> None:
    collect = collect_section("decoder.mlp.0", "decoder.mlp.1")
    made = measure(decoder, statistics(decoder, collect), collect, sources=3, changes=["step"], at=[4])
    special = torch.tensor(special_frame(decoder.tokenizer, decoder.start).special)
    assert made.metrics.texts.tokens == sum(
        int((~torch.isin(ids[4:], special)).sum()) for ids in encode(decoder, texts())
    )
    assert made.metrics.impossible.earlier_position == 0


@pytest.mark.parametrize("output", ["loss", "kl"])
def test_a_decoder_gives_no_logits(decoder: LoadedModel, output: str) -> None:
    collect = collect_section("decoder.mlp.0", "decoder.mlp.1")
    with pytest.raises(InputError, match=f"{output} is of the logits of a causal or masked language model") as caught:
        measure(decoder, statistics(decoder, collect), collect, sources=3, outputs=[output])
    assert caught.value.hint


# -- what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"sources": ["layers.0.mlp[99]"]}, r"There is no neuron 'layers\.0\.mlp\[99\]'"),
        ({"source": "mlp.1", "targets": ["mlp.0"]}, r"target 'layers\.0\.mlp' does not run after the source"),
        ({"source": "mlp.1"}, "No collected hook point runs after the source"),
        ({"source": "mlp.2"}, r"'layers\.2\.mlp' was not collected"),
        ({"source": "mlp.*"}, "names 3 hook points|was not collected"),
        ({"source": "mlp.7"}, "layer"),
        ({"groups": {"x": ["layers.0.mlp[200]"]}}, "There is no neuron"),
        ({"outputs": ["logit_difference"], "logit_tokens": ["the river", "of"]}, "is 2 tokens"),
    ],
)
def test_bad_requests_are_said_in_a_sentence(loaded: Load, section: dict[str, Any], message: str) -> None:
    model, collect = loaded("gemma3"), collect_section()
    with pytest.raises(InputError, match=message) as caught:
        measure(model, statistics(model, collect), collect, **section)
    assert caught.value.hint
