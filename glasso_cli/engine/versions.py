"""The packages that decide numbers: processes that work on one artifact must have the same versions of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import glasso_cli
from glasso_cli.engine.machine import processor
from glasso_cli.errors import ConfigError

if TYPE_CHECKING:
    import torch

_PACKAGES = ("torch", "transformers")


@cache
def versions() -> dict[str, str]:
    """The versions of glasso, torch and transformers, as far as they are installed; none of them is imported."""
    found = {"glasso": glasso_cli.__version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def made_by(device: torch.device) -> dict[str, str]:
    """What a piece records of the process that made it: :func:`versions`, and the kind of processor."""
    if device.type == "cuda":
        import torch

        kind = torch.cuda.get_device_name(device)
    else:
        kind = processor()
    return {**versions(), "processor": kind}


def refuse_other_versions(what: str, other: Mapping[str, str]) -> None:
    """Raise :class:`ConfigError` where ``what`` has ``other`` versions than this process; more keys do not matter."""
    for package, own in versions().items():
        if other.get(package) != own:
            raise ConfigError(
                f"{what} has {package} {other.get(package, 'of an unknown version')}, and this process has {own}.",
                "Use one environment everywhere; after an upgrade, begin again with --force.",
            )
