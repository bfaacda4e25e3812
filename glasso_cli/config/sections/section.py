"""The base class of all sections, and which of their fields may enter a cache key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

from glasso_cli.config.sections.values import refuse_unwritable


class Section(BaseModel):
    """A part of the configuration: immutable, strictly typed, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _writable(cls, value: Any) -> Any:
        return refuse_unwritable(value)


def runtime(default: Any, description: str, **constraints: Any) -> Any:
    """A field that changes how a result is computed but not the result; cache keys leave it out."""
    extra: JsonDict = {"runtime": True}
    return Field(default, description=description, json_schema_extra=extra, **constraints)


def public_fields(section: Section) -> dict[str, Any]:
    """The fields of ``section`` that may enter a cache key, as JSON values."""
    fields = type(section).model_fields
    return {name: _plain(getattr(section, name)) for name in fields if not is_runtime(fields[name])}


def is_runtime(field: FieldInfo) -> bool:
    """Whether ``field`` changes only how the work is done, not the result."""
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("runtime"))


def _plain(value: Any) -> Any:
    if isinstance(value, Section):
        return public_fields(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
