"""The pages on commands and on the configuration are generated, current and complete."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import typer
from support.documents import ROOT

import glasso_cli
from glasso_cli.cli.app import EXIT_CODES, app
from glasso_cli.config import is_runtime
from glasso_cli.config.env_file import PREFIXES
from glasso_cli.config.problems import sections
from glasso_cli.engine import threads

DOCS = ROOT / "docs"
COMMANDS = (DOCS / "commands.md").read_text(encoding="utf-8")
CONFIGURATION = (DOCS / "configuration.md").read_text(encoding="utf-8")
GROUP: Any = typer.main.get_command(app)


def part(page: str, heading: str) -> str:
    """The text under a heading, up to the next one."""
    return re.split(r"^#+ ", page.split(f"# {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("name", ["commands.md", "configuration.md"])
def test_a_page_is_what_its_generator_writes(name: str) -> None:
    pages = runpy.run_path(str(DOCS / "generate.py"))["pages"]()
    assert (DOCS / name).read_text(encoding="utf-8") == pages[name], "run `make docs`"


@pytest.mark.parametrize("name", GROUP.commands)
def test_every_command_is_documented_with_all_its_options(name: str) -> None:
    text = part(COMMANDS, f"`glasso {name}`")
    for parameter in GROUP.commands[name].params:
        names = parameter.opts if parameter.param_type_name == "option" else [parameter.name.upper()]
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{names[0]}`")]
        assert all(f"`{item}`" in row for item in names)
        assert parameter.help in row


@pytest.mark.parametrize("code", EXIT_CODES)
def test_every_exit_code_is_documented(code: int) -> None:
    assert f"| {code} | {EXIT_CODES[code]} |" in part(COMMANDS, "Exit codes")


@pytest.mark.parametrize("loc", sections(), ids=".".join)
def test_every_key_is_documented(loc: tuple[str, ...]) -> None:
    text = part(CONFIGURATION, f"`{'.'.join(loc)}`" if loc else "Top level")
    for name, info in sections()[loc].model_fields.items():
        (row,) = [line for line in text.splitlines() if re.match(rf"\| \[?`{name}`", line)]
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        assert cells[-1].replace("\\", "") == info.description
        assert all(cells[column] for column in (0, 1, 4))
        assert cells[3] == ("" if cells[1] == "section" else "no" if is_runtime(info) else "yes")


def test_every_environment_variable_that_the_code_reads_is_documented() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in Path(glasso_cli.__file__).parent.rglob("*.py"))
    read = set(re.findall(r"""environ(?:\.\w+\(|\[)["'](\w+)["']""", code)) | set(threads._NAMES)
    read |= set(re.findall(r'"(OPENAI_\w+)"', code)) | set(re.findall(r"constants\.(HF_\w+)", code))
    assert {"OMP_NUM_THREADS", "GLASSO_CACHE_DIR", "NO_COLOR", "OPENAI_API_KEY", "HF_HUB_OFFLINE"} <= read
    text = part(COMMANDS, "Environment variables")
    assert [name for name in sorted(read) if f"`{name}`" not in text and f"`{name}=" not in text] == []
    assert all(f"`{prefix}`" in text for prefix in PREFIXES)
