"""``--set`` on the command line, and the report that lists what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.configs import BASE, refused, rows, write

from glasso_cli.config import Config, FitSection
from glasso_cli.config.load import load_config
from glasso_cli.config.problems import Problem, report
from glasso_cli.config.strict_yaml import Position


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder of its own."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("fit.alpha=1e-3", lambda c: c.fit.alpha == (1e-3,)),
        ("fit.alpha={from: 0.4, to: 0.1, num: 3}", lambda c: c.fit.alpha == (0.4, 0.2, 0.1)),
        ("model.id=a=b", lambda c: c.model.id == "a=b"),
        (" fit.tol = 1e-3 ", lambda c: c.fit.tol == 1e-3),
        ("corpora.b.files=[x.txt]", lambda c: c.corpora["b"].files == ("x.txt",)),
        ("corpora.a={topic: other}", lambda c: c.corpora["a"].topic == "other"),
        ("collect.max_tokens=null", lambda c: c.collect.max_tokens is None),
        ("fit.tol=null", lambda c: c.fit.tol == 1e-7),
        ("model.revision='12'", lambda c: c.model.revision == "12"),
        ("name=café", lambda c: c.name == "café"),
    ],
)
def test_an_override_is_read_like_the_file(override: str, read: Callable[[Config], bool]) -> None:
    assert read(load_config(write(BASE + "fit: {tol: 1e-4}\n"), [override]))


def test_later_overrides_win_and_null_removes_a_corpus() -> None:
    config = load_config(write(BASE), ["seed=1", "corpora.b.topic=x", "seed=2", "corpora.a=null"])
    assert config.seed == 2
    assert list(config.corpora) == ["b"]


@pytest.mark.parametrize(
    ("override", "row"),
    [
        ("fit.alpa=0.1", "--set fit.alpa unknown key; did you mean 'alpha'?"),
        ("fti.alpha=0.1", "--set fti unknown key; did you mean 'fit'?"),
        ("fit=0.1", "--set fit should be a mapping of keys, not 0.1"),
        ("fit", "--set fit should be written as section.key=value"),
        ("=3", "--set should be written as section.key=value"),
        ("fit..alpha=3", "--set fit..alpha should be written as section.key=value"),
        ("fit.tol=", "--set fit.tol has no value; write one, or null to restore the default"),
        ("fit.tol=-1", "--set fit.tol should be greater than 0, not -1"),
        ("model.id=null", "--set model.id missing, and there is no default"),
        ("model.id.x=3", "--set model.id should be text, not {'x': 3}"),
        ("model={id: x, id: y}", "--set model.id is given twice; delete one of them"),
        ("corpora.x.files='[a]'", "--set corpora.x.files should be a list, not '[a]'; remove the quotes"),
        (
            "corpora.a/b.topic=x",
            "--set corpora.a/b a corpus name becomes a file name; "
            "use only letters, digits, '-', '_' and '.', at most 64 in all",
        ),
        (
            "corpora.b.max_documents=3",
            "--set corpora.b give exactly one of dataset, files, topic (texts) or arrays, images, module (other networks); this has none of them",
        ),
        ("corpora.nope=null", "--set corpora.nope is empty; write its keys below it, or delete it"),
        ("fit.select.alpha=0.1", "--set fit select.rule fixed needs fit.alpha"),
        (
            "fit.nope=null",
            "--set fit.nope unknown key; the keys here are: " + ", ".join(sorted(FitSection.model_fields)),
        ),
        (
            "extends=x.yaml",
            "--set extends unknown key; the keys here are: " + ", ".join(sorted(Config.model_fields)),
        ),
    ],
)
def test_an_override_that_cannot_be(override: str, row: str) -> None:
    assert rows(refused(write(BASE), override)) == [row]


def test_an_override_that_is_not_yaml() -> None:
    assert (
        "--set  fit.alpha  the value is not valid YAML: while parsing" in refused(write(BASE), "fit.alpha=[1,").message
    )


def test_problems_of_the_file_come_before_those_of_overrides() -> None:
    found = rows(refused(write(BASE + "seed: x\n"), "fit.tol=2"))
    assert [row.split()[0] for row in found] == ["c.yaml:6:7", "--set"]


# -- the report -----------------------------------------------------------------------------------


def test_control_characters_do_not_reach_the_terminal() -> None:
    error = refused(write(BASE + '"so\\u001b[31mlver": 1\nname: 3 # \u202e\n'))
    assert "\x1b" not in error.message
    assert "\u202e" not in error.message
    assert "so\\x1b[31mlver" in error.message


@pytest.mark.parametrize("column", [1, 40, 60, 120, 399])
def test_a_long_line_is_cut_around_its_mark(column: int) -> None:
    line = "".join(chr(ord("a") + n % 26) for n in range(400))
    problem = Problem("key", "is wrong", "c.yaml", Position(12, column), line)
    _, _, source, mark = report("title", [problem]).splitlines()
    assert len(source) <= 80
    assert source[mark.index("^")] == line[column - 1]


def test_columns_line_up_under_wide_letters() -> None:
    error = refused(write(BASE + "日本語: {a: 1}\nfit: {日本語: 2}\n"))
    marks = [line for line in error.message.splitlines() if line.endswith("^")]
    assert marks == ["         | ^", "         |       ^"]
    places = [line.index("unknown") for line in error.message.splitlines() if "unknown" in line]
    assert places[0] - places[1] == len("fit.日本語") - len("日本語") - len("fit.")
