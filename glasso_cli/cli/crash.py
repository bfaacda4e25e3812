"""Write the traceback of a bug to a file, without local variables, which may hold keys."""

from __future__ import annotations

import os
import platform
import tempfile
import traceback
from pathlib import Path

import glasso_cli


def write_report(error: BaseException) -> Path:
    """Write the traceback of ``error`` to a temporary file and return its path."""
    lines = [f"glasso {glasso_cli.__version__}, python {platform.python_version()}\n\n"]
    lines += traceback.format_exception(type(error), error, error.__traceback__)
    handle, name = tempfile.mkstemp(prefix="glasso-bug-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(lines)
    return Path(name)
