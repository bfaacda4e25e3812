"""What the documents say is true: Python runs, command lines and configurations are valid, links lead somewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from support.documents import (
    PAGES,
    ROOT,
    anchors,
    arguments,
    blocks,
    command_lines,
    is_command,
    links,
    page_id,
)

from glasso_cli.cli.app import app
from glasso_cli.cli.starter import write_starter
from glasso_cli.config.load import load_config
from glasso_cli.config.schema import schema_text
from glasso_cli.errors import GlassoError
from glasso_cli.pipeline.run import stage_range

GROUP: Any = typer.main.get_command(app)
UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # of the parser that comes with Typer
TEXTS = {page_id(path): path.read_text(encoding="utf-8") for path in PAGES}
WITH_PYTHON = [name for name, text in TEXTS.items() if any(block.language == "python" for block in blocks(text))]
HELP = {f"glasso {name} --help": str(command.help) for name, command in GROUP.commands.items()}
CONFIGS = {page_id(path): path.read_text(encoding="utf-8") for path in sorted((ROOT / "configs").glob("*.yaml"))}


def lines() -> list[Any]:
    """Every command line of a page, of a help text and of a comment in ``configs``, with its source as the id."""
    found = [(name, line) for name, text in TEXTS.items() for line in command_lines(text)]
    for name, text in {"glasso --help": str(GROUP.help), **HELP, **CONFIGS}.items():
        stripped = (line.strip().removeprefix("#").strip() for line in text.splitlines())
        found += [(name, line.removeprefix("$ ")) for line in stripped if is_command(line)]
    return [pytest.param(line, id=f"{name}: {line}") for name, line in dict.fromkeys(found)]


# -- Python -----------------------------------------------------------------------------------------


def test_there_is_python_to_run() -> None:
    assert "README.md" in WITH_PYTHON


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_PYTHON)
def test_the_python_of_a_page_runs(working_folder: Path, name: str) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(TEXTS[name]):
        if block.language == "python":
            code = "\n" * (block.line - 1) + block.text  # a traceback then names the line of the page
            exec(compile(code, ROOT / name, "exec"), namespace)


# -- command lines ------------------------------------------------------------------------------------


def parsed(words: list[str]) -> tuple[str, dict[str, Any]]:
    """The command that ``words`` name and the values of its parameters; raises where they are not valid."""
    with GROUP.make_context("glasso", list(words)) as context:
        name, command, rest = GROUP.resolve_command(context, [*context._protected_args, *context.args])
        with command.make_context(name, rest, parent=context) as inner:
            return name, dict(inner.params)


def check(words: list[str], folder: Path) -> None:
    """Raise unless ``words`` are a valid command line, the values of ``--set`` and names of stages included."""
    if words[-1] in ("--help", "-h", "--version"):
        words = words[:-1]
    if len(words) < 2:  # the name of a command in a sentence, or none
        assert set(words) <= set(GROUP.commands)
        return
    name, values = parsed(words)
    if "set_" in values:
        config = ROOT / values["config"]
        load_config(config if config.is_file() else folder / "my.yaml", values["set_"] or [])
    if name == "run":
        stage_range(values["from_"], values["to"])
    if name == "schema":
        schema_text(values["section"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the configuration that ``glasso init`` writes, as ``my.yaml``."""
    write_starter(tmp_path / "my.yaml", force=False)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("line", lines())
def test_a_command_line_is_valid(line: str, folder: Path) -> None:
    commands = arguments(line)
    assert commands
    for words in commands:
        check(words, folder)


@pytest.mark.parametrize(
    "line",
    [
        "glasso fti",
        "glasso fti my.yaml",
        "glasso fit my.yaml --nothing",
        "glasso fit my.yaml other.yaml",
        "glasso fit my.yaml --set fit.alpa=1",
        "glasso fit my.yaml --set fit.alpha='{from: 0.5'",
        "glasso fit my.yaml --threads many",
        "glasso run my.yaml --from fti",
        "glasso schema fti",
        "glasso init my.yaml && glasso rnu my.yaml",
    ],
)
def test_a_wrong_command_line_is_found(line: str, folder: Path) -> None:
    with pytest.raises((UsageError, GlassoError, AssertionError)):
        for words in arguments(line):
            check(words, folder)


# -- configurations -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if "```yaml" in text])
def test_the_configurations_of_a_page_are_valid(name: str, folder: Path) -> None:
    for block in blocks(TEXTS[name]):
        if block.language == "yaml":
            # A network that reads no texts shares no corpus with the example.
            own = any(word in block.text for word in ("extends:", "kind: torch", "images:"))
            base = "" if own else "extends: my.yaml\n"
            (folder / "block.yaml").write_text(base + block.text, encoding="utf-8")
            load_config(folder / "block.yaml")


# -- links --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_to_files_and_headings_that_exist(name: str) -> None:
    broken = []
    for link in links(TEXTS[name]):
        file, _, anchor = link.partition("#")
        target = (ROOT / name).parent / file if file else ROOT / name
        known = anchors(target.read_text(encoding="utf-8")) if anchor and target.exists() else {anchor}
        if not target.exists() or anchor not in known:
            broken.append(link)
    assert broken == []


def test_anchors_are_those_of_github() -> None:
    page = "# A `b.c` – d\n## Über (x_y)\n## A b\n## A b\n```\n# no heading\n```\n### [Link](x.md) `--set`\n"
    assert anchors(page) == {"a-bc--d", "über-x_y", "a-b", "a-b-1", "link---set"}


def test_every_configuration_that_runs_offline_is_listed() -> None:
    offline = [name for name, text in CONFIGS.items() if "{dataset:" not in text]
    assert [name for name in offline if f"`{name}`" not in TEXTS["docs/networks.md"]] == []
