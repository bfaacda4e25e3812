"""What pins a model or dataset, a commit or digests of local files, and the hub's errors in sentences.

Nothing here imports torch, transformers or datasets, so that ``glasso plan`` answers at once.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from glasso_cli.builtin_models import builtin_ids, user_cache
from glasso_cli.errors import GlassoError, InputError, ServiceError
from glasso_cli.files import atomic_write, sha256_of

Kind = Literal["model", "dataset"]
COMMIT = re.compile(r"[0-9a-f]{40}")
RACY_SECONDS = 2.0
_TIMEOUT = 20.0  # seconds
_HUB = "https://huggingface.co"
_INSTEAD = {
    "model": f"give a local folder or a builtin model ({builtin_ids()})",
    "dataset": "give local files",
}


# -- commits --------------------------------------------------------------------------------------


def model_commit(name: str, revision: str | None = None) -> str:
    """The commit of a model on the hub at a branch, a tag or (None) its main branch.

    A revision that is a commit is taken at its word, without network. A hub that does not answer is
    replaced by what the local cache knows of it. Raises :class:`InputError` for what is not there and
    :class:`ServiceError` for a hub that cannot be reached.
    """
    return _commit("model", name, revision)


def dataset_commit(name: str, revision: str | None = None) -> str:
    """The commit of a dataset on the hub; as :func:`model_commit`."""
    return _commit("dataset", name, revision)


def _commit(kind: Kind, name: str, revision: str | None) -> str:
    if revision is not None and COMMIT.fullmatch(revision):
        return revision
    try:
        with hub_errors(kind, name, revision):
            return _asked_commit(kind, name, revision)
    except ServiceError:  # no network, told not to use it, or the hub is down
        if commit := _cached_commit(kind, name, revision or "main"):
            return commit
        raise


def _asked_commit(kind: Kind, name: str, revision: str | None) -> str:
    from huggingface_hub import HfApi

    api = HfApi()
    ask: Callable[..., Any] = api.model_info if kind == "model" else api.dataset_info
    return str(ask(name, revision=revision, timeout=_TIMEOUT).sha)


def _cached_commit(kind: Kind, name: str, revision: str) -> str | None:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type=kind)
    reference = folder / "refs" / revision
    return reference.read_text().strip() if reference.is_file() else None


# -- errors ---------------------------------------------------------------------------------------


@contextmanager
def hub_errors(kind: Kind, name: str, revision: str | None) -> Iterator[None]:
    """Turn what the hub and the network say into one sentence and one advice. Tokens are never shown."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise gated(kind, name) from error
    except errors.RevisionNotFoundError as error:
        raise InputError(
            f"The {kind} '{name}' has no revision '{revision}'.",
            "Use a branch, a tag or a commit of its repository, or null for the main branch.",
        ) from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise not_found(kind, name) from error
    except (errors.HTTPError, OSError) as error:
        if getattr(error, "errno", None) is not None:  # of the disk, not of the hub
            raise
        raise _refused(kind, name, error) from error


def _refused(kind: Kind, name: str, error: Exception) -> GlassoError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 401:
        return InputError(
            f"The hub does not accept the token in use (asked for the {kind} '{name}').",
            "Set HF_TOKEN in the environment or .env to a valid token, or unset it for what is public.",
        )
    if status == 403:
        return gated(kind, name)
    return unreachable(kind, name, status)


def gated(kind: Kind, name: str) -> InputError:
    """The error for a repository whose terms the user has yet to accept."""
    from huggingface_hub import get_token

    page = f"{_HUB}/{'datasets/' if kind == 'dataset' else ''}{name}"
    if get_token() is None:
        return InputError(
            f"The {kind} '{name}' is gated and no token is set.",
            f"Accept its terms at {page} and set HF_TOKEN in the environment or .env.",
        )
    return InputError(
        f"The {kind} '{name}' is gated and the token in use has no access to it.",
        f"Accept its terms at {page} with the account of the token, and let it read gated repositories.",
    )


def not_found(kind: Kind, name: str) -> InputError:
    """The error for a name that is neither on the hub nor a folder here."""
    from huggingface_hub import get_token

    private = (
        "a private one needs HF_TOKEN, which is not set"
        if get_token() is None
        else "a private one needs a token of an account that sees it"
    )
    return InputError(
        f"There is no {kind} '{name}' on the hub, and no folder of that name here.",
        f"Check the spelling; {private}.",
    )


def unreachable(kind: Kind, name: str, status: int | None = None) -> ServiceError:
    """The error for a hub that does not answer, or must not be asked, when the cache does not do."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return ServiceError(
            f"The {kind} '{name}' is not complete in the local cache, and HF_HUB_OFFLINE forbids downloading it.",
            f"Unset HF_HUB_OFFLINE, or {_INSTEAD[kind]}.",
        )
    answer = f"answered with status {status}" if status else "cannot be reached"
    return ServiceError(
        f"The hub {answer}, and the {kind} '{name}' is not complete in the local cache.",
        f"Try again later, or {_INSTEAD[kind]}.",
    )


# -- local files ----------------------------------------------------------------------------------


def folder_digest(folder: Path, patterns: Iterable[str], cache: Path | None = None) -> str:
    """One SHA-256 over relative names and contents of the files below ``folder`` that match ``patterns``.

    Hidden files and folders do not count: downloads and version control keep their notes there.
    """
    found = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    named = sorted((path.relative_to(folder).as_posix(), path) for path in found)
    seen = [(name, path) for name, path in named if not _hidden(name)]
    digests = file_digests([path for _, path in seen], cache)
    lines = [f"{name}\0{digest}\n" for (name, _), digest in zip(seen, digests, strict=True)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def file_digests(paths: Iterable[Path], cache: Path | None = None) -> list[str]:
    """The SHA-256 of every file, remembered in the user's cache by path, size and time of change."""
    memo_path = (cache or user_cache()) / "file-digests.json"
    memo = _read_memo(memo_path)
    before = dict(memo)
    digests = [_remembered_sha256(path, memo) for path in paths]
    if memo != before:
        _write_memo(memo_path, memo)
    return digests


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


def _read_memo(path: Path) -> dict[str, Any]:
    try:
        memo = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return memo if isinstance(memo, dict) else {}


def _write_memo(path: Path, memo: dict[str, Any]) -> None:
    # it only saves time, and a machine may have no cache to write to
    with suppress(OSError, ServiceError), atomic_write(path, "w") as file:
        json.dump(memo, file)
