"""Keys, freshness and its reason, unfinished pieces, and the lock of a folder."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasso_cli.artifacts import manifest
from glasso_cli.artifacts.keys import differences, key_of, material_of
from glasso_cli.artifacts.npz import read_npz, write_npz
from glasso_cli.digests import State, state_of
from glasso_cli.errors import ForeignFileError, GlassoError, InputError, ServiceError
from glasso_cli.pipeline import cache
from glasso_cli.pipeline.cache import Target, freshness

LEAVES = st.none() | st.text(max_size=4) | st.integers() | st.lists(st.integers(), max_size=3)
NAMES = st.sampled_from(["model", "fit", "alpha", "tol", "id", "inputs", "config"])
MATERIALS = st.dictionaries(
    NAMES, st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=6), max_size=4
)

HOLDER = """
import sys
from pathlib import Path
from glasso_cli.pipeline import cache

with cache.lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def target(folder: Path, material: dict[str, Any] | None = None, companions: tuple[str, ...] = ()) -> Target:
    material = material or material_of("fit", 1, {"fit": {"tol": 1e-7}}, {"upstream": {"collect": "ab"}})
    paths = tuple(folder / name for name in companions)
    return Target("fit", "films", folder / "fit" / "films.npz", material, paths)


def write(made: Target, **meta: Any) -> None:
    meta = {"kind": "test", "schema": 1, "key": made.key, "material": made.material, **meta}
    write_npz(made.path, {"x": np.zeros(1)}, meta)


# -- keys -------------------------------------------------------------------------------------------


@given(MATERIALS)
def test_a_key_does_not_depend_on_the_order_of_names(material: dict[str, Any]) -> None:
    backwards = json.loads(json.dumps(dict(reversed(list(material.items())))))
    assert key_of(backwards) == key_of(material)


@given(MATERIALS, MATERIALS)
def test_differences_are_found_exactly_where_keys_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert differences(one, copy.deepcopy(one)) == []
    assert bool(differences(one, other)) == (key_of(one) != key_of(other))
    assert len(differences(one, other)) == len(differences(other, one))


def test_a_stage_and_its_version_are_part_of_the_key() -> None:
    keys = {key_of(material_of(stage, version, {}, {})) for stage in ("fit", "collect") for version in (1, 2)}
    assert len(keys) == 4


def test_differences_say_what_changed_in_words() -> None:
    old = material_of("fit", 1, {"fit": {"tol": 1e-7, "alpha": [0.5], "gone": 1}}, {"model": {"commit": "a"}})
    new = material_of("fit", 2, {"fit": {"tol": 1e-6, "alpha": [0.1] * 40, "new": 1}}, {"model": {"commit": "b"}})
    assert differences(old, new) == [
        "fit.alpha [0.5] → [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1,…",
        "fit.gone is gone",
        "fit.new is new",
        "fit.tol 1e-07 → 1e-06",
        "model.commit changed",
        "stage_version 1 → 2",
    ]
    before, after = ({"inputs": {"upstream": {"collect": digest}}} for digest in "ab")
    assert differences(before, after) == ["collect changed"]


# -- freshness --------------------------------------------------------------------------------------


def test_what_is_there_with_the_right_key_is_fresh(tmp_path: Path) -> None:
    made = target(tmp_path)
    assert freshness(made) == cache.Freshness(False, "not made yet")
    write(made)
    assert freshness(made) == cache.Freshness(True, "up to date")


def test_a_changed_field_is_the_reason(tmp_path: Path) -> None:
    write(target(tmp_path))
    changed = target(tmp_path, material_of("fit", 1, {"fit": {"tol": 0.1}}, {"upstream": {"collect": "cd"}}))
    assert freshness(changed) == cache.Freshness(False, "fit.tol 1e-07 → 0.1; collect changed")


def test_a_key_without_its_material_is_still_stale(tmp_path: Path) -> None:
    made = target(tmp_path)
    write(made, key="another")
    assert freshness(made).reason == "made from something else"
    write(made, key="another", material=None)
    assert not freshness(made).fresh


def test_a_missing_or_changed_companion_is_the_reason(tmp_path: Path) -> None:
    made = target(tmp_path, companions=("fit/films.dot",))
    write(made)
    assert freshness(made).reason == "films.dot is missing"
    digests = {"films.dot": hashlib.sha256(b"graph {}").hexdigest()}
    write(made, companions=digests)
    assert freshness(made).reason == "films.dot is missing"
    dot = tmp_path / "fit" / "films.dot"
    dot.write_text("graph {}")
    assert freshness(made).fresh
    for damage in (b"", b"graph {", b"graph {}\n"):
        dot.write_bytes(damage)
        assert freshness(made).reason == "films.dot was changed or damaged"
    dot.write_text("graph {}")
    assert freshness(made).fresh
    dot.unlink()
    dot.mkdir()
    assert freshness(made).reason == "films.dot is missing"


@pytest.mark.parametrize("restored", [False, True], ids=["new time", "time put back"])
def test_a_changed_byte_of_an_artifact_is_noticed(tmp_path: Path, restored: bool) -> None:
    made = target(tmp_path)
    write(made)
    os.utime(made.path, (1e9, 1e9))
    assert freshness(made).fresh
    whole = made.path.read_bytes()
    before = made.path.stat()
    for place in range(0, len(whole), 7):
        made.path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        if restored:
            os.utime(made.path, ns=(before.st_atime_ns, before.st_mtime_ns))
        try:
            arrays, meta = read_npz(made.path)
        except GlassoError:
            assert not freshness(made).fresh
        else:  # a byte of the archive that stands for nothing, such as a date
            assert arrays["x"].tolist() == [0]
            assert meta["key"] == made.key


def test_a_damaged_artifact_is_stale_and_may_be_replaced(tmp_path: Path) -> None:
    made = target(tmp_path)
    write(made)
    made.path.write_bytes(made.path.read_bytes()[:-7])
    assert "is truncated or damaged" in freshness(made).reason
    cache.refuse_foreign(made)


@pytest.mark.parametrize("content", [b"", b'{"kind": "fig'])
def test_a_damaged_manifest_is_stale_and_may_be_replaced(tmp_path: Path, content: bytes) -> None:
    made = Target("visualize", "films", tmp_path / "figures.json", {})
    made.path.write_bytes(content)
    assert freshness(made) == cache.Freshness(False, f"{made.path} is damaged.")
    cache.refuse_foreign(made)


@pytest.mark.parametrize("name", ["films.npz", "films.json"])
@pytest.mark.parametrize("content", [b"my notes", b'{"my": "notes"}'])
def test_a_file_of_somebody_else_is_not_overwritten(tmp_path: Path, name: str, content: bytes) -> None:
    made = Target("fit", "films", tmp_path / name, {})
    made.path.write_bytes(content)
    assert "is not an artifact of glasso" in freshness(made).reason
    with pytest.raises(ForeignFileError, match="would be overwritten") as caught:
        cache.refuse_foreign(made)
    assert "--force" in caught.value.hint


def test_a_manifest_is_an_artifact_too(tmp_path: Path) -> None:
    made = Target("visualize", "films", tmp_path / "figures" / "figures.json", {"a": 1})
    manifest.write_manifest(made.path, {"kind": "figures", "key": made.key, "files": []})
    assert freshness(made).fresh
    assert made.path.read_text().endswith("}\n")


def test_a_manifest_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        manifest.stored_meta(tmp_path / "figures.json")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        manifest.stored_meta(tmp_path / "folder.json")


# -- unfinished work --------------------------------------------------------------------------------


def test_pieces_belong_to_one_key(tmp_path: Path) -> None:
    one, other = target(tmp_path), target(tmp_path, {"another": "material"})
    assert cache.partial_folder(tmp_path, one) != cache.partial_folder(tmp_path, other)
    assert cache.partial_folder(tmp_path, one) == cache.partial_folder(tmp_path, target(tmp_path))


def test_dropping_pieces_takes_superseded_ones_and_leftovers_but_nobody_elses(tmp_path: Path) -> None:
    mine, old = target(tmp_path), target(tmp_path, {"old": "material"})
    longer = Target("fit", "films-2", tmp_path / "fit" / "films-2.npz", {})
    other = Target("collect", "films", tmp_path / "collect" / "films.npz", {})
    for made in (mine, old, longer, other):
        cache.partial_folder(tmp_path, made).mkdir(parents=True)
    mine.path.parent.mkdir(parents=True)
    for name in (".films.npz.tmp-77", ".films-2.npz.tmp-77"):
        (mine.path.parent / name).touch()
    cache.drop_partials(tmp_path, mine)
    left = {path.name for path in (tmp_path / ".partial").iterdir()}
    assert left == {cache.partial_folder(tmp_path, made).name for made in (longer, other)}
    assert list(mine.path.parent.iterdir()) == []
    cache.drop_partials(tmp_path, longer)
    cache.drop_partials(tmp_path, other)
    assert not (tmp_path / ".partial").exists()


# -- the lock ---------------------------------------------------------------------------------------


def test_a_folder_is_for_one_process_and_free_when_that_one_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ServiceError) as caught, cache.lock(folder):
        pass
    assert caught.value.message == f"Another glasso is working in {folder}."
    holder.kill()
    holder.communicate()
    with cache.lock(folder):
        assert folder.is_dir()
    with cache.lock(folder):
        pass


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(ServiceError, match="a file stands where a folder is needed"), cache.lock(tmp_path / "out"):
        pass


# -- pieces and the inputs that they were made from -----------------------------------------------------


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[Path, State]]:
    """The folder of pieces that machine `one` began, with a piece, and the states of its inputs."""
    monkeypatch.setattr(platform, "node", lambda: "one")
    text, pieces = tmp_path / "text", tmp_path / ".partial" / "collect-films-0123456789abcdef"
    text.write_text("a")
    states = {text: state_of(text)}
    assert not cache.keep_pieces_of(states, pieces)
    pieces.mkdir()
    (pieces / "block").touch()
    return pieces, states


def changed(states: dict[Path, State]) -> dict[Path, State]:
    return {path: (*state[:3], state[3] + 1) for path, state in states.items()}


def test_pieces_stay_while_their_inputs_do(begun: tuple[Path, dict[Path, State]]) -> None:
    pieces, states = begun
    assert not cache.keep_pieces_of(states, pieces)
    assert (pieces / "block").exists()
    assert cache.keep_pieces_of(changed(states), pieces)
    assert not pieces.exists()


def test_another_machine_sees_files_in_another_state(
    begun: tuple[Path, dict[Path, State]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces, states = begun
    monkeypatch.setattr(platform, "node", lambda: "two.cluster")
    assert not cache.keep_pieces_of(changed(states), pieces)
    assert (pieces / "block").exists()
    assert cache.keep_pieces_of(states, pieces)  # changed since this machine looked first
    assert not pieces.exists()


def test_a_part_refuses_inputs_that_changed_and_drops_nothing(
    begun: tuple[Path, dict[Path, State]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces, states = begun
    cache.refuse_changed_inputs(states, pieces)
    with pytest.raises(InputError, match="was written since the pilot was made"):
        cache.refuse_changed_inputs(changed(states), pieces)
    monkeypatch.setattr(platform, "node", lambda: "two")
    cache.refuse_changed_inputs(changed(states), pieces)
    assert (pieces / "block").exists()


def test_the_records_of_all_machines_go_with_the_pieces(
    begun: tuple[Path, dict[Path, State]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces, states = begun
    monkeypatch.setattr(platform, "node", lambda: "two")
    cache.refuse_changed_inputs(states, pieces)
    other = tmp_path / ".partial" / "collect-films-2-0123456789abcdef@one.inputs.json"
    other.touch()
    target = cache.Target("collect", "films", tmp_path / "collect" / "films.npz", {})
    cache.drop_partials(tmp_path, target)
    assert list((tmp_path / ".partial").iterdir()) == [other]
