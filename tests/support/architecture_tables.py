"""Tables of docs/networks.md: in which architectures which short form is right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from glasso_cli.errors import InputError
from support.documents import ROOT

PAGE = ROOT / "docs" / "networks.md"
RIGHT, NONE = "right", "–"


@dataclass(frozen=True)
class ArchitectureTable:
    """One table on the page, between two comments.

    ``layers`` are the words for the layers that are tried, ``kinds`` those behind the architectures, and ``reasons`` the
    word in the table for a part of what an error says.
    """

    start: str
    end: str
    forms: tuple[str, ...]
    layers: tuple[str, str]
    kinds: tuple[str, ...]
    reasons: Mapping[str, str]

    def reason(self, error: InputError) -> str:
        """The word in the table for what an error says."""
        assert error.message
        assert error.hint
        words = [word for says, word in self.reasons.items() if says in error.message]
        assert words, error.message
        return words[0]

    def cell(self, outcomes: list[str]) -> str:
        """What the layers have in common, or the layer in which the form is right."""
        if len(set(outcomes)) == 1:
            return outcomes[0]
        if RIGHT in outcomes:
            return self.layers[outcomes.index(RIGHT)]
        return next(item for item in outcomes if item != NONE)

    def is_right(self, entry: str) -> bool:
        """Whether a cell says that the form is right in some layer."""
        return entry in (RIGHT, *self.layers)

    def text(self, rows: list[list[str]], summary: list[str]) -> str:
        """The rows as a Markdown table, after the lines that say what they come to."""
        head = ["architecture", *(f"`{form}`" for form in self.forms)]
        lines = [head, ["---"] * len(head), *rows]
        counted = f"{len(rows)} architectures were tried. A form is right in this many of them:"
        return "\n".join([counted, "", *summary, "", *(f"| {' | '.join(line)} |" for line in lines)])

    def parts(self) -> tuple[str, str, str]:
        """The page before the table, the table, and the page after it."""
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(self.start)
        inside, _, after = rest.partition(self.end)
        return before, inside.strip(), after

    def rows(self) -> dict[str, list[str]]:
        """The rows on the page, by their first cells."""
        lines = re.findall(rf"^\| (\S+ \((?:{'|'.join(self.kinds)})\)) \| (.*) \|$", self.parts()[1], re.MULTILINE)
        return {name: [name, *entries.split(" | ")] for name, entries in lines}

    def write(self, made: str) -> None:
        """Put a table in its place on the page."""
        before, _, after = self.parts()
        PAGE.write_text(f"{before}{self.start}\n\n{made}\n\n{self.end}{after}", encoding="utf-8")
