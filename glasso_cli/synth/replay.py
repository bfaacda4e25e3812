"""Answers that were kept before, and nobody to ask."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glasso_cli.errors import ServiceError
from glasso_cli.synth.answers import Request, Take


@dataclass(frozen=True)
class Replay:
    """A :class:`Writer` that only knows under which keys other writers keep their answers."""

    asked: tuple[dict[str, Any], ...]
    folder: Path
    counts: Mapping[str, int] = field(default_factory=dict)
    budget_reached: bool = False

    def keys(self, request: Request) -> list[str]:
        return [request.key(asked) for asked in self.asked]

    def material(self, request: Request) -> dict[str, Any]:
        return request.material(self.asked[0])

    def ask(self, requests: Sequence[Request], take: Take) -> None:
        """Raises :class:`ServiceError` that shows the first of ``requests``."""
        if not requests:
            return
        first = requests[0]
        shown = json.dumps({**self.material(first), "key": self.keys(first)[0]}, indent=1, ensure_ascii=False)
        more = f"\n  and {len(requests) - 1} more like it" if len(requests) > 1 else ""
        indented = shown.replace("\n", "\n  ")
        raise ServiceError(
            f"{self.folder} holds no answer to this request:\n  {indented}{more}",
            "Copy the folder of answers here (synth.cache), or set synth.provider to who is to answer.",
        )
