"""Any torch module through all stages, and which changes make its statistics anew."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from support.real_runs import Runner

from glasso_cli.artifacts import ActivationStats, Audit, Influence, Pathways

CODE = """\
import torch
from torch import nn

def make(width=8):
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(width * 36, 2))

def double(values, lengths):
    return 2 * values
"""
CONFIG = """\
out: out
model: {kind: torch, target: "tiny_code:make", trust: import, device: cpu}
corpora:
  a: {arrays: a.npy}
  b: {arrays: b.npy}
collect: {hook_points: [conv.0], blocks: 8, mask: {massive: null}}
fit: {alpha: [0.2], half_samples: 4}
visualize: {formats: [png], cards: 1, dpi: 72}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a network, two corpora of images, and a configuration."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in "ab":
        np.save(f"{name}.npy", rng.standard_normal((48, 3, 6, 6)).astype(np.float32))
    Path("tiny_code.py").write_text(CODE)
    Path("x.yaml").write_text(CONFIG)
    forget()
    yield tmp_path
    forget()


def forget() -> None:
    sys.modules.pop("tiny_code", None)


def key(*settings: str) -> str:
    """The key of the statistics after `collect` ran."""
    forget()
    arguments = [part for setting in settings for part in ("--set", setting)]
    result = Runner.command("collect", "x.yaml", *arguments)
    assert result.exit_code == 0, result.output
    return str(ActivationStats.load(Path("out/collect/a.npz")).meta["key"])


@pytest.mark.slow
def test_a_network_goes_through_all_stages(folder: Path) -> None:
    result = Runner.command("run", "x.yaml")
    assert result.exit_code == 0, result.output
    for made in ("figures/a/network.png", "figures/a/explorer.html", "figures/a-vs-b/explorer.html"):
        assert (folder / "out" / made).is_file()
    for path in ("collect/a.npz", "fit/a.npz", "compare/a-vs-b.npz"):
        assert Runner.command("show", f"out/{path}").exit_code == 0


TWO_LAYERS = CODE.replace("nn.Flatten()", "nn.Conv2d(width, 7, 3, padding=1), nn.ReLU(), nn.Flatten()").replace(
    "width * 36", "7 * 36"
)


@pytest.mark.slow
def test_effects_in_any_network_are_measured_predicted_and_judged(folder: Path) -> None:
    """All paths by automatic differentiation, and the audit, on images that `collect` did not read."""
    Path("tiny_code.py").write_text(TWO_LAYERS)
    text = CONFIG.replace("  b: {arrays: b.npy}\n", "").replace("[conv.0]", "[conv.0, conv.1], max_tokens: 1000")
    Path("x.yaml").write_text(
        text
        + "influence: {paths: all, keep: all}\n"
        + "intervene: {sources: all, stratify: [], tokens: 600}\n"
        + "audit: {share: 0.2, replicates: 50, splits: 4}\n"
    )
    result = Runner.command("run", "x.yaml")
    assert result.exit_code == 0, result.output
    audit = Audit.load(Path("out/audit/a.npz"))
    assert audit.metrics.texts.held_out
    assert not audit.metrics.unpredicted
    of_steps = {
        score: precision
        for score, change, statistic, precision in zip(
            audit.score.tolist(), audit.change.tolist(), audit.statistic.tolist(), audit.precision.tolist()
        )
        if (change, statistic) == ("step", "mean")
    }
    assert of_steps["influence, mean"] > 0.9 > of_steps["correlation"]
    shown = Runner.command("show", "out/audit/a.npz").output
    assert "samples of" in shown
    assert "they are read between MLPs of language models alone" in " ".join(shown.split())
    assert (folder / "out/figures/a.layers/audit.png").is_file()


@pytest.mark.slow
def test_paths_go_through_any_network(folder: Path) -> None:
    Path("tiny_code.py").write_text(TWO_LAYERS)
    text = CONFIG.replace("  b: {arrays: b.npy}\n", "").replace("[conv.0]", "[conv.0, conv.1]")
    Path("x.yaml").write_text(text)
    refused = Runner.command("pathways", "x.yaml")
    assert refused.exit_code == 2
    assert "Set influence.paths: all; or pathways.graph: association" in " ".join(refused.output.split())
    section = (
        "scalar: class_logit, class_index: 0, tokens: 600, held_out: 300, top: 0, sample: 0, shares: [], forms: [plain]"
    )
    Path("x.yaml").write_text(
        text + f"influence: {{paths: all, min_effect: 0, fdr: 0.9}}\nscore: {{{section}}}\npathways: {{count: 5}}\n"
    )
    for stage in ("collect", "influence", "pathways"):
        assert Runner.command(stage, "x.yaml").exit_code == 0
    assert Pathways.load(Path("out/pathways/a.npz")).metrics.jackknife
    refused = Runner.command("pathways", "x.yaml", "--set", "pathways.mediate=1")
    assert refused.exit_code == 2
    assert "this network reads no texts" in " ".join(refused.output.split())
    assert Runner.command("score", "x.yaml").exit_code == 0
    assert Runner.command("pathways", "x.yaml", "--set", "pathways.to=scalar").exit_code == 0
    made = Pathways.load(Path("out/pathways/a.npz"))
    assert made.path_columns()["path"][0].endswith(" > class_logit")


@pytest.mark.slow
def test_images_are_prepared_by_what_the_target_gives(folder: Path) -> None:
    from PIL import Image

    Path("photos").mkdir()
    rng = np.random.default_rng(1)
    for index in range(20):
        Image.fromarray(rng.integers(0, 255, (9, 9, 3), dtype=np.uint8)).save(f"photos/{index}.png")
    Path("tiny_code.py").write_text(
        CODE + "\n\nimport numpy as np\ndef pair():\n"
        "    return make(), lambda image: np.asarray(image, dtype='f4')[:6, :6].transpose(2, 0, 1) / 255\n"
    )
    photos = Path("x.yaml").read_text().replace("a: {arrays: a.npy}", "a: {images: photos}")
    Path("x.yaml").write_text(photos.replace("  b: {arrays: b.npy}\n", "").replace("tiny_code:make", "tiny_code:pair"))
    stats_key = key()
    stats = ActivationStats.load(Path("out/collect/a.npz"))
    assert stats.n_tokens == 20 * 16  # 4 x 4 positions inside the border
    Path("photos/0.png").write_bytes(Path("photos/1.png").read_bytes())
    assert key() != stats_key


@pytest.mark.slow
def test_another_network_is_never_taken_for_the_same(folder: Path) -> None:
    keys = [key()]
    assert key() == keys[0]
    keys.append(key("model.args={width: 9}"))
    keys.append(key("model.adapter=tiny_code:double"))
    Path("tiny_code.py").write_text(CODE.replace("ReLU", "Tanh"))
    keys.append(key())
    for seed in (1, 2):
        torch.manual_seed(seed)
        module = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(288, 2)
        )
        torch.save(module.state_dict(), "w.pth")
        keys.append(key("model.weights=w.pth"))
    np.save("a.npy", np.load("a.npy")[:40])
    keys.append(key())
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("model.target=tiny_code:mak", "has no 'mak'"),
        ("model.target=tiny_cod:make", "no Python module 'tiny_cod'"),
        ("model.target=tiny_code", "write it as package.module:name"),
        ("model.target=tiny_code:double", "fails: TypeError"),
        ("model.args={depth: 3}", "unexpected keyword argument 'depth'"),
        ("model.trust=[]", "add trust: import"),
        ("model.weights=none.pth", "no file none.pth"),
        ("model.weight=w.pth", "did you mean 'weights'"),
        ("model.dtype=bfloat16", "run in float32"),
        ("model.id=gpt2", "id has no effect with kind: torch"),
        ("corpora.a.array=a.npy", "did you mean 'arrays'"),
        ("corpora.a.topic=ai", "this has topic and arrays"),
        ("corpora.a.max_documents=15", "has 15 documents"),
        ("collect.hook_points=[cnv.0]", "does not say which side"),
        ("collect.hook_points=[conv.3]", "this network has 1"),
        ("collect.axes=bhw", "is no list of axes"),
        ("collect.mask.border=-1", "from 0 to 10000"),
    ],
)
def test_a_refusal_is_one_clear_sentence(folder: Path, setting: str, words: str) -> None:
    result = Runner.command("collect", "x.yaml", "--set", setting)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_keys_of_one_kind_have_no_place_in_the_other(folder: Path) -> None:
    Path("x.yaml").write_text(
        "model: {id: some/model}\ncorpora: {a: {arrays: a.npy}, b: {topic: t}}\ncollect: {hook_points: [mlp.1]}\n"
    )
    result = Runner.command("check", "x.yaml")
    words = "'b' gives topic and 'a' gives arrays, but a model reads texts or no texts"
    assert words in " ".join(result.output.split())
    Path("x.yaml").write_text("model: {id: m}\ncorpora: {a: {topic: t}}\ncollect: {hook_points: [mlp.1], axes: bc}\n")
    result = Runner.command("check", "x.yaml")
    assert "axes has no effect on texts" in " ".join(result.output.split())


@pytest.mark.slow
def test_influence_of_a_network_goes_along_all_paths(folder: Path) -> None:
    points = ("--set", "collect.hook_points=[0:out, 1:out]", "--set", "collect.mask.border=1")
    assert Runner.command("collect", "x.yaml", *points).exit_code == 0
    refused = Runner.command("influence", "x.yaml", *points)
    assert refused.exit_code == 2
    assert "Set influence.paths: all." in " ".join(refused.output.split())
    result = Runner.command("influence", "x.yaml", *points, "--set", "influence.paths=all")
    assert result.exit_code == 0, result.output
    influence = Influence.load(Path("out/influence/a.npz"))
    found = {(int(source), int(target)) for source, target in zip(influence.sources, influence.targets)}
    assert found == {(unit, 8 + unit) for unit in range(8)}  # the channels of a ReLU answer to one each
    assert (influence.mean > 0).all()
    assert "8 source neurons pushed, forward mode" in " ".join(
        Runner.command("show", "out/influence/a.npz").output.split()
    )
