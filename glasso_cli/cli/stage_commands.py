"""The commands that run stages: a few lines each, no logic. Stages are imported when they run."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glasso_cli.cli import interrupts
from glasso_cli.cli.guard import guarded
from glasso_cli.cli.options import (
    ConfigPath,
    Debug,
    Json,
    NeuronFile,
    PartText,
    Pilot,
    RunOptions,
    Set,
    Top,
    Workers,
    share_of,
    with_run_options,
)
from glasso_cli.cli.plan import print_plan
from glasso_cli.console import Console

if TYPE_CHECKING:
    from glasso_cli.engine.shares import Part
    from glasso_cli.pipeline.run import Pipeline

commands = typer.Typer()


def _stages(
    stages: list[str],
    config: Path,
    overrides: list[str] | None,
    options: RunOptions,
    *,
    unasked: bool = False,
    part: Part | None = None,
) -> Pipeline:
    """Run ``stages``, or ``part`` of one, or print what they would do; ``unasked`` ones were not named one by one."""
    from glasso_cli.engine.threads import limited

    with limited(options.threads):  # before anything is imported that counts its threads when it is loaded
        from glasso_cli.config.env_file import load_env_file
        from glasso_cli.config.load import load_config
        from glasso_cli.engine.kernels import compiled_beside
        from glasso_cli.pipeline.run import Pipeline
        from glasso_cli.pipeline.stage import sections_of

        load_env_file(Path(".env"))
        console = Console(quiet=options.quiet, verbose=options.verbose, as_json=options.as_json, check=interrupts.check)
        command = shlex.join([str(config), *(word for item in overrides or [] for word in ("--set", item))])
        loaded = load_config(config, overrides or [], sections_of(stages))
        pipeline = Pipeline(loaded, console, command, options.force, unasked, part)
        if options.dry_run:
            print_plan(pipeline, stages, options.as_json)
        elif "fit" in stages:
            with compiled_beside():  # while `collect` reads texts, mostly
                pipeline.run(stages)
        else:
            pipeline.run(stages)
    return pipeline


def _stage_command(stage: str, summary: str, example: str) -> None:
    """Register the command of one stage."""

    @guarded
    @with_run_options
    def command(config: ConfigPath, options: RunOptions, set_: Set = None) -> None:
        _stages([stage], config, set_, options)

    command.__doc__ = f"{summary}\n\n[bold]Example[/bold]\n$ {example}"
    commands.command(stage)(command)


_stage_command(
    "synth",
    "Write texts on topics to OUT/synth/CORPUS.jsonl; --dry-run shows prompts, tokens and cost.",
    "glasso synth my.yaml --set synth.provider=local --set synth.examples=20",
)


@commands.command("collect")
@guarded
@with_run_options
def collect_command(
    config: ConfigPath,
    options: RunOptions,
    workers: Workers = None,
    part: PartText = None,
    pilot: Pilot = False,
    set_: Set = None,
) -> None:
    """Run the model on the texts and save statistics of its neurons to OUT/collect/CORPUS.npz.

    [bold]Examples[/bold]
    $ glasso collect my.yaml --set collect.max_tokens=50000
    $ glasso collect my.yaml --workers 8
    $ glasso collect my.yaml --pilot && glasso collect my.yaml --part 1/8
    """
    from glasso_cli.cli.division import part_of, with_workers

    _stages(
        ["collect"], config, with_workers(set_, workers, part, pilot), options, part=part_of(part, pilot, options.force)
    )


_stage_command(
    "fit",
    "Fit a sparse precision matrix at every alpha and test its edges: OUT/fit/CORPUS.npz, .edges.csv and .dot.",
    "glasso fit my.yaml --set fit.alpha='{from: 0.5, to: 0.1, num: 8}'",
)
_stage_command(
    "structure",
    "Score what each neuron is in the graph: OUT/structure/CORPUS.npz, .neurons.csv and .communities.csv.",
    "glasso structure my.yaml --set structure.subsets=0",
)
_stage_command(
    "influence",
    "Compute what neurons of one layer do to those of later ones: OUT/influence/CORPUS.npz, .edges.csv and .dot.",
    "glasso influence my.yaml --set influence.min_effect=0.1",
)
_stage_command(
    "pathways",
    "Find the strongest paths through the graph across layers: OUT/pathways/CORPUS.npz, .paths.csv, .neurons.csv and .dot.",
    "glasso pathways my.yaml --set pathways.mediate=10",
)


def _audit(config: Path, overrides: list[str] | None, options: RunOptions) -> None:
    """Run `audit` and print its tables beside the results."""
    pipeline = _stages(["audit"], config, overrides, options)
    if not options.dry_run and not options.as_json:
        from glasso_cli.cli.showing.audit_tables import show_audits

        show_audits(pipeline.made("audit"), pipeline.console)


@commands.command("intervene")
@guarded
@with_run_options
def intervene_command(config: ConfigPath, options: RunOptions, set_: Set = None, neurons: NeuronFile = None) -> None:
    """Change neurons, measure the effects on later ones, and judge every score of pairs by them, as `audit` does.

    [bold]Examples[/bold]
    $ glasso intervene my.yaml --set intervene.sources=40
    $ glasso intervene my.yaml --neurons runs/my/score/editorials.top.txt
    """
    set_ = [*(set_ or []), *([] if neurons is None else [f"intervene.sources={json.dumps(str(neurons))}"])]
    _stages(["intervene"], config, set_, options)
    _audit(config, set_, options)


@commands.command("audit")
@guarded
@with_run_options
def audit_command(config: ConfigPath, options: RunOptions, set_: Set = None) -> None:
    """Judge graphs, weights and influence by the measured effects: OUT/audit/CORPUS.npz, .csv and .predicted.csv.

    [bold]Example[/bold]
    $ glasso audit my.yaml --set audit.share=0.01
    """
    _audit(config, set_, options)


@commands.command("score")
@guarded
@with_run_options
def score_command(
    config: ConfigPath,
    options: RunOptions,
    set_: Set = None,
    top: Top = None,
) -> None:
    """Score neurons by what the output loses without them: OUT/score/CORPUS.npz, .neurons.csv and .communities.csv.

    [bold]Examples[/bold]
    $ glasso score my.yaml --set score.hook_points='["mlp.*"]'
    $ glasso score my.yaml --top 0.5%
    """
    share = None if top is None else share_of(top)
    pipeline = _stages(["score"], config, set_, options)
    if share is not None and not options.dry_run:
        from glasso_cli.scoring.circuit import write_circuits

        for path in write_circuits(pipeline, share):
            pipeline.console.result({"path": str(path)})


_stage_command(
    "compare",
    "Test which partial correlations differ between corpora: OUT/compare/A-vs-B.npz, .edges.csv and .dot.",
    "glasso compare my.yaml --set compare.fdr=0.01",
)


_stage_command(
    "explorer",
    "Write the interactive page of every graph, which works offline: OUT/figures/CORPUS/explorer.html.",
    "glasso explorer my.yaml --set visualize.explorer_mb=30",
)


@commands.command("visualize")
@guarded
@with_run_options
def visualize_command(
    config: ConfigPath,
    options: RunOptions,
    set_: Set = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the explorer in the browser afterwards.")] = False,
) -> None:
    """Write the interactive explorer, as `explorer` does, and draw figures, with their numbers as CSV: OUT/figures/.

    [bold]Example[/bold]
    $ glasso visualize my.yaml --open
    """
    pipeline = _stages(["visualize"], config, set_, options)
    for path in pipeline.made("explorer") if open_ and not options.dry_run else ():
        if path.suffix == ".html":
            typer.launch(str(path))


@commands.command("run")
@guarded
@with_run_options
def run_command(
    config: ConfigPath,
    options: RunOptions,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="STAGE", help="First stage to run. Default: synth.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="STAGE", help="Last stage to run. Default: the last one.")
    ] = None,
    set_: Set = None,
) -> None:
    """Run all stages; skip those whose results are up to date. The first explorer is written as early as possible.

    [bold]Examples[/bold]
    $ glasso run my.yaml
    $ glasso run my.yaml --from fit --set fit.select.target=5
    """
    from glasso_cli.pipeline.run import stage_range

    _stages(stage_range(from_, to), config, set_, options, unasked=True)


@commands.command()
@guarded
def plan(config: ConfigPath, set_: Set = None, as_json: Json = False, debug: Debug = False) -> None:
    """Print what `run` would do, and which key or input changed.

    [bold]Example[/bold]
    $ glasso plan my.yaml --set collect.max_tokens=400000
    """
    from glasso_cli.pipeline.run import STAGES

    _stages(list(STAGES), config, set_, RunOptions(dry_run=True, as_json=as_json), unasked=True)
