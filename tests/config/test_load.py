"""Configuration files as people write them: what is read, and what is said about everything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.configs import BASE, refused, rows, write

from glasso_cli.config import Config
from glasso_cli.config.load import load_config
from glasso_cli.config.problems import sections


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder of its own."""
    monkeypatch.chdir(tmp_path)


def test_a_minimal_file_has_the_defaults_and_its_own_name() -> None:
    config = load_config(write(BASE))
    assert config.name == "c"
    assert str(config.folder) == "runs/c"
    assert config.corpora["a"].topic == "a topic"
    assert config.fit == Config.model_fields["fit"].default


@pytest.mark.parametrize(
    "text",
    [b"\xef\xbb\xbf" + BASE.encode(), BASE.replace("\n", "\r\n").encode(), BASE.replace("\n", "\r").encode()],
)
def test_a_byte_order_mark_and_foreign_line_ends_are_read(text: bytes) -> None:
    assert load_config(write(text)) == load_config(write(BASE))


def test_aliases_are_read() -> None:
    text = "model: {id: m}\ncorpora: {a: &a {topic: x}, b: *a}\ncollect: {hook_points: [mlp.1]}\n"
    corpora = load_config(write(text)).corpora
    assert corpora["a"] == corpora["b"]


# -- what is wrong, and where -----------------------------------------------------------------------


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    path = write(
        """\
nmae: x
model: {id: m, dtyp: float32}
corpora:
  a: {topik: x, topic: y}
collect:
  hook_points: [mlp.1]
  mask: {frist: 2}
fit: {alhpa: 1, select: {rul: degree}, solver: quic}
visualize: {edgs: 2}
"""
    )
    error = refused(path)
    assert error.message.startswith("c.yaml has 8 problems\n")
    assert rows(error) == [
        "c.yaml:1:1 nmae unknown key; did you mean 'name'?",
        "c.yaml:2:16 model.dtyp unknown key; did you mean 'dtype'?",
        "c.yaml:4:7 corpora.a.topik unknown key; did you mean 'topic'?",
        "c.yaml:7:10 collect.mask.frist unknown key; did you mean 'first'?",
        "c.yaml:8:7 fit.alhpa unknown key; did you mean 'alpha'?",
        "c.yaml:8:26 fit.select.rul unknown key; did you mean 'rule'?",
        "c.yaml:8:48 fit.solver 'quic' is not one of: newton, gglasso, sklearn",
        "c.yaml:9:13 visualize.edgs unknown key; did you mean 'edges'?",
    ]
    assert error.hint == "`glasso schema` lists every key with its help."


def test_the_source_line_stands_under_its_problem_with_a_mark_at_the_column() -> None:
    error = refused(write(BASE + "fit: {tol: 3}\n"))
    assert error.message.splitlines() == [
        "c.yaml has 1 problem",
        "  c.yaml:6:12  fit.tol  should be less than 1, not 3",
        "       6 | fit: {tol: 3}",
        "         |            ^",
    ]
    assert error.hint == "`glasso schema fit` lists every key with its help."


@pytest.mark.parametrize("section", sections(), ids=".".join)
def test_a_misspelt_key_is_found_in_every_section(section: tuple[str, ...]) -> None:
    name = max(sections()[section].model_fields, key=len)
    keys = ("a" if key == "NAME" else key for key in section)
    error = refused(write(BASE), f"{'.'.join((*keys, name[:-1] + 'x'))}=1")
    assert f"unknown key; did you mean '{name}'?" in error.message


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("name: 3", "c.yaml:6:7 name should be text, not 3"),
        ("out: 5", "c.yaml:6:6 out should be a path, not 5"),
        ("out: ''", "c.yaml:6:6 out is empty"),
        ("seed: -1", "c.yaml:6:7 seed should be at least 0, not -1"),
        ("seed: 1.5", "c.yaml:6:7 seed should be a whole number, not 1.5"),
        (
            "seed: 9223372036854775808",
            "c.yaml:6:7 seed should be less than 9223372036854775808, not 9223372036854775808",
        ),
        ("seed: no", "c.yaml:6:7 seed should be a whole number, not 'no'"),
        ("fit:", "c.yaml:6:5 fit is empty; write its keys below it, or delete it"),
        ("fit: degree", "c.yaml:6:6 fit should be a mapping of keys, not 'degree'"),
        ("fit: {tol: .nan}", "c.yaml:6:12 fit.tol should be a finite number, not nan"),
        ("fit: {tol: true}", "c.yaml:6:12 fit.tol should be a number, not true"),
        ("fit: {max_iter: 1e3}", "c.yaml:6:17 fit.max_iter should be a whole number, not 1000.0"),
        ("fit: {alpha: .inf}", "c.yaml:6:14 fit.alpha should be a finite number greater than 0, not inf"),
        ("fit: {select: {gamma: 2}}", "c.yaml:6:23 fit.select.gamma should be at most 1, not 2"),
        ("fit: {select: {rule: fixed}}", "c.yaml:6:6 fit select.rule fixed needs fit.alpha"),
        (
            "fit: {solver: sklern}",
            "c.yaml:6:15 fit.solver 'sklern' is not one of: newton, gglasso, sklearn; did you mean sklearn?",
        ),
        ("visualize: {formats: [gif]}", "c.yaml:6:23 visualize.formats[0] 'gif' is not one of: png, svg"),
        ("visualize: {formats: []}", "c.yaml:6:22 visualize.formats is empty"),
        (
            "visualize: {formats: png}",
            "c.yaml:6:22 visualize.formats should be a list, not 'png'; write [png]",
        ),
        ("visualize: {edges: null}", "c.yaml:6:20 visualize.edges should be a whole number, not null"),
        ("tol: 1e-3", "c.yaml:6:1 tol unknown key here; did you mean fit.tol or compare.tol?"),
        (
            "neurons: 3",
            "c.yaml:6:1 neurons unknown key here; did you mean collect.neurons or fit.neurons or compare.neurons?",
        ),
        ("topic: x", "c.yaml:6:1 topic unknown key here; did you mean corpora.NAME.topic?"),
        (
            "größe: 3",
            "c.yaml:6:1 größe unknown key; the keys here are: " + ", ".join(sorted(Config.model_fields)),
        ),
        ("seed: 1\nseed: 2", "c.yaml:7:1 seed is given twice, first on line 6; delete one of them"),
        (
            "fit: {tol: 1e-3, tol: 1e-4}",
            "c.yaml:6:18 fit.tol is given twice, first on line 6; delete one of them",
        ),
    ],
)
def test_one_thing_wrong(line: str, row: str) -> None:
    assert rows(refused(write(f"{BASE}{line}\n"))) == [row]


def test_missing_keys_are_named_at_their_section() -> None:
    assert rows(refused(write("model: {dtype: auto}\ncorpora: {a: {topic: x}}\n"))) == [
        "c.yaml collect missing, and there is no default",
        "c.yaml:1:1 model.id missing, and there is no default",
    ]


def test_every_bad_corpus_name_is_told_at_its_place() -> None:
    text = "model: {id: m}\ncorpora: {a/b: {topic: x}, '..': {topic: y}}\ncollect: {hook_points: [m]}\n"
    found = rows(refused(write(text)))
    assert [row.split()[0] for row in found] == ["c.yaml:2:11", "c.yaml:2:28"]
    assert all("becomes a file name" in row for row in found)


def test_keys_that_are_not_text_are_told() -> None:
    text = "model: {id: m}\ncorpora: {1: {topic: x}, true: {topic: y}}\ncollect: {hook_points: [m]}\n"
    assert rows(refused(write(text))) == [
        "c.yaml:2:11 corpora.1 the key 1 is not text; quote it",
        "c.yaml:2:26 corpora.true the key true is not text; quote it",
    ]


def test_merge_keys_are_refused_with_what_to_write() -> None:
    error = refused(write(BASE + "fit: &f {tol: 1e-3}\nvisualize: {<<: *f}\n"))
    assert rows(error) == [
        "c.yaml:7:13 visualize.<< merge keys are not part of YAML 1.2; repeat the keys, or use extends"
    ]


@pytest.mark.parametrize(
    ("text", "words", "advice"),
    [
        ("", "c.yaml is empty", "glasso init"),
        ("# only a comment\n", "c.yaml is empty", "glasso init"),
        ("- a\n- b\n", "c.yaml is a list", "glasso init"),
        ("hello\n", "c.yaml is text", "glasso init"),
        ("3\n", "c.yaml is a number", "glasso init"),
        ("true\n", "c.yaml is true or false", "glasso init"),
        (BASE.encode() + b"name: caf\xe9\n", "not UTF-8 text (line 6)", "Save it as UTF-8"),
        (BASE.encode("utf-16"), "not UTF-8 text (line 1)", "Save it as UTF-8"),
    ],
)
def test_a_file_that_cannot_be_a_configuration(text: str | bytes, words: str, advice: str) -> None:
    error = refused(write(text))
    assert words in error.message
    assert advice in error.hint


def test_what_is_not_yaml_is_shown_with_its_line() -> None:
    error = refused(write("model:\n\tid: m\n"))
    assert error.message.splitlines() == [
        "c.yaml is not valid YAML",
        "  c.yaml:2:1  YAML does not allow tabs for indentation; use spaces",
        "       2 | →id: m",
        "         | ^",
    ]
    assert error.hint == "Check the indentation, quotes and brackets there."


@pytest.mark.parametrize(
    ("name", "words"), [("d.yml", "no configuration file d.yml"), ("c.yaml/x", "no configuration")]
)
def test_a_file_that_is_not_there(name: str, words: str) -> None:
    write(BASE)
    assert words in refused(Path(name)).message


def test_a_file_with_a_similar_name_is_offered() -> None:
    write(BASE, experiment=BASE)
    assert refused(Path("experimnt.yaml")).message.endswith("; there is experiment.yaml.")


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    assert refused(tmp_path).message == f"{tmp_path} is a folder."


def test_a_file_that_the_system_does_not_give_is_no_bug() -> None:
    assert "cannot be read (File name too long)" in refused(Path("x" * 5_000)).message


# -- extends --------------------------------------------------------------------------------------


def test_what_a_file_extends_is_merged_key_by_key() -> None:
    base = BASE + "seed: 1\nfit: {tol: 1e-3, select: {target: 3}}\n"
    config = load_config(write("extends: base.yaml\nfit: {select: {gamma: 0.1}}\nseed: 2\n", base=base))
    assert (config.seed, config.fit.tol, config.fit.select.target, config.fit.select.gamma) == (
        2,
        1e-3,
        3.0,
        0.1,
    )
    assert config.name == "c"


def test_the_last_of_several_bases_wins_and_lists_are_replaced() -> None:
    one = BASE + "seed: 1\nvisualize: {formats: [png, svg]}\n"
    two = "seed: 2\nvisualize: {formats: [svg]}\n"
    config = load_config(write("extends: [one.yaml, two.yaml]\n", one=one, two=two))
    assert config.seed == 2
    assert config.visualize.formats == ("svg",)


def test_a_base_is_found_beside_the_file_that_names_it() -> None:
    Path("deep").mkdir()
    Path("deep/b.yaml").write_text("extends: ../root.yaml\nseed: 3\n")
    assert load_config(write("extends: deep/b.yaml\n", root=BASE)).seed == 3


def test_problems_are_told_in_the_file_that_wins_and_once() -> None:
    one, two = BASE + "seed: x\nfti: 3\n", "extends: one.yaml\nseed: y\n"
    path = write("extends: [one.yaml, two.yaml]\nfit: {tol: 3}\n", one=one, two=two)
    assert rows(refused(path)) == [
        "c.yaml:2:12 fit.tol should be less than 1, not 3",
        "two.yaml:2:7 seed should be a whole number, not 'y'",
        "one.yaml:7:1 fti unknown key; did you mean 'fit'?",
    ]


def test_two_ways_to_one_base_are_no_cycle_and_its_problems_are_told_once() -> None:
    one = two = "extends: root.yaml\n"
    path = write("extends: [one.yaml, two.yaml]\n", one=one, two=two, root=BASE + "seed: 1\nseed: 2\n")
    assert rows(refused(path)) == ["root.yaml:7:1 seed is given twice, first on line 6; delete one of them"]


@pytest.mark.parametrize(
    ("others", "chain"),
    [
        ({}, "c.yaml → c.yaml"),
        ({"one": "extends: c.yaml\n"}, "c.yaml → one.yaml → c.yaml"),
        ({"one": "extends: two.yaml\n", "two": "extends: one.yaml\n"}, "one.yaml → two.yaml → one.yaml"),
    ],
)
def test_a_cycle_is_shown(others: dict[str, str], chain: str) -> None:
    first = "one.yaml" if others else "c.yaml"
    error = refused(write(f"extends: {first}\n", **others))
    assert chain in error.message


@pytest.mark.parametrize(
    ("value", "row"),
    [
        ("bse.yaml", "c.yaml:6:10 extends there is no file bse.yaml; there is base.yaml"),
        (".", "c.yaml:6:10 extends there is no file ."),
        ("3", "c.yaml:6:10 extends should be a file name or a list of file names"),
        ("null", "c.yaml:6:10 extends should be a file name or a list of file names"),
        ("[base.yaml, 3]", "c.yaml:6:22 extends[1] should be a file name or a list of file names"),
        ("{a: base.yaml}", "c.yaml:6:10 extends should be a file name or a list of file names"),
    ],
)
def test_a_base_that_cannot_be_one(value: str, row: str) -> None:
    assert rows(refused(write(f"{BASE}extends: {value}\n", base=BASE))) == [row]


def test_a_base_that_is_not_yaml_is_named() -> None:
    assert "base.yaml is not valid YAML" in refused(write("extends: base.yaml\n", base="a: [\n")).message
