"""Keyword arguments as a section of the configuration, checked as strictly as a YAML file."""

from __future__ import annotations

import difflib
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError

from glasso_cli.artifacts import ActivationStats
from glasso_cli.config import CollectSection, Section
from glasso_cli.config.problems import dotted, message
from glasso_cli.errors import ConfigError, InputError

AnySection = TypeVar("AnySection", bound=Section)


def section_of(kind: type[AnySection], name: str, settings: dict[str, Any]) -> AnySection:
    """The section ``kind`` with ``settings``; raises :class:`ConfigError` that lists every problem at once."""
    try:
        return kind.model_validate({key: _plain(value) for key, value in settings.items()})
    except ValidationError as error:
        problems = [f"{dotted((name, *item['loc']))}: {_words(item, kind)}" for item in error.errors()]
        raise ConfigError("; ".join(problems), f"`glasso schema {name}` lists every key with its help.") from None


def collect_section(stats: ActivationStats) -> CollectSection:
    """The section `collect` with which ``stats`` were made; raises :class:`InputError` where these are no neurons."""
    collected = dict(stats.meta["material"]["config"]["collect"])
    if (collected.pop("sae", None) or {}).get("file") is not None:
        raise InputError("The statistics are of latents of a dictionary, not of neurons.", "Collect neurons.")
    return section_of(CollectSection, "collect", collected)


def _words(item: Any, kind: type[Section]) -> str:
    if item["type"] == "extra_forbidden" and len(item["loc"]) == 1:
        near = difflib.get_close_matches(str(item["loc"][0]), kind.model_fields, n=1)
        return (
            f"unknown key; did you mean '{near[0]}'?"
            if near
            else f"unknown; the keys are {', '.join(kind.model_fields)}"
        )
    return message(item)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value
