"""Loading: what comes out for sound models, and one sentence for everything else."""

from __future__ import annotations

import importlib.util
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from glasso_cli.errors import InputError, ServiceError
from glasso_cli.models.load import choose_device, load_model, quiet_transformers
from glasso_cli.models.loaded import LoadedModel


@pytest.fixture
def copied(model_dir: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a tiny model's folder that a test may break."""
    return lambda name: Path(shutil.copytree(model_dir(name), tmp_path / name))


def edit_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refusal(folder: Path, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        load_model(str(folder), **options)
    assert "\n" not in caught.value.message + caught.value.hint
    return caught.value


# -- what comes out -------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_loaded_model_is_ready_to_be_read(family: LoadedModel) -> None:
    assert not family.model.training
    assert not any(parameter.requires_grad for parameter in family.model.parameters())
    assert {p.dtype for p in family.model.parameters()} == {torch.float32}
    assert (family.dtype, family.n_layers, family.notes) == ("float32", 3, ())
    assert family.device == family.model.get_input_embeddings().weight.device
    assert family.kind == ("masked" if family.model.config.model_type == "bert" else "causal")


def test_weights_are_those_of_the_file(loaded: Callable[[str], LoadedModel], model_dir: Callable[[str], Path]) -> None:
    from safetensors.torch import load_file

    written = load_file(model_dir("llama") / "model.safetensors")
    state = loaded("llama").model.state_dict()
    assert written
    assert all(torch.equal(state[name], tensor) for name, tensor in written.items())


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_dtype_is_what_was_asked_for(model_dir: Callable[[str], Path], dtype: str) -> None:
    loaded = load_model(str(model_dir("llama")), dtype=dtype)
    assert loaded.dtype == dtype
    assert loaded.model.model.layers[0].mlp.down_proj.weight.dtype == getattr(torch, dtype)


def test_auto_is_float32_even_for_a_bfloat16_checkpoint(copied: Callable[[str], Path]) -> None:
    folder = copied("llama")
    load_model(str(folder)).model.bfloat16().save_pretrained(folder)
    loaded = load_model(str(folder))
    assert loaded.dtype == "float32"
    assert loaded.model.dtype == torch.float32


def test_only_the_text_part_of_a_vision_model_is_said_to_be_used(loaded: Callable[[str], LoadedModel]) -> None:
    assert "only the text part" in loaded("gemma3_vision").notes[0]


def test_a_checkpoint_without_its_head_is_noted(copied: Callable[[str], Path]) -> None:
    from transformers import AutoModel

    folder = copied("bert")
    AutoModel.from_pretrained(folder).save_pretrained(folder)
    loaded = load_model(str(folder))
    assert loaded.kind == "masked"
    assert "no language-model head" in loaded.notes[0]


def test_device_map_auto_loads_and_passes_the_canary(model_dir: Callable[[str], Path]) -> None:
    loaded = load_model(str(model_dir("llama")), device_map="auto", device="cpu")
    assert loaded.n_layers == 3


def test_loading_is_silent_and_leaves_loggers_as_they_were(
    model_dir: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    from huggingface_hub import utils as hub
    from transformers.utils import logging as transformers_logging

    def state() -> tuple[Any, ...]:
        return (
            transformers_logging.get_verbosity(),
            transformers_logging.is_progress_bar_enabled(),
            hub.logging.get_verbosity(),
            hub.are_progress_bars_disabled(),
        )

    before, folder = state(), str(model_dir("gpt2"))
    capfd.readouterr()  # of saving the model
    load_model(folder)
    assert capfd.readouterr() == ("", "")
    with pytest.raises(ZeroDivisionError), quiet_transformers():
        assert state() == (logging.ERROR, False, logging.ERROR, True)
        raise ZeroDivisionError
    assert state() == before


# -- devices and options --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_gpus", "asked", "chosen"),
    [
        (0, "auto", "cpu"),
        (0, "cpu", "cpu"),
        (2, "auto", "cuda:0"),
        (2, "cuda", "cuda"),
        (2, "cuda:1", "cuda:1"),
        (2, "cpu", "cpu"),
    ],
)
def test_devices(monkeypatch: pytest.MonkeyPatch, n_gpus: int, asked: str, chosen: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n_gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    assert choose_device(asked) == torch.device(chosen)


@pytest.mark.parametrize(
    ("n_gpus", "asked", "says"),
    [
        (0, "cuda", "sees no GPU"),
        (0, "cuda:0", "sees no GPU"),
        (1, "cuda:1", "sees 1 GPU."),
        (2, "cuda:7", "sees 2 GPUs"),
        (0, "gpu", "not known"),
        (0, "mps", "not known"),
    ],
)
def test_devices_that_are_not_there(monkeypatch: pytest.MonkeyPatch, n_gpus: int, asked: str, says: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n_gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    with pytest.raises(InputError, match=f"'{asked}'.*{says}"):
        choose_device(asked)


def test_a_model_too_large_for_the_gpu_is_a_sentence(
    model_dir: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(ServiceError, match="does not fit"):
        load_model(str(model_dir("llama")))


def test_device_map_without_accelerate_is_a_sentence(
    model_dir: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "accelerate" else find_spec(name))
    assert "accelerate" in refusal(model_dir("llama"), device_map="auto").message


@pytest.mark.parametrize("options", [{"dtype": "int8"}, {"trust": ("everything",)}])
def test_unknown_options(model_dir: Callable[[str], Path], options: dict[str, Any]) -> None:
    (value,) = options.values()
    assert str(value[0] if isinstance(value, tuple) else value) in refusal(model_dir("llama"), **options).message


# -- folders that cannot be used ------------------------------------------------------------------


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nowhere").message


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"")
    assert "is a file" in refusal(path).message


def test_a_folder_without_config(copied: Callable[[str], Path]) -> None:
    folder = copied("llama")
    (folder / "config.json").unlink()
    assert "no config.json" in refusal(folder).message


def test_a_folder_of_adapters(copied: Callable[[str], Path]) -> None:
    folder = copied("llama")
    (folder / "config.json").rename(folder / "adapter_config.json")
    error = refusal(folder)
    assert "adapters" in error.message
    assert "Merge" in error.hint


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"model_type": 3}'])
def test_a_config_that_is_none(copied: Callable[[str], Path], text: str) -> None:
    folder = copied("llama")
    (folder / "config.json").write_text(text)
    message = refusal(folder).message
    assert "not valid JSON" in message or "names no model_type" in message


def test_an_unknown_architecture(copied: Callable[[str], Path]) -> None:
    folder = copied("llama")
    edit_json(folder / "config.json", model_type="hyperllama")
    error = refusal(folder)
    assert "does not know the architecture" in error.message
    assert "Upgrade transformers" in error.hint


def test_code_from_the_repository_needs_trust(copied: Callable[[str], Path]) -> None:
    folder = copied("llama")
    auto_map = {"AutoConfig": "configuration_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.OwnModel"}
    edit_json(folder / "config.json", model_type="own", auto_map=auto_map)
    error = refusal(folder)
    assert "needs Python code" in error.message
    assert "remote_code" in error.hint


def test_code_from_the_repository_runs_with_trust(copied: Callable[[str], Path]) -> None:
    folder = copied("llama")
    (folder / "modeling_own.py").write_text(
        "from transformers import LlamaConfig, LlamaForCausalLM\n\n\n"
        "class OwnConfig(LlamaConfig):\n    model_type = 'own'\n\n\n"
        "class OwnModel(LlamaForCausalLM):\n    config_class = OwnConfig\n"
    )
    auto_map = {"AutoConfig": "modeling_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.OwnModel"}
    edit_json(folder / "config.json", model_type="own", auto_map=auto_map, architectures=["OwnModel"])
    loaded = load_model(str(folder), trust=("remote_code",))
    assert (type(loaded.model).__name__, loaded.kind) == ("OwnModel", "causal")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"model_type": "whisper", "d_model": 16, "encoder_layers": 1}, "whose encoder does not read text"),
        ({"model_type": "vit"}, "'vit' model"),
        ({"model_type": "llama", "quantization_config": {"quant_method": "gptq", "bits": 4}}, "quantised"),
    ],
)
def test_models_of_another_kind(copied: Callable[[str], Path], config: dict[str, Any], says: str) -> None:
    folder = copied("llama")
    (folder / "config.json").write_text(json.dumps(config))
    assert says in refusal(folder).message


@pytest.mark.parametrize("keep", [0, 5, 100, -1, -1000])
def test_weights_cut_short(copied: Callable[[str], Path], keep: int) -> None:
    path = copied("llama") / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    error = refusal(path.parent)
    assert "model.safetensors is cut short" in error.message


def test_weights_that_were_never_pulled(copied: Callable[[str], Path]) -> None:
    path = copied("llama") / "model.safetensors"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert "Git LFS pointer" in refusal(path.parent).message


def test_a_shard_that_is_missing(copied: Callable[[str], Path]) -> None:
    folder = copied("llama")
    load_model(str(folder)).model.save_pretrained(folder, max_shard_size="20KB")
    (folder / "model.safetensors").unlink(missing_ok=True)
    shards = sorted(folder.glob("model-*.safetensors"))
    assert load_model(str(folder)).n_layers == 3
    shards[1].unlink()
    assert f"lacks 1 of its {len(shards)} weight files, such as {shards[1].name}" in refusal(folder).message


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"weight_map": 1}'])
def test_a_damaged_list_of_shards(copied: Callable[[str], Path], text: str) -> None:
    folder = copied("llama")
    (folder / "model.safetensors.index.json").write_text(text)
    assert "model.safetensors.index.json) is damaged" in refusal(folder).message


def test_weights_that_are_missing_are_not_made_up(copied: Callable[[str], Path]) -> None:
    from safetensors.torch import load_file, save_file

    path = copied("llama") / "model.safetensors"
    weights = load_file(path)
    del weights["model.layers.1.mlp.down_proj.weight"]
    save_file(weights, path, metadata={"format": "pt"})
    error = refusal(path.parent)
    assert "lacks 1 of the weights" in error.message
    assert "model.layers.1.mlp.down_proj.weight" in error.message


def test_weights_of_another_size(copied: Callable[[str], Path]) -> None:
    folder = copied("llama")
    edit_json(folder / "config.json", intermediate_size=40)
    error = refusal(folder)
    assert "do not fit its config.json: 'model.layers.0.mlp.down_proj.weight'" in error.message


def test_a_pickled_checkpoint_needs_trust(copied: Callable[[str], Path]) -> None:
    from safetensors.torch import load_file

    folder = copied("llama")
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()
    error = refusal(folder)
    assert "only a pickled checkpoint (pytorch_model.bin)" in error.message
    assert "model.trust: pickle" in error.hint
    assert load_model(str(folder), trust=("pickle",)).n_layers == 3


def test_no_weights_at_all(copied: Callable[[str], Path]) -> None:
    folder = copied("llama")
    (folder / "model.safetensors").unlink()
    assert "no safetensors weights." in refusal(folder).message
    assert "without weights" in refusal(folder, trust=("pickle",)).message


def test_no_tokenizer(copied: Callable[[str], Path]) -> None:
    folder = copied("llama")
    for path in folder.glob("*token*"):
        path.unlink()
    assert "without a tokenizer" in refusal(folder).message


def test_a_damaged_tokenizer(copied: Callable[[str], Path]) -> None:
    folder = copied("llama")
    (folder / "tokenizer.json").write_text('{"version": "1.0"')
    assert "tokenizer" in refusal(folder).message


def test_a_tokenizer_of_another_model(copied: Callable[[str], Path], make_tokenizer: Callable[..., Any]) -> None:
    folder = copied("llama")
    make_tokenizer([f"<{i}>" for i in range(100)]).save_pretrained(folder)
    assert "but the model embeds 64" in refusal(folder).message


def test_a_revision_of_a_folder(model_dir: Callable[[str], Path]) -> None:
    assert "no revisions" in refusal(model_dir("llama"), revision="main").message
