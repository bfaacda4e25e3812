"""The section `synth`: who writes the texts on a topic, how many, and how they vary."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from glasso_cli.config.sections.prices import Price, listed_price
from glasso_cli.config.sections.section import Section, runtime
from glasso_cli.config.sections.values import FilePath, PathText, Strings

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
        raise ValueError("the name of an attribute becomes a key of the output; use only letters, digits and '_'")
    return value


AttributeName = Annotated[str, AfterValidator(_attribute_name)]
Values = Annotated[Strings, Field(min_length=1)]


class SynthSection(Section):
    """How texts on topics are written."""

    provider: Literal["builtin", "openai", "local", "replay"] = Field(
        default="builtin",
        description="Who writes the texts. builtin takes the passages of the package; local runs a model on this machine; openai "
        "asks any server that speaks OpenAI's chat completions; replay takes only answers that were kept earlier.",
    )
    model: PathText | None = Field(
        default=None,
        description="For openai: the server's name for the model. For local: an id as in model.id; null means "
        f"{LOCAL_MODEL}.",
        min_length=1,
    )
    revision: str | None = Field(
        default=None, description="For local: branch, tag or commit of a model on the hub; null means the main branch."
    )
    base_url: str = Field(
        default="https://api.openai.com/v1",
        description="For openai: address of the server, such as http://localhost:8000/v1.",
    )
    api_key_env: str | None = runtime(
        None,
        "For openai: name of the environment variable that holds the server's API key. null means OPENAI_API_KEY for "
        "OpenAI itself and no key for any other server.",
    )
    examples: int = Field(default=60, description="Number of texts on each topic.", ge=1, le=100_000)
    attributes: dict[AttributeName, Values] = Field(
        default=ATTRIBUTES,
        description="How the texts vary: names of attributes, each with a list of values. They replace the built-in attributes.",
    )
    temperature: float = Field(
        default=0.8, description="Sampling temperature; 0 always takes the most likely token.", ge=0, le=2
    )
    top_p: float = Field(
        default=0.95, description="Sample from the most likely tokens whose probabilities add up to this.", gt=0, le=1
    )
    max_tokens: int = Field(
        default=320,
        description="Largest number of tokens per answer. A server's answer that reaches it is requested again.",
        ge=16,
        le=1_000_000,
    )
    near_duplicate: float = Field(
        default=0.8,
        description="Reject a text if its similarity to an earlier one is at least this, and request it again. The similarity is "
        "the Jaccard index of the 5-character substrings, from 0 to 1.",
        gt=0,
        le=1,
    )
    max_redraws: int = Field(default=6, description="How often an unusable text is requested again.", ge=0, le=100)
    budget_usd: float | None = runtime(
        None,
        "Largest total cost in US dollars of the answers for one corpus, including kept ones; null means no limit.",
        gt=0,
    )
    price_input: float | None = runtime(
        None, "Price in US dollars per million tokens of prompts; null means the built-in price, if there is one.", ge=0
    )
    price_output: float | None = runtime(
        None, "Price in US dollars per million tokens of answers; null means the built-in price, if there is one.", ge=0
    )
    max_parallel: int = runtime(16, "For openai: largest number of requests open at once.", ge=1, le=512)
    retries: int = runtime(
        6, "For openai: how often a request that failed for a temporary reason is sent again.", ge=0, le=50
    )
    timeout: float = runtime(120.0, "For openai: seconds to wait for one answer.", gt=0, le=86_400)
    batch: int = runtime(16, "For local: number of texts written at once.", ge=1, le=4096)
    cache: FilePath | None = runtime(
        None, "Folder of the kept answers; null means synth in the user's cache (GLASSO_CACHE_DIR)."
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
            raise ValueError("price_input and price_output belong together; give both")
        if self.provider == "openai" and self.model is None:
            raise ValueError("provider openai needs model, the server's name for it, such as gpt-4.1-mini")
        if self.provider == "openai" and self.budget_usd is not None and self.price is None:
            raise ValueError(
                f"budget_usd needs prices, and those of {self.model} on this server are not known; "
                "give price_input and price_output"
            )
        return self

    @property
    def price(self) -> Price | None:
        """The price of the server's answers; None if it is not known."""
        if self.price_input is not None and self.price_output is not None:
            return Price(self.price_input, self.price_output)
        return listed_price(self.base_url, self.model or "")
