"""Weights come from files of tensors alone, and fit by name and shape."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from glasso_cli.errors import InputError
from glasso_cli.models.modules.weights import load_state, read_state, weights_file


def linear(seed: int = 0) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(3, 2)


def save(kind: str, path: Path, state: dict[str, Any]) -> Path:
    path = path / f"weights{kind}"
    if kind == ".safetensors":
        save_file(state, path)
    elif kind == ".npz":
        np.savez(path, **{name: tensor.numpy() for name, tensor in state.items()})
    else:
        torch.save({"epoch": 3, "state_dict": state} if kind == ".ckpt" else state, path)
    return path


@pytest.mark.parametrize("kind", [".safetensors", ".npz", ".pth", ".ckpt"])
def test_every_kind_of_file_gives_the_same_weights(kind: str, tmp_path: Path) -> None:
    module, other = linear(1), linear(2)
    load_state(other, save(kind, tmp_path, module.state_dict()))
    torch.testing.assert_close(other.weight, module.weight)


class Harmful:
    def __reduce__(self) -> Any:
        return (print, ("run",))


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "harmful.pth"
    path.write_bytes(pickle.dumps({"weight": Harmful()}))
    with pytest.raises(InputError, match="cannot be read as tensors alone"):
        read_state(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: {"weight": state["weight"]}, "lacks 'bias'"),
        (lambda state: {**state, "more": state["bias"].clone()}, "has 'more', which the module lacks"),
        (lambda state: {**state, "weight": state["weight"][:1]}, "size mismatch for weight"),
    ],
)
def test_weights_of_another_network_are_refused(change: Any, words: str, tmp_path: Path) -> None:
    path = save(".safetensors", tmp_path, change(linear().state_dict()))
    with pytest.raises(InputError, match=words):
        load_state(linear(), path)


@pytest.mark.parametrize(
    ("name", "words"),
    [("none.safetensors", "no file none.safetensors"), ("no_such_package:x.npz", "package 'no_such_package' is not")],
)
def test_a_file_that_is_not_there_is_one_sentence(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        weights_file(name)


def test_a_file_in_a_package_is_found() -> None:
    assert weights_file("glasso_cli:py.typed").name == "py.typed"


@pytest.mark.parametrize("name", ["a.txt", "damaged.safetensors", "damaged.npz", "damaged.pth"])
def test_what_is_no_file_of_weights_is_one_sentence(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"something else")
    with pytest.raises(InputError, match=r"^model\.weights"):
        read_state(path)
