"""`collect.sae` through the stages: keys, cached results, a fit of latents, and what a configuration may not say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.latents import write_parts
from support.real_runs import Runner, overrides

from glasso_cli.config.load import load_config
from glasso_cli.errors import ConfigError
from glasso_cli.pipeline.stage import stage_named

D = 32


@pytest.fixture
def latents(runner: Runner) -> Runner:
    """The small experiment with the latents of a dictionary in the place of neurons."""
    write_parts(Path("parts"), D)
    text = Path("c.yaml").read_text()
    sae = "sae: {file: parts, hook_point: resid.1, least_documents: 5}"
    Path("c.yaml").write_text(text.replace("hook_points: [mlp.1]", sae))
    return runner


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::glasso_cli.console.GlassoWarning")
def test_latents_are_collected_fitted_and_shown(latents: Runner) -> None:
    path = latents.fit("collect.neurons=12", "fit.workers=1")
    said = latents.said()
    assert "the dictionary leaves 0.000 of the variance unexplained (at most 0.5)" in said
    assert "64 of 96 latents fire in at least 5 of 41 documents; 32 are left out" in said
    assert set(path.neuron_ids) <= {f"layers.1.sae[{latent}]" for latent in range(2 * D)}
    shown = latents.command("show", "out/collect/words.npz")
    assert shown.exit_code == 0
    assert "dictionary" in shown.output
    assert latents.command("show", "out/fit/words.npz").exit_code == 0


def test_the_same_files_in_another_folder_are_not_read_again(latents: Runner) -> None:
    latents.collect()
    written = Path("out/collect/words.npz").stat().st_mtime_ns
    latents.collect()
    Path("parts").rename("elsewhere")
    latents.collect("collect.sae.file=elsewhere")
    latents.collect("collect.sae.file=elsewhere/params.npz")
    latents.collect("collect.sae.file=elsewhere", "collect.hook_points=[resid.1]")
    assert Path("out/collect/words.npz").stat().st_mtime_ns == written


def test_one_byte_of_the_dictionary_is_another_key(latents: Runner) -> None:
    pins = stage_named("collect").pins
    config = load_config(Path("c.yaml"))
    before = pins(config, "words")
    assert pins(config, "words") == before
    content = bytearray(Path("parts/params.npz").read_bytes())
    content[200] ^= 1
    Path("parts/params.npz").write_bytes(content)
    after = pins(config, "words")
    assert after["sae"] != before["sae"]
    assert {**after, "sae": None} == {**before, "sae": None}


def test_what_is_kept_is_in_the_key_only_where_it_is_said(latents: Runner) -> None:
    settings = stage_named("collect").settings
    read = {
        kept: settings(load_config(Path("c.yaml"), overrides(collect={"sae.moments": kept})), "words")
        for kept in ("auto", "dense", "sparse")
    }
    assert "moments" not in read["auto"]["collect"]["sae"]
    assert read["auto"] == settings(load_config(Path("c.yaml")), "words")
    assert [read[kept]["collect"]["sae"]["moments"] for kept in ("dense", "sparse")] == ["dense", "sparse"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::glasso_cli.console.GlassoWarning")
def test_kept_values_are_fitted_and_shown(latents: Runner) -> None:
    path = latents.fit("collect.sae.moments=sparse", "fit.half_samples=0")
    assert path.metrics.estimate.kind == "lasso"
    assert latents.command("show", "out/fit/words.npz").exit_code == 0
    searched = latents.fit("collect.sae.moments=sparse", "fit={half_samples: 0, select: {target: 0.5}}")
    assert searched.metrics.rule == "degree"
    assert 2 * searched.metrics.edges_at_alpha == pytest.approx(0.5 * searched.metrics.neurons, abs=2)


# Stops before every file of a finished part of a fit until it is told to go on.
STOPPED = """
import sys
from glasso_cli.artifacts import pieces
from glasso_cli.cli import app
from glasso_cli.fitting import finished_points, sample_fits
from glasso_cli.fitting.sparse import finished

def stopping(write):
    def stopped(path, *rest, **options):
        print(path.name, flush=True)
        sys.stdin.readline()
        write(path, *rest, **options)
    return stopped

for module in (finished, finished_points):
    module.replace_piece = stopping(pieces.replace_piece)
sample_fits.write_piece = stopping(pieces.write_piece)
app.main()
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::glasso_cli.console.GlassoWarning")
def test_a_killed_fit_of_kept_values_ends_in_the_same_bytes(latents: Runner) -> None:
    words = ["collect.sae.moments=sparse", "fit={alpha: [0.5, 0.3], select: {rule: cv, folds: 4}, half_samples: 4}"]
    latents.collect(words[0])
    command = [sys.executable, "-c", STOPPED, "fit", "c.yaml", *(word for text in words for word in ("--set", text))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    written: list[str] = []
    for parts in (3, 6):  # until the process is killed
        process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment, text=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        written += [process.stdout.readline()]
        for _ in range(parts):
            process.stdin.write("go on\n")
            process.stdin.flush()
            written += [process.stdout.readline()]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        written.pop()  # it was not
    assert len(written) == len(set(written)) == 9
    assert not Path("out/fit/words.npz").exists()
    latents.fit(*words)
    latents.fit(*words, out="whole")
    for name in ("words.npz", "words.dot", "words.edges.csv"):
        assert Path("out/fit", name).read_bytes() == Path("whole/fit", name).read_bytes()
    assert not list(Path("out").rglob("part-*.npz"))


def test_an_interrupted_run_keeps_its_first_pass(latents: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    from glasso_cli.collection import corpus_pass
    from glasso_cli.collection.dictionaries import first_pass

    def stopped(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(corpus_pass.CorpusPass, "blocks", stopped)
        with pytest.raises(KeyboardInterrupt):
            latents.collect()
    monkeypatch.setattr(first_pass, "_counted", stopped)
    assert latents.collect().n_neurons == 2 * D


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"transform": "normal_scores"}, "transform: normal_scores gives the many zeros"),
        ({"null": "reinitialised"}, "null: reinitialised has no latents"),
        ({"hook_points": ["mlp.1"]}, "hook_points names others"),
        ({"sae.fiel": "parts"}, "did you mean 'file'"),
        ({"sae.scale": 0}, "should be greater than 0"),
        ({"sae.file": None}, "has no effect without file"),
    ],
)
def test_what_latents_do_not_have_is_refused(latents: Runner, change: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_config(Path("c.yaml"), overrides(collect=change))


def test_hook_points_are_needed_without_a_dictionary(runner: Runner) -> None:
    text = Path("c.yaml").read_text()
    Path("c.yaml").write_text(text.replace("hook_points: [mlp.1], ", ""))
    with pytest.raises(ConfigError, match=r"collect.hook_points +missing"):
        load_config(Path("c.yaml"))
    Path("c.yaml").write_text(text.replace("[mlp.1]", "[]"))
    with pytest.raises(ConfigError, match=r"collect.hook_points +is empty"):
        load_config(Path("c.yaml"))


def test_other_networks_have_no_dictionaries(latents: Runner) -> None:
    Path("torch.yaml").write_text(
        "model: {kind: torch, target: 'a.b:c', trust: import}\n"
        "corpora: {words: {arrays: a.npy}}\n"
        "collect: {sae: {file: parts}}\n"
    )
    with pytest.raises(ConfigError, match=r"sae is only for texts"):
        load_config(Path("torch.yaml"))


def test_a_missing_dictionary_is_refused_before_the_model_is_loaded(latents: Runner) -> None:
    result = latents.command("collect", "c.yaml", "--set", "collect.sae.file=nowhere")
    assert result.exit_code == 2
    assert "There is no dictionary nowhere" in result.stderr
