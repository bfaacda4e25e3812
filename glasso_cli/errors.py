"""Errors a user can fix, each with the exit code of the process it ends.

::

    GlassoError            exit 2
    ├── ConfigError        exit 2   the YAML file, an override, or the command line
    ├── InputError         exit 2   a text, model, array or artifact that cannot be used
    │   └── ForeignFileError  exit 2   a file that glasso did not write
    ├── UpstreamError      exit 3   an artifact that an earlier stage should have written
    ├── ServiceError       exit 4   the hub, an API or the disk failed
    └── BelowBar           exit 5   the work is done and saved, below what was asked

A message is one sentence of what was wrong with the value; ``hint`` is one of what to do.
"""

from __future__ import annotations


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


GIVE_AN_ARTIFACT = "Give an .npz, .dot or figures.json file that glasso wrote."  # what to do about a foreign file


class UpstreamError(GlassoError):
    """An artifact of an earlier stage is missing or stale."""

    exit_code = 3


class ServiceError(GlassoError):
    """A model hub, an API or the disk did not do its part."""

    exit_code = 4


class BelowBar(GlassoError):  # noqa: N818 - the work is done
    """The stage finished and saved its work, but below what the configuration asks for."""

    exit_code = 5
