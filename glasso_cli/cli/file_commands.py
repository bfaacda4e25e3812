"""The commands that run nothing: they read or write a configuration, or tell what a file is."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from glasso_cli.cli.guard import guarded
from glasso_cli.cli.options import ConfigPath, Debug, Set
from glasso_cli.console import Console

commands = typer.Typer()


@commands.command()
@guarded
def show(
    artifact: Annotated[Path, typer.Argument(metavar="ARTIFACT", help="A .npz, .dot or .json file that glasso wrote.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print all metadata as JSON.")] = False,
    neuron: Annotated[
        str | None,
        typer.Option(
            "--neuron",
            metavar="ID",
            help="For influence and interventions: print what one neuron does to others, and what others do to it.",
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Print what a file is, what it was made from, and its main numbers.

    [bold]Examples[/bold]
    $ glasso show runs/demo/fit/ai.npz
    $ glasso show runs/demo/intervene/ai.npz --neuron 'layers.8.mlp[1234]'
    """
    from glasso_cli.cli.showing.describe import describe, describe_neuron

    if neuron is not None:
        print(describe_neuron(artifact, neuron))
        return
    print(describe(artifact, as_json=as_json))
    if not as_json:
        from glasso_cli.cli.showing.graph_preview import preview

        Console().show(preview(artifact))


@commands.command()
@guarded
def check(config: ConfigPath, set_: Set = None, debug: Debug = False) -> None:
    """Check a configuration and list every problem at once, without running anything.

    [bold]Example[/bold]
    $ glasso check my.yaml
    """
    from glasso_cli.config.load import load_config
    from glasso_cli.pipeline.run import STAGES
    from glasso_cli.pipeline.stage import sections_of

    missing = load_config(config, set_ or [], needed=()).missing_sections()
    Console().note(f"{config} is valid")
    if missing:
        names = [stage for stage in STAGES if sections_of([stage]).isdisjoint(missing)]
        Console().note(f"It has no section {' or '.join(missing)}, so that only {', '.join(names)} can run.")


@commands.command()
@guarded
def schema(
    section: Annotated[str | None, typer.Argument(help="Print only this section, such as fit.")] = None,
    debug: Debug = False,
) -> None:
    """Print the JSON Schema of a configuration, with help for every key.

    [bold]Examples[/bold]
    $ glasso schema > glasso.schema.json
    $ glasso schema fit
    """
    from glasso_cli.config.schema import schema_text

    print(schema_text(section))


@commands.command()
@guarded
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("glasso.yaml"),
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite the file if it exists.")] = False,
    debug: Debug = False,
) -> None:
    """Write a commented configuration that runs offline, with a built-in model and built-in texts.

    [bold]Example[/bold]
    $ glasso init my.yaml && glasso run my.yaml
    """
    from glasso_cli.cli.starter import write_starter

    write_starter(path, force=force)
    print(path)
    Console().note(f"next: glasso run {shlex.quote(str(path))}")
