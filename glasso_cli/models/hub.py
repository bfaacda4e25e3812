"""What pins a model or dataset, a commit or digests of local files, and the hub's errors in sentences.

Nothing here imports torch, transformers or datasets, so that ``glasso plan`` answers at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from glasso_cli.errors import GlassoError, InputError, ServiceError

Kind = Literal["model", "dataset"]
COMMIT = re.compile(r"[0-9a-f]{40}")
_TIMEOUT = 20.0  # seconds
_HUB = "https://huggingface.co"
_INSTEAD = {
    "model": "give a local folder, or a builtin model (`glasso schema model` lists them)",
    "dataset": "give local files",
}


# -- commits --------------------------------------------------------------------------------------


def model_commit(name: str, revision: str | None = None) -> str:
    """The commit of a model on the hub at a branch, a tag or (None) its main branch.

    A revision that is a commit is taken at its word, without network. If the hub is
    unreachable, the commit recorded in the local cache is used. Raises :class:`InputError` for what is not there and
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
