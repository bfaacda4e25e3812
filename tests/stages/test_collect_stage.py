"""What `collect` writes is what a slow, plain reading of the model gives, however the work is cut up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.real_runs import Runner, interrupted_after, overrides

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.metrics.collect import DocumentCounts
from glasso_cli.artifacts.pieces import write_piece
from glasso_cli.collection import corpus_pass
from glasso_cli.errors import InputError
from glasso_cli.models.loaded import LoadedModel

ROOM = 31  # words in a window of 32 tokens, the first of which is <bos>
MODULE = "model.layers.{}.mlp.down_proj"


def plain_series(model: LoadedModel, module: str = MODULE.format(1)) -> list[np.ndarray]:
    """The kept activations of every window, one window at a time and nothing padded, ``(T, p)`` float64."""
    found: list[torch.Tensor] = []
    handle = model.model.get_submodule(module).register_forward_pre_hook(lambda module, args: found.append(args[0][0]))
    try:
        for line in Path("texts.jsonl").read_text().splitlines():
            ids = model.tokenizer(json.loads(line)["text"], add_special_tokens=False)["input_ids"]
            for start in range(0, len(ids), ROOM):
                window = [model.tokenizer.bos_token_id, *ids[start : start + ROOM]]
                with torch.no_grad():
                    model.model(input_ids=torch.tensor([window]))
    finally:
        handle.remove()
    return [values[1:].double().numpy() for values in found]


def plain_autocorrelation(series: list[np.ndarray], lags: int) -> np.ndarray:
    values = np.concatenate(series)
    mean, variance = values.mean(0), values.var(0)
    rho = np.zeros((values.shape[1], lags))
    for lag in range(1, lags + 1):
        pairs = [((x - mean)[:-lag] * (x - mean)[lag:]) for x in series if len(x) > lag]
        rho[:, lag - 1] = np.concatenate(pairs).mean(0) / variance
    return rho


@pytest.fixture
def model(loaded: Callable[[str], LoadedModel]) -> LoadedModel:
    return loaded("gemma3")


def test_the_statistics_are_those_of_a_plain_reading(runner: Runner, model: LoadedModel) -> None:
    stats = runner.collect()
    series = plain_series(model)
    values = np.concatenate(series)
    assert stats.n_tokens == len(values)
    np.testing.assert_allclose(stats.covariance(), np.cov(values.T, bias=True), rtol=0, atol=1e-5 * values.var(0).max())
    np.testing.assert_allclose(stats.mean, values.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(stats.std, values.std(0), rtol=1e-5)
    fourth = ((values - values.mean(0)) ** 4).mean(0) / values.var(0) ** 2 - 3
    np.testing.assert_allclose(stats.kurtosis, fourth, rtol=1e-4, atol=1e-3)
    third = ((values - values.mean(0)) ** 3).mean(0) / values.std(0) ** 3
    np.testing.assert_allclose(stats.skewness, third, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(stats.autocorrelation, plain_autocorrelation(series, 4), atol=1e-4)
    assert stats.metrics.documents == DocumentCounts(read=41, empty=2, identical=0, nearly_identical=0)
    tokens = stats.metrics.tokens
    assert tokens.special == len(series)
    assert tokens.read == tokens.special + tokens.kept


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [1, 2, 16, 50])
@pytest.mark.parametrize("batch_tokens", [16, 64, 4096])
def test_blocks_and_batches_change_nothing(runner: Runner, blocks: int, batch_tokens: int) -> None:
    one = runner.collect()
    other = runner.collect(*overrides(collect={"blocks": blocks, "batch_tokens": batch_tokens}), out="other")
    assert len(other.counts) == blocks
    assert other.documents.sum() == 41
    assert other.n_tokens == one.n_tokens
    scale = 1e-6 * np.abs(one.covariance()).max()
    np.testing.assert_allclose(other.covariance(), one.covariance(), rtol=0, atol=scale)
    for name in ("mean", "std", "skewness", "kurtosis", "top_share", "autocorrelation"):
        expected = getattr(one, name)
        np.testing.assert_allclose(getattr(other, name), expected, rtol=1e-6, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(other.top_values[:, :, 10], one.top_values[:, :, 10], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("tokens", "groups"), [(1, 4), (300, 3), (10_000, 1)])
def test_blocks_read_together_are_the_same_blocks(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, tokens: int, groups: int
) -> None:
    one = runner.collect()
    monkeypatch.setattr(corpus_pass, "GROUP_TOKENS", tokens)
    made: list[list[int]] = []
    make = corpus_pass.CorpusPass._make

    def counted(self: corpus_pass.CorpusPass, group: list[int], *rest: Any) -> Any:
        made.append(list(group))
        return make(self, group, *rest)

    monkeypatch.setattr(corpus_pass.CorpusPass, "_make", counted)
    other = runner.collect(out="other")
    assert len(made) == groups
    assert sum(made, []) == [0, 1, 2, 3]
    np.testing.assert_array_equal(other.counts, one.counts)
    for block in range(4):
        expected = one.covariance([block])
        np.testing.assert_allclose(other.covariance([block]), expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_the_same_run_gives_the_same_bytes(runner: Runner) -> None:
    runner.collect()
    runner.collect(out="other")
    assert Path("out/collect/words.npz").read_bytes() == Path("other/collect/words.npz").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("finished", [0, 1, 3])
def test_an_interrupted_run_ends_in_the_same_bytes(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, finished: int
) -> None:
    runner.collect(out="whole")
    monkeypatch.setattr(corpus_pass, "GROUP_TOKENS", 1)
    runner.collect(out="single")
    with monkeypatch.context() as patched:
        patched.setattr(corpus_pass, "write_piece", interrupted_after(finished, write_piece))
        with pytest.raises(KeyboardInterrupt):
            runner.collect()
    assert not Path("out/collect/words.npz").exists()
    assert len(list(Path("out").rglob("block-*.npz"))) == max(0, finished - 1)  # the first piece is the pilot
    runner.collect()
    assert Path("out/collect/words.npz").read_bytes() == Path("single/collect/words.npz").read_bytes()
    assert not list(Path("out").rglob("block-*.npz"))


STOPPED = """
import sys
from glasso_cli.cli import app; from glasso_cli.collection import corpus_pass
corpus_pass.GROUP_TOKENS = 1
write = corpus_pass.write_piece
def stopped(path, *rest, **meta):
    write(path, *rest, **meta)
    print("piece", flush=True)
    sys.stdin.readline()
corpus_pass.write_piece = stopped
app.main()
"""


@pytest.mark.slow
def test_a_killed_run_ends_in_the_same_bytes(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-c", STOPPED, "collect", "c.yaml"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "piece\n"  # the pilot
    process.stdin.write("go on\n")
    process.stdin.flush()
    assert process.stdout.readline() == "piece\n"  # the first block
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not Path("out/collect/words.npz").exists()
    assert len(list(Path("out").rglob("block-*.npz"))) >= 1
    monkeypatch.setattr(corpus_pass, "GROUP_TOKENS", 1)
    runner.collect()
    runner.collect(out="whole")
    assert Path("out/collect/words.npz").read_bytes() == Path("whole/collect/words.npz").read_bytes()


# -- which neurons ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_several_hook_points_are_one_set_of_neurons(runner: Runner, model: LoadedModel) -> None:
    both = runner.collect(*overrides(collect={"hook_points": ["mlp.0", "mlp.1", "resid.1"]}))
    single = runner.collect(out="single")
    ids = both.neuron_ids.tolist()
    assert len(set(ids)) == len(ids) == 48 + 48 + 32
    assert ids[0] == "layers.0.mlp[0]"
    assert ids[48:96] == single.neuron_ids.tolist()
    np.testing.assert_array_equal(both.layers, [0] * 48 + [1] * 80)
    part = both.covariance()[48:96, 48:96]
    np.testing.assert_allclose(part, single.covariance(), rtol=0, atol=1e-6 * np.abs(part).max())
    across = np.concatenate([np.concatenate(plain_series(model, MODULE.format(layer))) for layer in (0, 1)], axis=1)
    np.testing.assert_allclose(
        both.covariance()[:96, :96], np.cov(across.T, bias=True), atol=1e-5 * across.var(0).max()
    )


def chosen_by_number() -> Any:
    return 5


def chosen_by_list() -> Any:
    return ["layers.1.mlp[7]", "layers.1.mlp[3]"]


def chosen_by_file() -> Any:
    Path("ids.txt").write_text("layers.1.mlp[30]\nlayers.1.mlp[2]\n")
    return "ids.txt"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("choice", "expected"), [(chosen_by_number, None), (chosen_by_list, [3, 7]), (chosen_by_file, [2, 30])]
)
def test_chosen_neurons_have_the_statistics_they_have_among_all(
    runner: Runner, choice: Callable[[], Any], expected: list[int] | None
) -> None:
    every = runner.collect()
    if expected is None:
        expected = np.sort(np.argsort(-every.std)[:5]).tolist()
    some = runner.collect(*overrides(collect={"neurons": choice()}), out="some")
    assert sorted(some.neuron_ids.tolist()) == sorted(every.neuron_ids[expected].tolist())
    place = [every.neuron_ids.tolist().index(name) for name in some.neuron_ids]
    part = every.covariance()[np.ix_(place, place)]
    np.testing.assert_allclose(some.covariance(), part, rtol=0, atol=1e-6 * np.abs(part).max())
    np.testing.assert_array_equal(some.top_values[:, :, 10], every.top_values[place][:, :, 10])


# -- what is recorded ---------------------------------------------------------------------------------------


def test_normal_scores_make_every_neuron_nearly_normal(runner: Runner) -> None:
    stats = runner.collect("collect.transform=normal_scores")
    plain = runner.collect(out="plain")
    covariance = stats.covariance()
    np.testing.assert_allclose(covariance.diagonal(), 1.0, atol=0.05)
    mean = stats.sums.sum(0) / stats.n_tokens
    np.testing.assert_allclose(mean, 0.0, atol=0.05)
    np.testing.assert_allclose(stats.std, plain.std, rtol=1e-6)  # of the activations themselves
    agree = np.corrcoef(stats.correlation().ravel(), plain.correlation().ravel())[0, 1]
    assert 0.8 < agree < 0.9999


def members(folder: str) -> Iterator[bytes]:
    import zipfile

    with zipfile.ZipFile(Path(folder, "collect", "words.npz")) as file:
        yield from (file.read(name) for name in file.namelist())


def test_without_contexts_no_word_of_the_corpus_is_in_the_file(runner: Runner) -> None:
    def words_in(folder: str) -> set[str]:
        content = b"".join(members(folder))
        names = ("mendeleev", "river", "museum", "answered")
        return {word for word in names if word.encode() in content or word.encode("utf-32-le") in content}

    runner.collect()
    assert words_in("out") == {"mendeleev", "river", "museum", "answered"}
    stats = runner.collect("collect.contexts=false", out="without")
    assert words_in("without") == set()
    assert stats.top_tokens.size == 0


def test_the_top_contexts_are_the_strongest_tokens_of_windows(runner: Runner, model: LoadedModel) -> None:
    stats = runner.collect()
    series = plain_series(model)
    peaks = np.sort(np.stack([values.max(0) for values in series]), axis=0)[::-1]
    np.testing.assert_allclose(stats.top_values[:, :20, 10].T, peaks[:20], rtol=1e-4, atol=1e-5)
    lowest = np.sort(np.stack([values.min(0) for values in series]), axis=0)
    np.testing.assert_allclose(stats.bottom_values[:, :20, 10].T, lowest[:20], rtol=1e-4, atol=1e-5)


def test_a_long_document_is_one_document(runner: Runner) -> None:
    stats = runner.collect()
    windows = -(-90 // ROOM)
    assert stats.metrics.windows == 40 + windows
    assert stats.documents.tolist() == [11, 10, 10, 10]


def test_bfloat16_says_what_it_costs(runner: Runner) -> None:
    exact = runner.collect()
    runner.said()
    rounded = runner.collect("model.dtype=bfloat16", out="rounded")
    assert "bfloat16 against float32 at model.layers.1.mlp.down_proj:in: correlations over" in runner.said()
    difference = np.abs(rounded.correlation() - exact.correlation()).max()
    assert 1e-6 < difference < 0.2
    assert rounded.metrics.dtype_difference


def test_massive_tokens_are_counted(runner: Runner) -> None:
    stats = runner.collect("collect.mask.massive=1.2")
    tokens = stats.metrics.tokens
    assert tokens.massive > 0
    assert tokens.read == tokens.special + tokens.first + tokens.massive + tokens.kept
    assert stats.n_tokens == tokens.kept


def test_a_masked_language_model_is_read(runner: Runner, model_dir: Callable[[str], Path]) -> None:
    stats = runner.collect(f"model.id={model_dir('bert')}")
    assert stats.metrics.model.kind == "masked"
    assert stats.n_neurons == 48
    tokens = stats.metrics.tokens
    assert tokens.special == 2 * stats.metrics.windows


def test_masks_that_leave_nothing_are_refused(runner: Runner) -> None:
    with pytest.raises(InputError, match=r"Every one of the [\d,]+ tokens is masked"):
        runner.collect("collect.mask.first=32")
    assert not Path("out/collect/words.npz").exists()


def test_fewer_independent_tokens_than_neurons_is_said(runner: Runner) -> None:
    runner.collect(*overrides(collect={"max_tokens": 30}))
    assert "independent ones, fewer than the 48 neurons" in " ".join(runner.said().split())


def test_the_orientation_does_not_depend_on_the_corpus(runner: Runner) -> None:
    every = runner.collect()
    assert set(every.orientation.tolist()) == {-1, 1}
    few = runner.collect(*overrides(collect={"max_tokens": 30, "max_length": 9, "pilot_tokens": 64}), out="few")
    np.testing.assert_array_equal(few.orientation, every.orientation)


def test_the_residual_stream_warns_of_its_basis(runner: Runner) -> None:
    runner.collect('collect.hook_points=["resid.1"]')
    said = " ".join(runner.said().split())
    assert "the basis of the residual stream is arbitrary: use resid.N for directions" in said


def test_what_is_read_is_a_valid_artifact(runner: Runner) -> None:
    runner.collect()
    shown = runner.command("show", "out/collect/words.npz")
    assert shown.exit_code == 0
    assert "activation-stats" in shown.stdout
    assert ActivationStats.load(Path("out/collect/words.npz")).n_neurons == 48
