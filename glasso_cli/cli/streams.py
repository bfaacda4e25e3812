"""Standard streams that are closed, full, or cannot show a character."""

from __future__ import annotations

import io
import os
import sys


def prepare_streams() -> None:
    """Make the standard streams safe to write to.

    A stream that the caller closed becomes the null device: otherwise the next file opened would take its place, and
    get what is meant for the stream. A terminal that cannot show a character does not stop the work.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for the whole run
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def abandon_stdout() -> None:
    """Send what is left for stdout nowhere, where its reader is gone or it is full; Python flushes it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
