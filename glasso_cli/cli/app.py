"""The command line."""

from __future__ import annotations

from typing import Annotated

import typer

from glasso_cli.cli import file_commands, interrupts, stage_commands
from glasso_cli.cli.streams import prepare_streams
from glasso_cli.engine.threads import keep_workers_from_spinning

EXIT_CODES = {
    0: "done or up to date",
    1: "a bug",
    2: "usage or configuration",
    3: "an upstream artifact is missing or stale",
    4: "an outside service or the disk failed",
    5: "finished, but a target was missed",
    130: "interrupted",
}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,  # pretty tracebacks print locals, and locals hold keys
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find out which neurons of a language model depend on each other, given all the other neurons.\n\n"
    "[bold]Examples[/bold]\n"
    "$ glasso init my.yaml                       # write a commented configuration\n"
    "$ glasso run my.yaml                        # run everything that is not up to date\n"
    "$ glasso fit my.yaml --set fit.alpha=0.2    # run one stage with one value changed\n"
    "$ glasso plan my.yaml                       # see what would run, and why\n\n"
    f"Exit codes: {', '.join(f'{code} {meaning}' for code, meaning in EXIT_CODES.items())}.",
)
app.add_typer(stage_commands.commands)
app.add_typer(file_commands.commands)


def _version(asked: bool) -> None:
    if asked:
        import glasso_cli

        print(f"glasso {glasso_cli.__version__}")
        raise typer.Exit


@app.callback()
def _callback(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the ``glasso`` command."""
    prepare_streams()
    interrupts.install()
    keep_workers_from_spinning()
    app()
