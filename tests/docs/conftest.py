"""The working folder that the documents assume: the demo's results, made by the real stages with a tiny model."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.documents import ROOT
from support.tiny_models import CONFIGS, make_tokenizer, one_thread, tokenizers

from glasso_cli.cli.starter import write_starter
from glasso_cli.config.load import load_config
from glasso_cli.console import Console
from glasso_cli.pipeline.run import Pipeline

__all__ = ["make_tokenizer", "one_thread", "tokenizers"]

LAYERS = 10  # the documents study layer 9
# What makes the results quick, beside two corpora for three; every configuration of the working folder extends it.
SMALL = """\
synth: {examples: 20}
fit: {half_samples: 2}
visualize: {cards: 1, dpi: 50, formats: [png], explorer: false}
"""


@pytest.fixture(scope="session")
def deep_model(tmp_path_factory: pytest.TempPathFactory, tokenizers: dict[str, Any]) -> Path:
    """The folder of a tiny random model with as many layers as the documents need."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("deep") / "model"
    model_type, options = CONFIGS["gemma3"]
    torch.manual_seed(7)
    config = AutoConfig.for_model(model_type, **options | {"num_hidden_layers": LAYERS})
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizers["gemma3"].save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, deep_model: Path) -> Path:
    """A folder with ``configs``, ``my.yaml`` and the results of configs/demo.yaml, all for the tiny model."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(ROOT / "configs", folder / "configs")
    write_starter(folder / "my.yaml", force=False)
    for path in (folder / "my.yaml", *(folder / "configs").iterdir()):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "quantum" not in line]
        text = re.sub(r"\b(id:) [\w./:-]+", rf"\1 {deep_model}", "\n".join(lines))
        path.write_text(f"extends: {folder / 'small.yaml'}\n{text}\n", encoding="utf-8")
    (folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GLASSO_CACHE_DIR", str(folder / "cache"))
        pipeline = Pipeline(load_config(Path("configs/demo.yaml")), Console(quiet=True))
        pipeline.run(["synth", "collect", "fit", "compare"])
    return folder


@pytest.fixture
def working_folder(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the demo's folder, as the working folder."""
    folder = tmp_path / "work"
    shutil.copytree(demo, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GLASSO_CACHE_DIR", str(folder / "cache"))
    return folder
