"""What identifies a dictionary: the content of its files, and what only its path says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries.registry import FORMATS
from glasso_cli.models.dictionaries.source import dictionary_digest, dictionary_folder, pin_dictionary

Arrays = dict[str, np.ndarray]
Folder = Callable[..., Path]


def test_a_folder_and_its_file_of_weights_are_the_same(saelens: Callable[..., tuple[Path, Arrays]]) -> None:
    path, _ = saelens()
    assert dictionary_folder(path / "sae_weights.safetensors") == dictionary_folder(path) == path
    assert dictionary_digest(path / "sae_weights.safetensors") == dictionary_digest(path)


@pytest.mark.parametrize("name", FORMATS)
def test_every_file_that_is_read_is_in_the_digest_and_no_other(name: str, tmp_path: Path) -> None:
    files = [FORMATS[name].weights, *FORMATS[name].others, *FORMATS[name].claims]
    for file in files:
        (tmp_path / file).write_text("as it was")
    before = dictionary_digest(tmp_path)
    (tmp_path / "README.md").write_text("of no account")
    assert dictionary_digest(tmp_path) == before
    for file in files:
        (tmp_path / file).write_text("as it is")
        after = dictionary_digest(tmp_path)
        assert after != before
        before = after


@pytest.mark.parametrize(
    ("place", "file", "named"),
    [
        ("gemma-scope-2b-pt-res/layer_20/width_16k", "params.npz", "blocks.20.hook_resid_post"),
        ("somewhere", "params.npz", None),
        ("layers.9.mlp", "sae.safetensors", "layers.9.mlp"),
        ("somewhere", "sae.safetensors", None),
    ],
)
def test_what_only_the_path_says_counts_unless_it_is_given(
    folder: Folder, place: str, file: str, named: str | None
) -> None:
    path = folder(("cfg.json", {}), file, {"W_enc": np.zeros((2, 3), np.float32)}, place)
    assert pin_dictionary(path, None).get("named") == named
    assert pin_dictionary(path, "resid.1") == {"sha256": dictionary_digest(path)}


@pytest.mark.parametrize(
    ("place", "file", "settings", "named"),
    [
        ("gemma-scope-2b-pt-transcoders/layer_20/width_16k", "params.npz", {}, "blocks.20.hook_mlp_out"),
        ("layers.9.mlp", "sae.safetensors", {"transcode": True}, "layers.9.mlp"),
        ("layers.9.mlp", "sae.safetensors", {"transcode": False}, None),
    ],
)
def test_what_a_transcoder_predicts_is_given_by_itself(
    folder: Folder, place: str, file: str, settings: dict[str, bool], named: str | None
) -> None:
    path = folder(("cfg.json", settings), file, {"W_enc": np.zeros((2, 3), np.float32)}, place)
    assert pin_dictionary(path, "resid.1").get("named") == named
    assert pin_dictionary(path, "resid.1", "resid.2") == {"sha256": dictionary_digest(path)}


@pytest.mark.parametrize("name", ["nowhere", "notes.txt"])
def test_what_is_no_dictionary_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(InputError, match=r"no dictionary|no file of weights"):
        dictionary_folder(tmp_path / name)
