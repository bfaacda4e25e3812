"""Python code that a configuration names as ``package.module:name``: found without running it, then imported.

Importing runs code, so that only the functions below do it, for a configuration that says ``model.trust: import``.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glasso_cli.digests import file_digests, folder_digest
from glasso_cli.errors import GlassoError, InputError


def load_name(name: str, key: str) -> Any:
    """The object that ``package.module:name`` stands for; ``key`` of the configuration gave it.

    The working directory is searched after the installed packages. Raises :class:`InputError` for a module that is not
    there or fails, and for a name that it lacks.
    """
    path, _, attribute = name.partition(":")
    source_file(name, key)
    with _working_directory(), errors_of_code(name, key):
        module = importlib.import_module(path)
    if not hasattr(module, attribute):
        own = (item for item, value in vars(module).items() if getattr(value, "__module__", path) == path)
        public = ", ".join(sorted(item for item in own if not item.startswith("_"))[:10])
        raise InputError(f"{key} names '{name}', but {path} has no '{attribute}'.", f"It has: {public or 'nothing'}.")
    return getattr(module, attribute)


def source_file(name: str, key: str) -> Path:
    """The file of ``package.module`` in ``package.module:name``, found without importing anything."""
    first, *rest = name.partition(":")[0].split(".")
    folders = _places(first)
    for place, part in enumerate([first, *rest]):
        last = place == len(rest)
        found = next((file for folder in folders for file in _candidates(folder, part) if file.is_file()), None)
        if found is None and not last:
            folders = [folder / part for folder in folders if (folder / part).is_dir()]
            continue
        if found is None:
            break
        if last:
            return found
        folders = [found.parent] if found.name == "__init__.py" else []
    raise InputError(
        f"{key} names '{name}', but there is no Python module '{name.partition(':')[0]}'.",
        "Install its package, or run glasso in the folder that holds it.",
    )


def code_digest(name: str, key: str) -> str:
    """SHA-256 of the code behind ``package.module:name``: its file, or all Python files of its package.

    Code of glasso itself counts by its file alone.
    """
    file = source_file(name, key)
    top = name.partition(":")[0].split(".")[0]
    package = next((parent for parent in file.parents if parent.name == top), None)
    if top == "glasso_cli" or package is None:
        return file_digests([file])[0]
    return folder_digest(package, ["**/*.py"])


@contextmanager
def errors_of_code(name: str, key: str) -> Iterator[None]:
    """Turn what the code behind ``name`` raises into :class:`InputError`."""
    try:
        yield
    except (GlassoError, KeyboardInterrupt):
        raise
    except (MemoryError, SystemExit, Exception) as error:  # code of others, which can raise anything
        said = " ".join(str(error).split())[:300]
        raise InputError(
            f"{key}: '{name}' fails: {type(error).__name__}: {said}", "Check this code and the arguments that it gets."
        ) from error


def _places(top: str) -> list[Path]:
    """The folders that may hold the module or package ``top``."""
    try:
        spec = importlib.util.find_spec(top)  # of a name without dots: imports nothing
    except (ImportError, ValueError):
        spec = None
    if spec is not None and spec.submodule_search_locations:
        return [Path(place).parent for place in spec.submodule_search_locations]
    if spec is not None and spec.origin:
        return [Path(spec.origin).parent]
    return [Path.cwd()]


def _candidates(folder: Path, part: str) -> list[Path]:
    return [folder / part / "__init__.py", folder / f"{part}.py"]


@contextmanager
def _working_directory() -> Iterator[None]:
    here = str(Path.cwd())
    if here in sys.path:
        yield
        return
    sys.path.append(here)
    try:
        yield
    finally:
        sys.path.remove(here)
