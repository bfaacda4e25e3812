"""The arguments and options that commands share, each declared once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from glasso_cli.errors import InputError

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file of the experiment.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Change one value of the configuration for this run; can be given several times.",
    ),
]
Top = Annotated[
    str | None,
    typer.Option(
        "--top",
        metavar="SHARE",
        help="Then write this share of the neurons, the most important ones, and the edges between them, as OUT/score/CORPUS.top.csv, "
        ".top.edges.csv, .top.dot and lists of ids: 0.5% or 0.005.",
    ),
]
NeuronFile = Annotated[
    Path | None,
    typer.Option(
        "--neurons",
        metavar="FILE",
        help="Change the neurons in this file, one id per line, such as OUT/score/CORPUS.top.txt: the same as --set "
        "intervene.sources=FILE.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        help="Make the blocks in N processes on this machine, each with a GPU or a share of the cores of its own. The same as "
        "--set engine='{kind: processes, workers: N}'.",
    ),
]
PartText = Annotated[
    str | None,
    typer.Option(
        "--part",
        metavar="I/N",
        help="Make only part I of N of the blocks, beside other processes that make the other parts. The command without "
        "--part makes what is missing, and the result.",
    ),
]
Pilot = Annotated[
    bool, typer.Option("--pilot", help="Make only the pilot pass, which all parts need before they start.")
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Run even if the results are up to date.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Only print what would run, and why.")]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        help="Number of threads to use. Default: OMP_NUM_THREADS, or all cores if it is not set.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print results to stdout as JSON, one object per line.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only warnings and errors, no progress.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print more details while running.")]
Debug = Annotated[bool, typer.Option("--debug", help="Print the Python traceback of an error.")]


def share_of(text: str) -> float:
    """A share such as 0.5% or 0.005 as a number; raises :class:`InputError` for anything that is not above 0 and at most 1."""
    number, percent = text.removesuffix("%"), text.endswith("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise InputError(
            f"{text!r} is no share of the neurons.",
            "Give a percentage such as 0.5%, or a number up to 1 such as 0.005.",
        )
    return share


@dataclass(frozen=True)
class RunOptions:
    """How a command runs stages: the options that all of them share, in the order of the help."""

    force: Force = False
    dry_run: DryRun = False
    threads: Threads = None
    as_json: Json = False
    quiet: Quiet = False
    verbose: Verbose = False
    debug: Debug = False


def with_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return ``command`` with one option per field of :class:`RunOptions` instead of its last parameter, ``options``."""
    own = [item for item in _parameters(command) if item.name != "options"]
    shared = [item for item in _parameters(RunOptions) if item.name != "self"]

    @functools.wraps(command)
    def run(**values: Any) -> None:
        options = RunOptions(**{field.name: values.pop(field.name) for field in fields(RunOptions)})
        command(**values, options=options)

    # Typer reads the signature for names and defaults, and the annotations for types.
    run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    run.__annotations__ = {item.name: item.annotation for item in (*own, *shared)}
    return run


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of ``function``, with their types as objects."""
    return list(inspect.signature(function, eval_str=True).parameters.values())
