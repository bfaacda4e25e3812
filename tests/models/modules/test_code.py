"""Code that a configuration names is found without running it, imported with consent, and known by its content."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from glasso_cli.errors import InputError
from glasso_cli.models.modules.code import code_digest, load_name, source_file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a module and a package."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loud_module.py").write_text("print('run')\nvalue = 3\ndef make(): return value\n")
    (tmp_path / "a_package/inner").mkdir(parents=True)
    (tmp_path / "a_package/__init__.py").write_text("raise RuntimeError('not now')\n")
    (tmp_path / "a_package/inner/part.py").write_text("x = 1\n")
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] in ("loud_module", "a_package", "broken_one")]:
        del sys.modules[name]


def test_a_module_is_found_without_running_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert source_file("loud_module:make", "model.target") == folder / "loud_module.py"
    assert source_file("a_package.inner.part:x", "model.target") == folder / "a_package/inner/part.py"
    assert source_file("glasso_cli.models.known.g2p:encoder", "model.target").name == "g2p.py"
    assert capsys.readouterr().out == ""


def test_a_name_is_imported(folder: Path) -> None:
    assert load_name("loud_module:make", "model.target")() == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("not_there.at_all:make", "no Python module 'not_there.at_all'"),
        ("loud_module:mak", "has no 'mak'"),
        ("a_package.inner.part:x", "fails: RuntimeError: not now"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence(folder: Path, name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        load_name(name, "model.target")


def test_the_digest_changes_with_any_file_of_the_package(folder: Path) -> None:
    before = code_digest("a_package.inner.part:x", "model.target")
    (folder / "a_package/other.py").write_text("y = 2\n")
    assert code_digest("a_package.inner.part:x", "model.target") != before
    one = code_digest("loud_module:make", "model.target")
    (folder / "loud_module.py").write_text("value = 4\ndef make(): return value\n")
    assert code_digest("loud_module:make", "model.target") != one
