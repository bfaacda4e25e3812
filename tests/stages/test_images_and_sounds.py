"""Models of images and sounds of transformers from the command line: what is keyed, what is said, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import pretrained_folders
from support.real_runs import Runner

from glasso_cli.artifacts import ActivationStats

CONFIG = """\
out: out
model: {id: model, device: cpu}
corpora: {a: {images: images}}
collect: {hook_points: [mlp.1], blocks: 4}
fit: {alpha: [0.3], half_samples: 4}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a vision transformer, a folder of images and a configuration."""
    monkeypatch.chdir(tmp_path)
    pretrained_folders.vit(Path("model"))
    Path("images").mkdir()
    rng = np.random.default_rng(0)
    for index in range(20):
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(Path("images") / f"{index:02d}.png")
    Path("t.txt").write_text("The queue reaches the river.", encoding="utf-8")
    Path("x.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def collected(*settings: str) -> tuple[ActivationStats, str]:
    """The statistics after `collect`, and what it said."""
    arguments = [part for setting in settings for part in ("--set", setting)]
    result = Runner.command("collect", "x.yaml", *arguments)
    assert result.exit_code == 0, result.output
    return ActivationStats.load(Path("out/collect/a.npz")), " ".join(result.output.split())


@pytest.mark.slow
def test_a_graph_of_patches(folder: Path) -> None:
    stats, said = collected()
    assert "resize height 32 width 32, mean 0.5 0.5 0.5" in said
    assert "320 samples of 48 neurons (masked: 20 special, 0 first" in said
    assert stats.metrics.model.kind == "image"
    result = Runner.command("fit", "x.yaml")
    assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_the_preparation_and_the_images_are_in_the_key(folder: Path) -> None:
    first = collected()[0].meta["key"]
    assert collected()[0].meta["key"] == first
    path = Path("model/preprocessor_config.json")
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | {"image_mean": [0.1, 0.1, 0.1]}), encoding="utf-8")
    second = collected()[0]
    assert second.meta["key"] != first
    Path("model").rename("elsewhere")
    assert collected("model.id=elsewhere")[0].meta["key"] == second.meta["key"]
    Path("elsewhere").rename("model")
    third, said = collected("corpora.a.mean=[0.1]", "corpora.a.std=[0.5]")
    assert third.meta["key"] != second.meta["key"]
    assert "images of a are prepared as corpora.a says" in said
    np.testing.assert_allclose(third.mean, second.mean, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["corpora.a={files: [t.txt]}"], "is a 'vit' model, which is no language model"),
        (["collect.hook_points=[mixer.0]"], "is for language models; this model reads no texts"),
        (["collect.hook_points=[rnn.0]"], "this network has none"),
        (["model.dtype=bfloat16"], "run in float32"),
        (["corpora.a.crop=16"], "doesn't match model"),
        (["corpora.b={topic: ai}"], "a model reads texts or no texts"),
        (["collect.sae={file: x}"], "sae is only for texts"),
    ],
)
def test_a_refusal_is_one_clear_sentence(folder: Path, settings: list[str], words: str) -> None:
    arguments = [part for setting in settings for part in ("--set", setting)]
    result = Runner.command("collect", "x.yaml", *arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())
    assert "Traceback" not in result.output


@pytest.mark.slow
def test_influence_is_for_texts(folder: Path) -> None:
    result = Runner.command("influence", "x.yaml")
    assert result.exit_code == 2
    assert "The closed form of influence is for language models that read texts. Set influence.paths: all." in " ".join(
        result.output.split()
    )
    Path("x.yaml").write_text(CONFIG + "influence: {}\n", encoding="utf-8")
    result = Runner.command("run", "x.yaml", "--set", "visualize.explorer=false")
    assert result.exit_code == 0, result.output
    assert not Path("out/influence").exists()
