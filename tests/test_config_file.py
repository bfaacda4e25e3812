"""Configuration files as people write them: what is read, and what is said about everything else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from glasso_cli.config import Config
from glasso_cli.config_file import load_config
from glasso_cli.config_problems import Problem, report, sections
from glasso_cli.errors import ConfigError
from glasso_cli.strict_yaml import Position

BASE = """\
model: {id: some/model}
corpora:
  a: {topic: a topic}
collect:
  hook_points: [mlp.1]
"""
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write ``c.yaml`` and other files into the working folder."""
    monkeypatch.chdir(tmp_path)

    def write(text: str | bytes, **others: str) -> Path:
        for name, content in others.items():
            Path(f"{name}.yaml").write_text(content, encoding="utf-8")
        path = Path("c.yaml")
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refused(path: Path, *overrides: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return caught.value


def rows(error: ConfigError) -> list[str]:
    """The problems of a report, each with single spaces, without the source lines."""
    found = [line for line in error.message.splitlines()[1:] if line.startswith("  ") and line[2] != " "]
    return [re.sub(r" +", " ", line).strip() for line in found]


def test_a_minimal_file_has_the_defaults_and_its_own_name(write: Write) -> None:
    config = load_config(write(BASE))
    assert config.name == "c"
    assert str(config.folder) == "runs/c"
    assert config.corpora["a"].topic == "a topic"
    assert config.fit == Config.model_fields["fit"].default


@pytest.mark.parametrize(
    "text",
    [b"\xef\xbb\xbf" + BASE.encode(), BASE.replace("\n", "\r\n").encode(), BASE.replace("\n", "\r").encode()],
)
def test_a_byte_order_mark_and_foreign_line_ends_are_read(write: Write, text: bytes) -> None:
    assert load_config(write(text)) == load_config(write(BASE))


def test_aliases_are_read(write: Write) -> None:
    text = "model: {id: m}\ncorpora: {a: &a {topic: x}, b: *a}\ncollect: {hook_points: [mlp.1]}\n"
    corpora = load_config(write(text)).corpora
    assert corpora["a"] == corpora["b"]


# -- what is wrong, and where -----------------------------------------------------------------------


def test_all_problems_are_told_at_once_in_the_order_of_the_file(write: Write) -> None:
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
        "c.yaml:8:48 fit.solver 'quic' is not one of: gglasso, sklearn",
        "c.yaml:9:13 visualize.edgs unknown key; did you mean 'edges'?",
    ]
    assert error.hint == "`glasso schema` lists every key with its help."


def test_the_source_line_stands_under_its_problem_with_a_mark_at_the_column(write: Write) -> None:
    error = refused(write(BASE + "fit: {tol: 3}\n"))
    assert error.message.splitlines() == [
        "c.yaml has 1 problem",
        "  c.yaml:6:12  fit.tol  should be less than 1, not 3",
        "       6 | fit: {tol: 3}",
        "         |            ^",
    ]
    assert error.hint == "`glasso schema fit` lists every key with its help."


@pytest.mark.parametrize("section", sections(), ids=".".join)
def test_a_misspelt_key_is_found_in_every_section(write: Write, section: tuple[str, ...]) -> None:
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
        ("fit:", "c.yaml:6:5 fit is empty; write its keys under it, or leave it out"),
        ("fit: degree", "c.yaml:6:6 fit should be a mapping of keys, not 'degree'"),
        ("fit: {tol: .nan}", "c.yaml:6:12 fit.tol should be a finite number, not nan"),
        ("fit: {tol: true}", "c.yaml:6:12 fit.tol should be a number, not true"),
        ("fit: {max_iter: 1e3}", "c.yaml:6:17 fit.max_iter should be a whole number, not 1000.0"),
        ("fit: {alpha: .inf}", "c.yaml:6:14 fit.alpha should be a finite number greater than 0, not inf"),
        ("fit: {select: {gamma: 2}}", "c.yaml:6:23 fit.select.gamma should be at most 1, not 2"),
        ("fit: {select: {rule: fixed}}", "c.yaml:6:6 fit select.rule fixed needs fit.alpha"),
        (
            "fit: {solver: sklern}",
            "c.yaml:6:15 fit.solver 'sklern' is not one of: gglasso, sklearn; did you mean sklearn?",
        ),
        ("visualize: {formats: [gif]}", "c.yaml:6:23 visualize.formats[0] 'gif' is not one of: png, svg"),
        ("visualize: {formats: []}", "c.yaml:6:22 visualize.formats is empty"),
        (
            "visualize: {formats: png}",
            "c.yaml:6:22 visualize.formats should be a list, not 'png'; write [png]",
        ),
        ("visualize: {edges: null}", "c.yaml:6:20 visualize.edges should be a whole number, not null"),
        ("tol: 1e-3", "c.yaml:6:1 tol unknown key here; did you mean fit.tol?"),
        ("neurons: 3", "c.yaml:6:1 neurons unknown key here; did you mean collect.neurons or fit.neurons?"),
        ("topic: x", "c.yaml:6:1 topic unknown key here; did you mean corpora.NAME.topic?"),
        (
            "größe: 3",
            "c.yaml:6:1 größe unknown key; the keys here are: " + ", ".join(sorted(Config.model_fields)),
        ),
        ("seed: 1\nseed: 2", "c.yaml:7:1 seed given twice; delete one, the first is on line 6"),
        (
            "fit: {tol: 1e-3, tol: 1e-4}",
            "c.yaml:6:18 fit.tol given twice; delete one, the first is on line 6",
        ),
    ],
)
def test_one_thing_wrong(write: Write, line: str, row: str) -> None:
    assert rows(refused(write(f"{BASE}{line}\n"))) == [row]


def test_missing_keys_are_named_at_their_section(write: Write) -> None:
    assert rows(refused(write("model: {dtype: auto}\ncorpora: {a: {topic: x}}\n"))) == [
        "c.yaml collect missing, and there is no default",
        "c.yaml:1:1 model.id missing, and there is no default",
    ]


def test_every_bad_corpus_name_is_told_at_its_place(write: Write) -> None:
    text = "model: {id: m}\ncorpora: {a/b: {topic: x}, '..': {topic: y}}\ncollect: {hook_points: [m]}\n"
    found = rows(refused(write(text)))
    assert [row.split()[0] for row in found] == ["c.yaml:2:11", "c.yaml:2:28"]
    assert all("becomes a file name" in row for row in found)


def test_keys_that_are_not_text_are_told(write: Write) -> None:
    text = "model: {id: m}\ncorpora: {1: {topic: x}, true: {topic: y}}\ncollect: {hook_points: [m]}\n"
    assert rows(refused(write(text))) == [
        "c.yaml:2:11 corpora.1 the key 1 is not text; quote it",
        "c.yaml:2:26 corpora.true the key true is not text; quote it",
    ]


def test_merge_keys_are_refused_with_what_to_write(write: Write) -> None:
    error = refused(write(BASE + "fit: &f {tol: 1e-3}\nvisualize: {<<: *f}\n"))
    assert rows(error) == [
        "c.yaml:7:13 visualize.<< merge keys are not YAML 1.2; repeat the keys, or use extends"
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
def test_a_file_that_cannot_be_a_configuration(
    write: Write, text: str | bytes, words: str, advice: str
) -> None:
    error = refused(write(text))
    assert words in error.message
    assert advice in error.hint


def test_what_is_not_yaml_is_shown_with_its_line(write: Write) -> None:
    error = refused(write("model:\n\tid: m\n"))
    assert error.message.splitlines() == [
        "c.yaml is not YAML",
        "  c.yaml:2:1  a tab cannot indent in YAML; use spaces",
        "       2 | →id: m",
        "         | ^",
    ]
    assert error.hint == "Check indentation, quotes and brackets there."


@pytest.mark.parametrize(
    ("name", "words"), [("d.yml", "no configuration file d.yml"), ("c.yaml/x", "no configuration")]
)
def test_a_file_that_is_not_there(write: Write, name: str, words: str) -> None:
    write(BASE)
    assert words in refused(Path(name)).message


def test_a_file_with_a_similar_name_is_offered(write: Write) -> None:
    write(BASE, experiment=BASE)
    assert refused(Path("experimnt.yaml")).message.endswith("; there is experiment.yaml.")


def test_a_folder_is_no_configuration(write: Write, tmp_path: Path) -> None:
    assert refused(tmp_path).message == f"{tmp_path} is a folder."


def test_a_file_that_the_system_does_not_give_is_no_bug(write: Write) -> None:
    assert "cannot be read (File name too long)" in refused(Path("x" * 5_000)).message


# -- extends --------------------------------------------------------------------------------------


def test_what_a_file_extends_is_merged_key_by_key(write: Write) -> None:
    base = BASE + "seed: 1\nfit: {tol: 1e-3, select: {target: 3}}\n"
    config = load_config(write("extends: base.yaml\nfit: {select: {gamma: 0.1}}\nseed: 2\n", base=base))
    assert (config.seed, config.fit.tol, config.fit.select.target, config.fit.select.gamma) == (
        2,
        1e-3,
        3.0,
        0.1,
    )
    assert config.name == "c"


def test_the_last_of_several_bases_wins_and_lists_are_replaced(write: Write) -> None:
    one = BASE + "seed: 1\nvisualize: {formats: [png, svg]}\n"
    two = "seed: 2\nvisualize: {formats: [svg]}\n"
    config = load_config(write("extends: [one.yaml, two.yaml]\n", one=one, two=two))
    assert config.seed == 2
    assert config.visualize.formats == ("svg",)


def test_a_base_is_found_beside_the_file_that_names_it(write: Write) -> None:
    Path("deep").mkdir()
    Path("deep/b.yaml").write_text("extends: ../root.yaml\nseed: 3\n")
    assert load_config(write("extends: deep/b.yaml\n", root=BASE)).seed == 3


def test_problems_are_told_in_the_file_that_wins_and_once(write: Write) -> None:
    one, two = BASE + "seed: x\nfti: 3\n", "extends: one.yaml\nseed: y\n"
    path = write("extends: [one.yaml, two.yaml]\nfit: {tol: 3}\n", one=one, two=two)
    assert rows(refused(path)) == [
        "c.yaml:2:12 fit.tol should be less than 1, not 3",
        "two.yaml:2:7 seed should be a whole number, not 'y'",
        "one.yaml:7:1 fti unknown key; did you mean 'fit'?",
    ]


def test_two_ways_to_one_base_are_no_cycle_and_its_problems_are_told_once(write: Write) -> None:
    one = two = "extends: root.yaml\n"
    path = write("extends: [one.yaml, two.yaml]\n", one=one, two=two, root=BASE + "seed: 1\nseed: 2\n")
    assert rows(refused(path)) == ["root.yaml:7:1 seed given twice; delete one, the first is on line 6"]


@pytest.mark.parametrize(
    ("others", "chain"),
    [
        ({}, "c.yaml → c.yaml"),
        ({"one": "extends: c.yaml\n"}, "c.yaml → one.yaml → c.yaml"),
        ({"one": "extends: two.yaml\n", "two": "extends: one.yaml\n"}, "one.yaml → two.yaml → one.yaml"),
    ],
)
def test_a_cycle_is_shown(write: Write, others: dict[str, str], chain: str) -> None:
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
def test_a_base_that_cannot_be_one(write: Write, value: str, row: str) -> None:
    assert rows(refused(write(f"{BASE}extends: {value}\n", base=BASE))) == [row]


def test_a_base_that_is_not_yaml_is_named(write: Write) -> None:
    assert "base.yaml is not YAML" in refused(write("extends: base.yaml\n", base="a: [\n")).message


# -- --set ----------------------------------------------------------------------------------------


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
def test_an_override_is_read_like_the_file(
    write: Write, override: str, read: Callable[[Config], bool]
) -> None:
    assert read(load_config(write(BASE + "fit: {tol: 1e-4}\n"), [override]))


def test_later_overrides_win_and_null_removes_a_corpus(write: Write) -> None:
    config = load_config(write(BASE), ["seed=1", "corpora.b.topic=x", "seed=2", "corpora.a=null"])
    assert config.seed == 2
    assert list(config.corpora) == ["b"]


@pytest.mark.parametrize(
    ("override", "row"),
    [
        ("fit.alpa=0.1", "--set fit.alpa unknown key; did you mean 'alpha'?"),
        ("fti.alpha=0.1", "--set fti unknown key; did you mean 'fit'?"),
        ("fit=0.1", "--set fit should be a mapping of keys, not 0.1"),
        ("fit", "--set fit should read section.key=value"),
        ("=3", "--set should read section.key=value"),
        ("fit..alpha=3", "--set fit..alpha should read section.key=value"),
        ("fit.tol=", "--set fit.tol has no value; null restores the default"),
        ("fit.tol=-1", "--set fit.tol should be greater than 0, not -1"),
        ("model.id=null", "--set model.id missing, and there is no default"),
        ("model.id.x=3", "--set model.id should be text, not {'x': 3}"),
        ("model={id: x, id: y}", "--set model.id given twice"),
        ("corpora.x.files='[a]'", "--set corpora.x.files should be a list, not '[a]'; drop the quotes"),
        (
            "corpora.a/b.topic=x",
            "--set corpora.a/b a corpus name becomes a file name: "
            "use letters, digits, '-', '_' and '.', at most 64 of them",
        ),
        (
            "corpora.b.max_documents=3",
            "--set corpora.b give exactly one of dataset, files, topic; this has none of them",
        ),
        ("corpora.nope=null", "--set corpora.nope is empty; write its keys under it, or leave it out"),
        ("fit.select.alpha=0.1", "--set fit select.rule fixed needs fit.alpha"),
        (
            "fit.nope=null",
            "--set fit.nope unknown key; the keys here are: alpha, max_iter, neurons, select, solver, tol",
        ),
        (
            "extends=x.yaml",
            "--set extends unknown key; the keys here are: " + ", ".join(sorted(Config.model_fields)),
        ),
    ],
)
def test_an_override_that_cannot_be(write: Write, override: str, row: str) -> None:
    assert rows(refused(write(BASE), override)) == [row]


def test_an_override_that_is_not_yaml(write: Write) -> None:
    assert (
        "--set  fit.alpha  the value is not YAML: while parsing"
        in refused(write(BASE), "fit.alpha=[1,").message
    )


def test_problems_of_the_file_come_before_those_of_overrides(write: Write) -> None:
    found = rows(refused(write(BASE + "seed: x\n"), "fit.tol=2"))
    assert [row.split()[0] for row in found] == ["c.yaml:6:7", "--set"]


# -- the report -----------------------------------------------------------------------------------


def test_control_characters_do_not_reach_the_terminal(write: Write) -> None:
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


def test_columns_line_up_under_wide_letters(write: Write) -> None:
    error = refused(write(BASE + "日本語: {a: 1}\nfit: {日本語: 2}\n"))
    marks = [line for line in error.message.splitlines() if line.endswith("^")]
    assert marks == ["         | ^", "         |       ^"]
    places = [line.index("unknown") for line in error.message.splitlines() if "unknown" in line]
    assert places[0] - places[1] == len("fit.日本語") - len("日本語") - len("fit.")
