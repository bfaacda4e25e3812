"""A package that comes with an extra and is not installed is one sentence, with the command that installs it."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

import pytest
from support.real_runs import Runner

import glasso_cli as g
from glasso_cli.engine.dask_engine import DaskEngine
from glasso_cli.errors import _EXTRAS, MissingExtraError, extras_needed

EXTRAS = {"models", "hub", "llm", "plots", "joint", "builtin", "all"}


def brought_by(extra: str) -> set[str]:
    """The packages that an extra names itself."""
    wanted = importlib.metadata.requires("glasso-cli") or []
    marked = (line.partition(";") for line in wanted)
    return {
        re.split(r"[<>=\[ ]", name)[0].lower().replace("-", "_")
        for name, _, marker in marked
        if f"extra == '{extra}'" in marker.replace('"', "'")
    }


@pytest.mark.parametrize("package", _EXTRAS)
def test_the_extra_named_brings_the_package(package: str) -> None:
    name = "matplotlib" if package == "mpl_toolkits" else package
    assert name in brought_by(_EXTRAS[package])


def test_all_brings_every_extra_and_the_core_none_of_their_packages() -> None:
    lines = [line for line in importlib.metadata.requires("glasso-cli") or [] if "extra ==" not in line]
    core = {re.split(r"[<>=\[ ;]", line)[0].lower().replace("-", "_") for line in lines}
    assert core.isdisjoint(_EXTRAS)
    (everything,) = [
        line for line in importlib.metadata.requires("glasso-cli") or [] if re.search(r"extra == .all.", line)
    ]
    assert set(everything.partition("[")[2].partition("]")[0].split(",")) == EXTRAS - {"all"}


def test_a_cluster_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match="needs the package distributed") as caught, extras_needed():
        list(DaskEngine().run(print, None, [(1,)]))
    assert "pip install 'glasso-cli[cluster]'" in caught.value.hint


@pytest.mark.slow
def test_a_command_without_its_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(
        "model: {id: builtin:gemma-3-270m}\ncollect: {hook_points: [mlp.1]}\ncorpora: {ai: {topic: quantum computing}}\n"
    )
    assert Runner.command("synth", "c.yaml").exit_code == 0
    monkeypatch.setitem(sys.modules, "transformers", None)
    result = Runner.command("collect", "c.yaml")
    assert result.exit_code == 2
    assert "needs the package" in result.output
    assert "pip install 'glasso-cli[" in result.output
    assert "bug" not in result.output


def test_a_function_without_its_extra_says_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = {
        "out": "out",
        "model": {"id": "builtin:gemma-3-270m"},
        "collect": {"hook_points": ["mlp.1"]},
        "corpora": {"ai": {"topic": "quantum computing"}},
    }
    assert g.run(config, "synth")[0].name == "ai.json"
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match="needs the package"):
        g.run(config, "collect")


def test_other_packages_are_no_extras() -> None:
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"), extras_needed():
        import a_package_that_is_not_there  # type: ignore[import-not-found]  # noqa: F401
