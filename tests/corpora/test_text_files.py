"""Local files: what is read, in which order, and what is said of files that cannot be."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glasso_cli.corpora.text_files import matching_files, read_file
from glasso_cli.errors import InputError

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path, *, lines: bool = False, column: str = "text") -> list[str]:
    return list(read_file(path, lines=lines, column=column))


def write_parquet(path: Path, **columns: Sequence[object]) -> Path:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), path, row_group_size=3)
    return path


# -- formats --------------------------------------------------------------------------------------


def test_a_txt_file_is_one_document(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.txt", "one\ntwo\r\n\nthree")) == ["one\ntwo\n\nthree"]


def test_or_every_line_of_it_is_one(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "one\ntwo\r\n\n three \n")
    assert read(path, lines=True) == ["one", "two", "", " three "]


@pytest.mark.parametrize(("name", "content"), [("a.txt", "é"), ("a.jsonl", '{"text": "é"}'), ("a.csv", "text\né")])
def test_a_byte_order_mark_is_not_text(tmp_path: Path, name: str, content: str) -> None:
    assert read(write(tmp_path, name, b"\xef\xbb\xbf" + content.encode())) == ["é"]


@given(st.lists(ANY_TEXT, min_size=1, max_size=5))
@settings(deadline=None, max_examples=50)
def test_tables_give_back_any_text(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    import csv

    folder = tmp_path_factory.mktemp("tables")
    jsonl = folder / "a.jsonl"
    jsonl.write_text("".join(json.dumps({"id": 1, "text": text}) + "\n" for text in texts), encoding="utf-8")
    table = folder / "a.csv"
    with open(table, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["text", "id"], *([text, "1"] for text in texts)])
    parquet = write_parquet(folder / "a.parquet", text=texts, id=[1] * len(texts))
    assert read(jsonl) == read(table) == read(parquet) == texts


def test_words_that_look_like_missing_values_are_words(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,n\nNA,1\nnull,2\n1984,3\n,4\n")
    assert read(path) == ["NA", "null", "1984", ""]


def test_missing_values_are_empty_documents(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.jsonl", '{"text": null}\n\n{"text": "b"}\n')) == ["", "b"]
    assert read(write_parquet(tmp_path / "a.parquet", text=[None, "b"])) == ["", "b"]


def test_a_csv_field_may_span_lines_and_be_long(tmp_path: Path) -> None:
    long = "word, " * 50_000
    path = write(tmp_path, "a.csv", f'id,text\r\n1,"a ""b""\r\nc"\r\n2,"{long}"\r\n')
    assert read(path) == ['a "b"\r\nc', long]


def test_a_parquet_file_of_many_rows_keeps_their_order(tmp_path: Path) -> None:
    texts = [f"document {i}" for i in range(2500)]
    assert read(write_parquet(tmp_path / "a.parquet", n=list(range(2500)), text=texts)) == texts


def test_a_parquet_column_of_categories_is_text(tmp_path: Path) -> None:
    import pyarrow

    column = pyarrow.array(["a", "b", "a"]).dictionary_encode()
    assert read(write_parquet(tmp_path / "a.parquet", text=column)) == ["a", "b", "a"]


def test_another_column(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.csv", "text,body\na,b\n"), column="body") == ["b"]


# -- which files ----------------------------------------------------------------------------------


def test_patterns_keep_their_order_and_sort_their_matches(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "c.jsonl", "sub/d.txt"):
        write(tmp_path, name, "x")
    patterns = [f"{tmp_path}/*.jsonl", f"{tmp_path}/**/*.txt", f"{tmp_path}/a.txt"]
    found = matching_files(patterns, "corpora.x")
    assert [path.name for path in found] == ["c.jsonl", "a.txt", "b.txt", "d.txt"]


def test_a_name_with_brackets_is_a_name(tmp_path: Path) -> None:
    path = write(tmp_path, "notes[1].txt", "x")
    assert matching_files([str(path)], "corpora.x") == [path]


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = write(tmp_path, "a.txt", "x")
    assert matching_files(["~/a.txt", "~/*.txt"], "corpora.x") == [path]


def refused(patterns: list[str]) -> InputError:
    with pytest.raises(InputError) as caught:
        matching_files(patterns, "corpora.reviews")
    return caught.value


@pytest.mark.parametrize("name", ["nothing.txt", "*.csv", "nowhere/*.txt"])
def test_a_pattern_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a.txt", "x")
    error = refused(["a.txt", name])
    assert error.message == f"corpora.reviews: no file matches '{name}'."
    assert str(tmp_path) in error.hint


def test_files_that_cannot_hold_texts(tmp_path: Path) -> None:
    folder = tmp_path / "folder.txt"
    folder.mkdir()
    assert refused([str(folder)]).message == f"{folder} is a folder."
    word = write(tmp_path, "a.docx", "x")
    assert refused([str(word)]).message == f"{word} has the unknown suffix '.docx'."
    bare = write(tmp_path, "README", "x")
    assert refused([str(bare)]).message == f"{bare} has no suffix."


def test_an_empty_file(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "")
    assert refused([str(path)]).message == f"{path} is empty."


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "a.txt", "x")
    monkeypatch.setattr(os, "access", lambda *arguments: False)  # root may read everything
    assert refused([str(path)]).message == f"{path} may not be read."


# -- what is wrong inside -------------------------------------------------------------------------


def problem(path: Path, **how: object) -> tuple[str, str]:
    """Message and hint, the folder left out of the message."""
    with pytest.raises(InputError) as caught:
        read(path, **how)  # type: ignore[arg-type]
    return caught.value.message.replace(f"{path.parent}/", ""), caught.value.hint


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "caf\xe9".encode("latin1"), "a.txt is not UTF-8 text: line 1 holds the byte 0xe9."),
        ("a.txt", b"one\ntwo \xff\n", "a.txt is not UTF-8 text: line 2 holds the byte 0xff."),
        ("a.txt", b"PK\x03\x04\n\0\0", "a.txt is not UTF-8 text: line 2 holds the byte 0x00."),
        ("a.txt", "one\n".encode("utf-16"), "a.txt is not UTF-8 text: line 1 holds the byte 0xff."),
        ("a.csv", b"text\n\xe9\n", "a.csv is not UTF-8 text: line 2 holds the byte 0xe9."),
        ("a.jsonl", '{"text": "a"}\n{"text": \n', "a.jsonl, line 2, is not valid JSON: Expecting value at column 1."),
        ("a.jsonl", "{'text': 'a'}\n", "a.jsonl, line 1, is not valid JSON: Expecting property name enclosed in "),
        ("a.jsonl", '{"text": "a"} {"text": "b"}', "a.jsonl, line 1, is not valid JSON: Extra data at column 15."),
        ("a.jsonl", "[" * 100_000, "a.jsonl, line 1, is not valid JSON: "),
        ("a.jsonl", '\n["a"]\n', "a.jsonl, line 2, is a list, not an object."),
        ("a.jsonl", '"a"', "a.jsonl, line 1, is a string, not an object."),
        ("a.jsonl", "null", "a.jsonl, line 1, is null, not an object."),
        ("a.jsonl", "\n \n", "a.jsonl has no rows."),
        ("a.jsonl", '{"text": 3}', "a.jsonl holds a number instead of text in column 'text' (line 1)."),
        ("a.jsonl", '{"text": ["a"]}', "a.jsonl holds a list instead of text in column 'text' (line 1)."),
        ("a.jsonl", '{"text": true}', "a.jsonl holds true or false instead of text in column 'text' (line 1)."),
        ("a.csv", "text,n\n", "a.csv has no rows."),
        ("a.csv", "text,n\na,1\nb,2,3\n", "a.csv, line 3, is not valid CSV: it has 3 fields, and the header has 2."),
        ("a.csv", 'text,n\n"a,1\nb,2\n', "a.csv, line 3, is not valid CSV: unexpected end of data."),
        ("a.csv", 'text,n\n"a"b,1\n', "a.csv, line 2, is not valid CSV: ',' expected after '\"'."),
        ("a.parquet", b"PAR1 nothing", "a.parquet cannot be read as Parquet: "),
    ],
)
def test_the_message_says_what_is_wrong_and_where(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    found, hint = problem(write(tmp_path, name, content))
    assert found.startswith(message) if message[-1] == " " else found == message
    assert found.endswith(".")
    assert hint


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_missing_column_lists_the_columns(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".parquet":
        write_parquet(path, body=["a"], label=[1])
    else:
        write(tmp_path, path.name, {".jsonl": '{"body": "a", "label": 1}', ".csv": "body,label\na,1\n"}[suffix])
    message, hint = problem(path)
    assert message.startswith(f"a{suffix} has no column 'text'")
    assert hint == "Set the corpus's `text` to one of its columns: body, label."


def test_a_parquet_column_of_numbers_is_not_text(tmp_path: Path) -> None:
    message, _ = problem(write_parquet(tmp_path / "a.parquet", text=[1, 2]))
    assert message == "a.parquet holds a number instead of text in column 'text' (row 1)."


def test_a_parquet_file_without_rows(tmp_path: Path) -> None:
    message, _ = problem(write_parquet(tmp_path / "a.parquet", text=[]))
    assert message == "a.parquet has no rows."


def test_documents_before_a_bad_line_are_read(tmp_path: Path) -> None:
    texts = read_file(write(tmp_path, "a.jsonl", '{"text": "a"}\nnope\n'), lines=False, column="text")
    assert next(texts) == "a"
    with pytest.raises(InputError, match="line 2"):
        next(texts)
