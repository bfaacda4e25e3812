"""The built-in corpora: sixty passages on each topic, so that every example runs offline."""

from __future__ import annotations

import difflib
import json
import re
from importlib.resources import files

from glasso_cli.errors import InputError

TOPICS = ("artificial intelligence", "climate change", "quantum computing")


def slug(topic: str) -> str:
    """``topic`` as part of a file name: ``climate_change``."""
    return re.sub(r"[^a-z0-9]+", "_", topic.lower()).strip("_")


def source(topic: str) -> bytes:
    """The JSON lines of a built-in topic; raises :class:`InputError` for an unknown one."""
    known = {slug(name): name for name in TOPICS}
    name = slug(topic)
    if name not in known:
        near = difflib.get_close_matches(name, list(known), n=1)
        ask = f" Did you mean '{known[near[0]]}'?" if near else ""
        raise InputError(
            f"The package has no texts on the topic '{topic}'.{ask}",
            f"The built-in topics are: {', '.join(TOPICS)}; synth.provider local or openai writes on any other.",
        )
    return (files("glasso_cli.corpora.topics") / f"{name}.jsonl").read_bytes()


def rows(topic: str) -> list[dict[str, str]]:
    """The passages of a built-in topic in their fixed order, each with ``id``, ``genre`` and ``text``."""
    return [json.loads(line) for line in source(topic).decode("utf-8").splitlines()]


def passages(topic: str) -> list[str]:
    """The texts of a built-in topic, in their fixed order."""
    return [row["text"] for row in rows(topic)]
