"""How a command ends: one clear message and the right exit code, whatever went wrong."""

from __future__ import annotations

import errno
import functools
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from glasso_cli.cli import interrupts
from glasso_cli.cli.streams import abandon_stdout
from glasso_cli.console import Console
from glasso_cli.errors import GlassoError, ServiceError, extras_needed
from glasso_cli.files import system_error


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Return ``command`` with exceptions turned into one clear message and the right exit code."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        debug = bool(kwargs.get("debug"))
        try:
            with extras_needed(), refused_by_the_system():
                command(*args, **kwargs)
                interrupts.check()
                sys.stdout.flush()
        except GlassoError as error:
            _end_where_interrupted()
            if debug:
                traceback.print_exc()
            Console().error(error.message, error.hint)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            Console().error("Interrupted.", "Run the same command to continue; finished work is kept.")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            abandon_stdout()  # its reader has gone (`glasso … | head`)
            raise typer.Exit(128 + signal.SIGPIPE) from None
        except Exception as error:
            _end_where_interrupted()
            _report_bug(error, debug)
            raise typer.Exit(1) from None

    return run


def _end_where_interrupted() -> None:
    """Exit as after a signal, if the error at hand is only what a library made of it."""
    try:
        interrupts.check()
    except KeyboardInterrupt:
        Console().error("Interrupted.", "Run the same command to continue; finished work is kept.")
        raise typer.Exit(130) from None


@contextmanager
def refused_by_the_system() -> Iterator[None]:
    """Turn an error of the operating system, wherever it comes from, into what the system said and what to do."""
    try:
        yield
    except BrokenPipeError:
        raise
    except MemoryError as error:
        raise ServiceError(
            "There is not enough memory.",
            "Free some, or give fewer neurons, texts or processes; finished work is kept.",
        ) from error
    except OSError as error:
        if error.errno is None:
            raise
        if error.filename is None and error.errno in (errno.ENOSPC, errno.EBADF, errno.EIO, errno.EFBIG):
            abandon_stdout()
        raise system_error(error) from error


def _report_bug(error: Exception, debug: bool) -> None:
    from glasso_cli.cli.crash import write_report

    where = write_report(error)
    if debug:
        traceback.print_exc()
    Console().error(
        f"This is a bug in glasso: {type(error).__name__}: {error}",
        f"Please report it with the traceback in {where}, or run again with --debug to see it here.",
    )
