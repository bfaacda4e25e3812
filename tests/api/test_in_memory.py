"""What a notebook gets is what the command line writes, number by number."""

from __future__ import annotations

import csv
import json
import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from support.real_runs import Runner

import glasso_cli as g
from glasso_cli.artifacts import Artifact
from glasso_cli.config import Config
from glasso_cli.config.load import load_config
from glasso_cli.console import GlassoWarning
from glasso_cli.errors import ConfigError, InputError, UpstreamError

COLLECT: dict[str, Any] = {"max_length": 32, "lags": 4, "blocks": 4, "mask": {"massive": None}}
FIT: dict[str, Any] = {
    "alpha": [0.6, 0.4, 0.3],
    "select": {"rule": "fixed", "alpha": 0.4},
    "fdr": 0.99,
    "min_effect": 0.0,
    "half_samples": 2,
}
pytestmark = pytest.mark.filterwarnings("ignore::glasso_cli.console.GlassoWarning")


def texts(file: str) -> list[str]:
    return [json.loads(line)["text"] for line in Path(file).read_text().splitlines()]


def config() -> Config:
    return load_config(Path("c.yaml"))


def assert_equal(ours: Artifact, theirs: Artifact) -> None:
    for item in fields(theirs):
        if item.name != "meta":
            np.testing.assert_array_equal(getattr(ours, item.name), getattr(theirs, item.name), err_msg=item.name)
    assert json.loads(json.dumps(ours.meta["metrics"])) == theirs.meta["metrics"]


def collected(name: str) -> g.ActivationStats:
    loaded = g.load_model(str(config().model.id))
    return g.collect(loaded.model, loaded.tokenizer, texts(f"{name}.jsonl"), ["mlp.1"], name=name, **COLLECT)


@pytest.mark.slow
def test_a_chain_in_memory_gives_the_numbers_of_the_command_line(pair: Runner) -> None:
    Path("texts.jsonl").rename("words.jsonl")
    text = Path("c.yaml").read_text()
    Path("c.yaml").write_text(text.replace("texts.jsonl", "words.jsonl"))
    pair.run("collect", "fit", "compare")
    stats = {name: collected(name) for name in ("words", "others")}
    for name, ours in stats.items():
        assert_equal(ours, g.load(f"out/collect/{name}.npz"))
    fits = {name: g.fit(ours, **FIT) for name, ours in stats.items()}
    for name, fit in fits.items():
        assert_equal(fit, g.load(f"out/fit/{name}.npz"))
    assert_equal(g.compare(fits["words"], fits["others"]), g.load("out/compare/words-vs-others.npz"))
    stored = [(g.load(f"out/collect/{name}.npz"), g.load(f"out/fit/{name}.npz")) for name in ("words", "others")]
    assert_equal(g.compare(*stored), g.load("out/compare/words-vs-others.npz"))  # type: ignore[arg-type]


@pytest.mark.slow
def test_nothing_is_written_and_nothing_is_said(
    pair: Runner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    Path("texts.jsonl").rename("words.jsonl")
    g.fit(collected("words"), **FIT)
    Path("words.jsonl").rename("texts.jsonl")
    assert sorted(tmp_path.rglob("*")) == before
    out, err = capsys.readouterr()
    assert out == ""
    assert "neurons at alpha" not in err


@pytest.mark.slow
def test_the_pipeline_runs_from_a_file_and_from_a_mapping(pair: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()  # of the fixtures
    made = g.run("c.yaml", "collect", "fit", set=["fit.half_samples=0"])
    assert [path.name for path in made if path.suffix == ".npz"] == [
        "words.npz", "others.npz", "words.npz", "others.npz",
    ]  # fmt: skip
    assert repr(g.load(made[-3])).startswith("PrecisionPath(others: ")
    assert g.load(made[-3]).meta["material"]["config"]["fit"]["half_samples"] == 0
    data = yaml.safe_load(Path("c.yaml").read_text()) | {"out": "other"}
    assert g.run(data, "collect")[0] == Path("other/collect/words.npz")
    assert Path("other/collect/words.npz").read_bytes()[-50:] != b""
    assert capsys.readouterr() == ("", "")


def test_the_pipeline_raises_what_the_command_line_says(pair: Runner) -> None:
    with pytest.raises(UpstreamError, match="fit reads out/collect/words"):
        g.run("c.yaml", "fit")
    with pytest.raises(ConfigError, match="alhpa"):
        g.run("c.yaml", "fit", set=["fit.alhpa=0.2"])
    with pytest.raises(ConfigError, match="no stage 'fti'"):
        g.run("c.yaml", "fti")
    with pytest.raises(ConfigError, match="no configuration file"):
        g.run("d.yaml")


@pytest.mark.slow
def test_frames_hold_what_the_tables_hold(pair: Runner) -> None:
    pair.run("collect", "fit", "compare")
    for file in ("fit/words", "compare/words-vs-others"):
        frame = g.load(f"out/{file}.npz").edges_frame()
        with open(f"out/{file}.edges.csv", newline="", encoding="utf-8") as table:
            rows = list(csv.DictReader(table))
        assert list(frame.columns) == list(rows[0])
        assert frame["neuron_i"].tolist() == [row["neuron_i"] for row in rows]
        assert np.allclose(frame["q_value"], [float(row["q_value"]) for row in rows], equal_nan=True)
    stats, fit = g.load("out/collect/words.npz"), g.load("out/fit/words.npz")
    assert isinstance(stats, g.ActivationStats)
    neurons = fit.neurons_frame()
    assert neurons["degree"].sum() == 2 * fit.edges_frame()["drawn"].sum()
    assert stats.neurons_frame()["std"].tolist() == stats.std.tolist()
    contexts = stats.contexts("layers.1.mlp[3]")
    positive = contexts[contexts["group"] == "positive pole"]
    assert positive["value"].is_monotonic_decreasing
    strongest = max(stats.orientation[3] * values[3, 0, 10] for values in (stats.top_values, stats.bottom_values))
    assert positive["value"].iloc[0] == pytest.approx(strongest)
    negative = contexts[contexts["group"] == "negative pole"]
    assert negative["value"].is_monotonic_increasing
    assert all(row.token in row.text for row in contexts.itertuples())
    assert contexts.equals(stats.contexts(3))
    with pytest.raises(InputError, match=r"no neuron 'layers\.1\.mlp\[99\]'"):
        stats.contexts("layers.1.mlp[99]")
    with pytest.raises(InputError, match="no table of pairs"):
        stats.edges_frame()


def test_a_misspelt_setting_is_an_error_with_every_problem(pair: Runner) -> None:
    Path("texts.jsonl").rename("words.jsonl")
    stats = collected("words")
    with pytest.raises(
        ConfigError, match=r"fit\.tol: should be less than 1, not 3\.0; fit\.alhpa: unknown key; did you mean 'alpha'"
    ):
        g.fit(stats, alhpa=0.2, tol=3.0)
    with pytest.raises(InputError, match="does not know the statistics"):
        g.compare(g.load_model, g.load_model)  # type: ignore[arg-type]


@pytest.mark.slow
def test_what_a_reader_must_know_is_a_warning(pair: Runner) -> None:
    Path("texts.jsonl").rename("words.jsonl")
    stats = collected("words")
    with pytest.warns(GlassoWarning, match="every neuron is isolated"):
        g.fit(stats, **FIT)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        g.fit(stats, **{**FIT, "max_iter": 1, "tol": 1e-12})
    assert any("not converged to a gap of 1e-12" in str(item.message) for item in caught)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        g.load(tmp_path / "none.npz")


@pytest.mark.slow
def test_every_public_name_is_there_and_nothing_is_loaded_for_it() -> None:
    import subprocess
    import sys

    code = (
        "import sys, glasso_cli as g; heavy = {'torch', 'transformers', 'sklearn', 'pandas', 'numpy'} & set(sys.modules); "
        "print(sorted(heavy), sorted(set(dir(g)) ^ set(g.__all__)), [n for n in g.__all__ if getattr(g, n) is None], callable(g.fit))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "[] [] [] True\n"
    with pytest.raises(AttributeError, match="no attribute 'fti'"):
        g.fti  # noqa: B018
