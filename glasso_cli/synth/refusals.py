"""What a server says when it does not answer, sorted by what to do: try again, wait, ask in another way, or stop."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import quote

from glasso_cli.errors import ServiceError
from glasso_cli.synth.pace import retry_after

LONGEST_PAUSE = 600.0  # seconds that a server may ask to wait
_PARAMETERS = ("temperature", "top_p", "seed", "max_tokens", "max_completion_tokens")
_KEPT = "The answers that arrived are kept: run the same command to continue."


class PassingError(Exception):
    """The request failed for a reason that may pass; ``pause`` is what the server asks to wait."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pause = pause


class BusyError(PassingError):
    """The server has too many requests in flight."""


class ParameterError(Exception):
    """The server does not take the parameter ``name``."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class FilteredError(Exception):
    """The server does not answer this prompt."""


@dataclass(frozen=True)
class Server:
    """Who is asked, for messages: ``secret`` is taken out of everything that the server says."""

    url: str
    model: str
    secret: str | None = field(default=None, repr=False)

    def clean(self, text: str) -> str:
        """``text`` without the key, in whatever encoding."""
        for form in _forms(self.secret) if self.secret else ():
            text = form.sub("***", text)
        return text

    def clean_all(self, value: Any) -> Any:
        """Decoded JSON with the key taken out of every text and every name in it."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, list):
            return [self.clean_all(item) for item in value]
        if isinstance(value, dict):
            return {self.clean(name): self.clean_all(item) for name, item in value.items()}
        return value

    def refusal(self, status: int, headers: dict[str, str], body: Any) -> Exception:
        """What a status other than 200 means, as the exception to raise."""
        said, code = self._said(body)
        pause = retry_after(headers)
        if status == 429 and code == "insufficient_quota":
            return ServiceError(f"{self.url} says that the quota is used up: {said}", f"Add credit there. {_KEPT}")
        if status == 429 or (status == 503 and pause is not None):
            if pause is not None and pause > LONGEST_PAUSE:
                return ServiceError(f"{self.url} asks to wait {pause / 60:,.0f} minutes: {said}", _KEPT)
            return BusyError(f"HTTP {status}: {said}", -1.0 if pause is None else pause)
        if status in (408, 409, 425) or status >= 500:
            return PassingError(f"HTTP {status}: {said}", min(pause or 0.0, LONGEST_PAUSE))
        if status in (401, 403):
            key = "refuses the key" if self.secret else "wants a key"
            return ServiceError(
                f"{self.url} {key} (HTTP {status}: {said}).",
                "Check the key in the environment or .env; synth.api_key_env names the variable that holds it.",
            )
        if status == 404:
            return ServiceError(
                f"{self.url} has no model '{self.model}', or no chat completions (HTTP 404: {said}).",
                "Check synth.model, and that synth.base_url ends like the server's API, mostly in /v1.",
            )
        if status in (400, 422):
            if code in ("content_filter", "content_policy_violation"):
                return FilteredError(said)
            if name := _named_parameter(body, said):
                return ParameterError(name)
        return ServiceError(
            f"{self.url} refuses the request (HTTP {status}: {said}).", "Check synth.base_url and synth.model."
        )

    def not_an_answer(self, text: str) -> PassingError:
        """A success that holds no answer: a page, or JSON of another shape or cut short."""
        kind = "an HTML page" if re.match(r"\s*<(!doctype|html)", text, re.IGNORECASE) else "what is not an answer"
        return PassingError(f"it answers with {kind}: {self._short(text)}")

    def gave_up(self, error: PassingError) -> ServiceError:
        """The end of all tries."""
        return ServiceError(
            f"{self.url} does not answer: {error.reason.rstrip('.')}.",
            f"Check that it runs and that synth.base_url is its API, mostly ending in /v1. {_KEPT}",
        )

    def _said(self, body: Any) -> tuple[str, str]:
        """The message and the code of an error, however the server wraps them."""
        if isinstance(body, dict):
            inner: dict[str, Any] = body["error"] if isinstance(body.get("error"), dict) else body
            message = inner.get("message") or inner.get("detail") or inner.get("error") or ""
            codes = [str(inner.get(name)) for name in ("code", "type") if inner.get(name)]
            quota = "insufficient_quota" in codes
            return self._short(str(message)), "insufficient_quota" if quota else codes[0] if codes else ""
        return self._short(str(body or "")), ""

    def _short(self, text: str) -> str:
        words = " ".join(self.clean(text).split()).rstrip(".")
        return (words if len(words) <= 200 else f"{words[:200]}…") or "no reason given"


@cache
def _forms(secret: str) -> tuple[re.Pattern[str], ...]:
    """What to look for: the key as it is, backwards, in an address, in hexadecimal, in base64, and with escapes."""
    plain = {secret, secret[::-1], quote(secret, safe=""), json.dumps(secret)[1:-1]}
    patterns = [re.escape(form) for form in sorted(plain, key=len, reverse=True)]
    code = secret.encode()
    patterns.append(f"(?i:{code.hex()})")
    for shift in range(3):  # base64 of a text in which the key begins anywhere
        encoded = base64.b64encode(b"\0" * shift + code).decode().rstrip("=")
        middle = encoded[(0, 2, 3)[shift] : len(encoded) // 4 * 4 - 1]
        if len(middle) >= 8:
            patterns.append(re.escape(middle).replace(r"\+", "[+-]").replace("/", "[/_]"))
    spelled = [f"(?:{re.escape(c)}|\\\\u00{ord(c):02x}|%{ord(c):02x}|&#x?0*(?:{ord(c)}|{ord(c):x});)" for c in secret]
    patterns.append(f"(?i:{''.join(spelled)})")
    return tuple(map(re.compile, patterns))


def _named_parameter(body: Any, said: str) -> str | None:
    """The parameter of ours that an error names, by ``param`` or in its words."""
    inner = body.get("error", body) if isinstance(body, dict) else {}
    named = inner.get("param") if isinstance(inner, dict) else None
    if named in _PARAMETERS:
        return str(named)
    return next((name for name in _PARAMETERS if re.search(rf"['\"`]{name}['\"`]", said)), None)
