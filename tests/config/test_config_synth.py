"""The section ``synth``: what it refuses, and that it never shows what may be a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from support.configs import BASE, refused, rows, write

from glasso_cli.config import SynthSection
from glasso_cli.config.load import load_config
from glasso_cli.config.sections.prices import Price, dollars, listed_price
from glasso_cli.config.sections.synth import ATTRIBUTES


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


OPENAI = {"provider": "openai", "model": "gpt-4.1-mini"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"provider": "openai"}, "provider openai needs model"),
        ({"base_url": "localhost:8000"}, "begins with http:// or https://"),
        ({"base_url": "ftp://host/v1"}, "begins with http:// or https://"),
        ({"base_url": "http://"}, "begins with http:// or https://"),
        ({"base_url": "http://host:port/v1"}, "is not an address"),
        ({"base_url": "http://me:s3cret@host/v1"}, "without user, password"),
        ({"base_url": "http://host/v1?key=s3cret"}, "without user, password"),
        ({"api_key_env": "sk-s3cret"}, "name of an environment variable, never the key itself"),
        ({"price_input": 1.0}, "give both"),
        ({**OPENAI, "model": "unheard-of", "budget_usd": 1.0}, "those of unheard-of on this server are not known"),
        ({**OPENAI, "base_url": "http://host/v1", "budget_usd": 1.0}, "are not known"),
        ({"attributes": {"point of view": ["x"]}}, "becomes a key of the output"),
        ({"attributes": {"genre": []}}, "at least 1 item"),
        ({"examples": 0}, "greater than or equal to 1"),
        ({"provider": "curl"}, "'builtin', 'openai', 'local' or 'replay'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SynthSection.model_validate(values)
    assert words in str(caught.value)


def test_a_report_says_it_in_words_and_without_the_value() -> None:
    path = write(f"{BASE}synth: {{}}\n")
    error = refused(path, "synth.base_url=http://me:s3cret@host/v1", "synth.api_key_env=sk-s3cret")
    assert rows(error) == [
        "--set synth.base_url should be an address without user, password or '?'; a key belongs in .env, see api_key_env",
        "--set synth.api_key_env should be the name of an environment variable, never the key itself",
    ]
    assert "s3cret" not in str(error)


@pytest.mark.parametrize("topic", ["''", "'  '"])
def test_a_topic_has_words(topic: str) -> None:
    assert "topic is empty" in rows(refused(write(BASE.replace("a topic", topic))))[0]


@pytest.mark.parametrize("url", ["http://LocalHost:8000/v1", "http://localhost:8000/v1/", "HTTP://localhost:8000/v1//"])
def test_spellings_of_an_address_are_one(url: str) -> None:
    assert SynthSection(base_url=url).base_url == "http://localhost:8000/v1"
    assert SynthSection(base_url="http://[::1]:80/v1").base_url == "http://[::1]:80/v1"


def test_attributes_replace_the_built_in_ones() -> None:
    path = write(f"{BASE}synth: {{attributes: {{era: [the past, the future]}}}}\n")
    assert load_config(path).synth.attributes == {"era": ("the past", "the future")}
    assert load_config(write(BASE)).synth.attributes == ATTRIBUTES


@pytest.mark.parametrize(
    ("values", "price"),
    [
        (OPENAI, Price(0.40, 1.60)),
        ({**OPENAI, "model": "unheard-of"}, None),
        ({**OPENAI, "base_url": "http://localhost/v1"}, None),
        ({**OPENAI, "price_input": 0.0, "price_output": 3.0}, Price(0.0, 3.0)),
    ],
)
def test_prices(values: dict[str, Any], price: Price | None) -> None:
    assert SynthSection.model_validate(values).price == price


def test_a_price_is_for_a_million_tokens() -> None:
    price = listed_price("https://api.openai.com/v1", "gpt-4o-mini")
    assert price is not None
    assert price.of(1_000_000, 0) == 0.15
    assert price.of(0, 2_000_000) == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("amount", "text"), [(None, "cost unknown"), (0.0, "$0.00"), (0.00412, "$0.0041"), (12.3456, "$12.35")]
)
def test_dollars(amount: float | None, text: str) -> None:
    assert dollars(amount) == text
