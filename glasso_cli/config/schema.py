"""The JSON Schema of the configuration, for editors and for ``glasso schema``."""

from __future__ import annotations

import json
from typing import Any

from pydantic import create_model

from glasso_cli.config.experiment import Config
from glasso_cli.errors import ConfigError

_EXTENDS = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    "description": "Files to take values from, relative to this file. Values of this file win over theirs.",
}


def schema_text(section: str | None) -> str:
    """The JSON Schema of the whole configuration, or of one section with everything it refers to."""
    schema = _of_section(section) if section else _of_file()
    return json.dumps(schema, indent=2, ensure_ascii=False)


def _of_file() -> dict[str, Any]:
    schema = Config.model_json_schema()
    schema["properties"]["extends"] = _EXTENDS
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _of_section(section: str) -> dict[str, Any]:
    info = Config.model_fields.get(section)
    if info is None:
        raise ConfigError(f"There is no section '{section}'.", f"The sections are: {', '.join(Config.model_fields)}.")
    fields: dict[str, Any] = {section: (info.annotation, info)}
    schema = create_model("Part", **fields).model_json_schema()
    return {**schema["properties"][section], "$defs": schema.get("$defs", {})}
