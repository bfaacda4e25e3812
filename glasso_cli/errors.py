"""Errors a user can fix, each with the exit code of the process it ends.

::

    GlassoError            exit 2
    ├── ConfigError        exit 2   the YAML file, an override, or the command line
    ├── InputError         exit 2   a text, model, array or artifact that cannot be used
    │   ├── ForeignFileError  exit 2   a file that glasso did not write
    │   ├── NoPairsError   exit 2   statistics of sparse latents, where moments of all pairs are needed
    │   └── MissingExtraError  exit 2   a package that comes with an extra is not installed
    ├── UpstreamError      exit 3   an artifact that an earlier stage should have written
    ├── ServiceError       exit 4   the hub, an API or the disk failed
    │   └── DiskError      exit 4   a file cannot be written
    └── BelowBar           exit 5   the work is done and saved, but a target was missed
        └── UnitsFailed    exit 5   a part of the work failed every time, and the rest is saved

A message is one sentence of what was wrong with the value; ``hint`` is one of what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class GlassoError(Exception):
    """What was wrong, with ``hint`` saying what to do and ``exit_code`` for the shell."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(GlassoError):
    """The configuration file, a ``--set`` override or an option is wrong."""


class InputError(GlassoError):
    """A text, a model, an array or an artifact cannot be used."""


class ForeignFileError(InputError):
    """A file that glasso did not write stands where an artifact is expected."""


class NoPairsError(InputError):
    """Statistics hold the values of sparse latents in the place of the moments of all pairs."""


class MissingExtraError(InputError):
    """A package that comes with an extra of glasso is not installed."""


GIVE_AN_ARTIFACT = "Give an .npz, .dot or figures.json file that glasso wrote."  # what to do about a foreign file


class UpstreamError(GlassoError):
    """An artifact of an earlier stage is missing or stale."""

    exit_code = 3


class ServiceError(GlassoError):
    """A model hub, an API or the disk did not do its part."""

    exit_code = 4


class DiskError(ServiceError):
    """A file cannot be written where it should be: the disk is full, say, or the folder is protected."""


class BelowBar(GlassoError):  # noqa: N818 - the work is done
    """The stage finished and saved its work, but missed a target of the configuration."""

    exit_code = 5


class UnitsFailed(BelowBar):
    """Units of a computation failed at every attempt. The others are saved, and the artifact is not made."""


# package → the extra that brings it
_EXTRAS = {
    **dict.fromkeys(("torch", "transformers", "tokenizers", "huggingface_hub", "safetensors"), "models"),
    **dict.fromkeys(("datasets", "pyarrow"), "hub"),
    **dict.fromkeys(("seaborn", "matplotlib", "mpl_toolkits", "networkx", "pydot"), "plots"),
    "openai": "llm",
    "gglasso": "joint",
    "gguf": "builtin",
    **dict.fromkeys(("dask", "distributed", "dask_jobqueue"), "cluster"),
}


def missing_extra(error: ModuleNotFoundError) -> MissingExtraError | None:
    """What to say where ``error`` is about a package that comes with an extra; None for any other."""
    package = (error.name or "").split(".")[0]
    if package not in _EXTRAS:
        return None
    return MissingExtraError(
        f"This needs the package {package}, which is not installed.",
        f"Install it: pip install 'glasso-cli[{_EXTRAS[package]}]'",
    )


@contextmanager
def extras_needed() -> Iterator[None]:
    """Turn the import of a package that is not installed into :class:`MissingExtraError`."""
    try:
        yield
    except ModuleNotFoundError as error:
        known = missing_extra(error)
        if known is None:
            raise
        raise known from error
