"""The section ``synth``: who writes the texts of topics, how many, and what they vary in."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from glasso_cli.config.sections.prices import Price, listed_price
from glasso_cli.config.sections.section import Section, runtime
from glasso_cli.config.sections.values import FilePath, Strings

LOCAL_MODEL = "builtin:smollm2-135m-instruct"
ATTRIBUTES = {
    "genre": (
        "a newspaper report",
        "an encyclopedia entry",
        "a diary entry",
        "a scene from a short story",
        "a letter to a friend",
        "an opinion column",
        "a textbook passage",
        "a speech to a town meeting",
        "an interview answer",
        "a review of a book or a film",
        "practical advice",
        "a historical anecdote",
    ),
    "register": ("plain", "formal", "conversational", "technical", "lyrical"),
    "length": ("60 to 90 words", "90 to 120 words", "120 to 160 words"),
    "point_of_view": ("first person", "third person", "addressed to the reader"),
}


def _attribute_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", value):
        raise ValueError("an attribute's name becomes a key of the output: use letters, digits and '_'")
    return value


AttributeName = Annotated[str, AfterValidator(_attribute_name)]
Values = Annotated[Strings, Field(min_length=1)]


class SynthSection(Section):
    """From topics to texts."""

    provider: Literal["builtin", "openai", "local", "replay"] = Field(
        default="builtin",
        description="builtin takes the passages of the package; openai asks any server that speaks OpenAI's chat "
        "completions; local runs a model here; replay takes answers kept before and asks nobody.",
    )
    model: str | None = Field(
        default=None,
        description=f"For openai the server's name of a model; for local an id as in model.id, null is {LOCAL_MODEL}.",
        min_length=1,
    )
    revision: str | None = Field(
        default=None, description="For local: branch, tag or commit of a model on the hub; null means its main branch."
    )
    base_url: str = Field(
        default="https://api.openai.com/v1", description="For openai: the server, such as http://localhost:8000/v1."
    )
    api_key_env: str | None = runtime(
        None,
        "Environment variable that holds the server's key; null is OPENAI_API_KEY for OpenAI itself and no key for "
        "any other server.",
    )
    examples: int = Field(default=60, description="Texts of each topic.", ge=1, le=100_000)
    attributes: dict[AttributeName, Values] = Field(
        default=ATTRIBUTES,
        description="What the texts vary in, each with its values; these replace the built-in ones.",
    )
    temperature: float = Field(default=0.8, description="Sampling temperature.", ge=0, le=2)
    top_p: float = Field(default=0.95, description="Sample from the likeliest tokens of this total share.", gt=0, le=1)
    max_tokens: int = Field(
        default=320, description="Longest answer; a server's that is cut off is drawn again.", ge=16
    )
    near_duplicate: float = Field(
        default=0.8,
        description="A text that shares at least this much of its 5-character pieces (Jaccard) with one before it is "
        "drawn again.",
        gt=0,
        le=1,
    )
    max_redraws: int = Field(default=6, description="So many more draws for a text that cannot be used.", ge=0, le=100)
    budget_usd: float | None = runtime(
        None, "Most that the answers for one corpus may cost, kept answers included; null is no limit.", gt=0
    )
    price_input: float | None = runtime(
        None, "US dollars for a million tokens of prompts, where the price is not known or not right.", ge=0
    )
    price_output: float | None = runtime(None, "US dollars for a million tokens of answers.", ge=0)
    max_parallel: int = runtime(16, "Most requests in flight at once.", ge=1, le=512)
    retries: int = runtime(6, "Further tries of a request that failed for a passing reason.", ge=0, le=50)
    timeout: float = runtime(120.0, "Seconds to wait for one answer.", gt=0)
    batch: int = runtime(16, "For local: texts written at once.", ge=1, le=4096)
    cache: FilePath | None = runtime(
        None, "Folder of the kept answers; null is the folder synth in the user's cache (GLASSO_CACHE_DIR)."
    )

    @field_validator("base_url")
    @classmethod
    def _server(cls, value: str) -> str:
        # The value is not shown: people paste addresses that hold a password.
        try:
            parts = urlsplit(value)
            port = parts.port
        except ValueError:
            raise ValueError("is not an address; write one such as http://localhost:8000/v1") from None
        if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
            raise ValueError("should be an address that begins with http:// or https://")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError(
                "should be an address without user, password or '?'; a key belongs in .env, see api_key_env"
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return f"{parts.scheme.lower()}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"

    @field_validator("api_key_env")
    @classmethod
    def _variable(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", value):
            raise ValueError("should be the name of an environment variable, never the key itself")
        return value

    @model_validator(mode="after")
    def _affordable(self) -> SynthSection:
        if (self.price_input is None) != (self.price_output is None):
            raise ValueError("price_input and price_output go together; give both")
        if self.provider == "openai" and self.model is None:
            raise ValueError("provider openai needs model, the server's name of one, such as gpt-4.1-mini")
        if self.provider == "openai" and self.budget_usd is not None and self.price is None:
            raise ValueError(
                f"budget_usd needs prices, and those of {self.model} there are not known; "
                "give price_input and price_output"
            )
        return self

    @property
    def price(self) -> Price | None:
        """The price of the server's answers; None where it is not known."""
        if self.price_input is not None and self.price_output is not None:
            return Price(self.price_input, self.price_output)
        return listed_price(self.base_url, self.model or "")
