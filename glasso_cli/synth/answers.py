"""Requests and answers, and the folder of answers: one file each, under the digest of what was asked of whom."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from glasso_cli.files import atomic_write, drop_leftovers

FORMAT = "glasso.answer/1"
LONGEST = 64 << 20  # bytes of a kept answer


@dataclass(frozen=True)
class Request:
    """One text to be asked for. ``opening`` is for a model that knows no conversation.

    ``replicate`` and ``draw`` tell requests apart that ask for the same; ``template`` is the version of the wording.
    """

    messages: tuple[tuple[str, str], ...]  # role, content
    opening: str
    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    replicate: int
    draw: int
    template: int

    def key(self, asked: Mapping[str, Any]) -> str:
        """The SHA-256 of everything that determines the answer; ``asked`` says who was asked."""
        return _digest(self.material(asked))

    def material(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What the key is a digest of."""
        return {
            "format": FORMAT,
            "asked": dict(asked),
            "messages": self.chat,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "replicate": self.replicate,
            "draw": self.draw,
            "template": self.template,
        }

    @property
    def chat(self) -> list[dict[str, str]]:
        """The messages as the API takes them."""
        return [{"role": role, "content": content} for role, content in self.messages]


@dataclass(frozen=True)
class Answer:
    """What came back: ``tokens`` are those of the prompt and of the text, None where the server does not say.

    ``fault`` says why the text cannot be used (``cut off``, ``filtered``, ``empty``); such an answer is never kept.
    ``raw`` is the whole answer as it came.
    """

    text: str
    fault: str
    tokens: tuple[int, int] | None
    raw: Mapping[str, Any]


Take = Callable[[Request, Answer], None]


class Writer(Protocol):
    """Who answers requests. ``counts`` says what happened on the way, by name."""

    @property
    def counts(self) -> Mapping[str, int]: ...

    @property
    def budget_reached(self) -> bool:
        """Whether requests were left out because the budget does not pay for them."""
        ...

    def keys(self, request: Request) -> Sequence[str]:
        """The keys under which an answer may be kept; a new one is kept under the first."""
        ...

    def material(self, request: Request) -> dict[str, Any]:
        """What the first key is a digest of."""
        ...

    def ask(self, requests: Sequence[Request], take: Take) -> None:
        """Answer ``requests``, in any order, handing each answer to ``take`` as soon as it is there.

        Those that could not be answered are left out. Raises :class:`ServiceError` when going on is no use.
        """
        ...


@dataclass(frozen=True)
class Answers:
    """The folder of answers."""

    folder: Path

    def path(self, key: str) -> Path:
        """Where the answer of ``key`` is."""
        return self.folder / key[:2] / f"{key}.json"

    def drop_leftovers(self) -> None:
        """Remove what killed processes left beside the answers."""
        if self.folder.is_dir():
            for folder in self.folder.iterdir():
                drop_leftovers(folder, shared=True)

    def get(self, key: str) -> Answer | None:
        """The answer kept under ``key``; None when there is none, or its file is not what was kept under that key."""
        try:
            with open(self.path(key), "rb") as file:
                entry = json.loads(file.read(LONGEST))
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(entry, dict) or entry.pop("digest", None) != _digest(entry):
            return None
        if _digest(entry.get("request")) != key:
            return None  # the answer to another request
        tokens = entry["tokens"]
        return Answer(entry["text"], "", (tokens[0], tokens[1]) if tokens else None, entry["raw"])

    def put(self, key: str, material: Mapping[str, Any], answer: Answer) -> None:
        """Keep a good answer; raises :class:`ServiceError` when the folder cannot be written."""
        entry = {"request": material, "text": answer.text, "tokens": answer.tokens, "raw": answer.raw}
        with atomic_write(self.path(key), "w", private=True) as file:
            json.dump({**entry, "digest": _digest(entry)}, file, sort_keys=True)


def _digest(value: Any) -> str:
    """The SHA-256 of the canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
