"""What a Markdown page contains: blocks of code, command lines, headings and links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")) if path.name != "CHANGELOG.md")

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of code, and the line of the page that it begins on."""

    language: str
    text: str
    line: int


def page_id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(found[1], found[2], page[: found.start(2)].count("\n") + 1) for found in _FENCED.finditer(page)]


def prose(page: str) -> str:
    """A page without its fenced blocks."""
    return _FENCED.sub("", page)


def links(page: str) -> list[str]:
    """The targets of all links and images that are not addresses on the web."""
    text = _INLINE.sub("", prose(page))
    return [target for target in _LINK.findall(text) if not re.match(r"https?:|mailto:", target)]


def anchors(page: str) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(page)):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        same = sum(1 for other in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", other))
        found.add(f"{slug}-{same}" if same else slug)
    return found


def command_lines(page: str) -> Iterator[str]:
    """Every line of a block, and every code span with more than a command's name, that begins with ``glasso``."""
    for block in blocks(page):
        if block.language in ("", "sh", "bash", "console"):
            yield from (line.removeprefix("$ ") for line in block.text.splitlines() if is_command(line))
    for span in _INLINE.findall(prose(page)):
        if is_command(span):
            yield span.replace("\\|", "|")


def is_command(line: str) -> bool:
    return line.removeprefix("$ ").startswith("glasso ")


def arguments(line: str) -> list[list[str]]:
    """The words after ``glasso`` in each command of a shell line; comments and redirections are dropped."""
    words = shlex.shlex(re.sub(r"\d?>\s*\S+", "", line), posix=True, punctuation_chars=True)
    words.whitespace_split = True
    commands: list[list[str]] = [[]]
    for word in words:
        if word in ("|", "&&", ";", "||"):
            commands.append([])
        else:
            commands[-1].append(word)
    return [command[1:] for command in commands if command[:1] == ["glasso"]]
