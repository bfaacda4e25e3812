"""What a stage is: how its artifacts are named, what determines them, and the function that makes one."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glasso_cli.config import Config
from glasso_cli.pipeline.job import Job

Upstream = Sequence[tuple[str, str]]  # pairs of a stage and the name of one of its artifacts


def _every_corpus(config: Config) -> Sequence[str]:
    return tuple(config.corpora)


def _no_pins(config: Config, name: str) -> dict[str, Any]:
    return {}


def _none_needed(config: Config, name: str) -> Upstream:
    return ()


def _finished(config: Config, meta: dict[str, Any]) -> str:
    return ""


def always(config: Config) -> bool:
    """Whatever the configuration says."""
    return True


def _never(config: Config) -> bool:
    return False


def _required(config: Config, name: str) -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of the pipeline. Stages never import or start each other; they meet in files.

    Every module of :mod:`glasso_cli.stages` exports one as ``STAGE``, and imports what is heavy inside ``make``. An
    artifact is named after the corpus that it is of, unless ``targets`` says otherwise.
    """

    version: int  # raised by hand when the meaning of the output changes
    sections: tuple[str, ...]  # of the configuration that the stage reads; those of the stages before it are added
    after: tuple[str, ...] = ()  # stages whose artifacts of the same name it reads, unless ``upstream`` says otherwise
    uses: tuple[str, ...] = ()  # stages whose artifacts it reads where they are up to date
    settings: Callable[[Config, str], dict[str, Any]]  # what of the configuration decides an artifact
    pins: Callable[[Config, str], dict[str, Any]] = _no_pins  # digests of outside inputs: models, datasets, files
    paths: Callable[[Config, str], tuple[Path, tuple[Path, ...]]]  # the artifact and its companions
    make: Callable[[Job], str]  # do the work, write the artifact, and say in a line what it is
    targets: Callable[[Config], Sequence[str]] = _every_corpus  # the names of the artifacts
    no_targets: tuple[str, str] = ("There is nothing to make.", "Give a corpus.")  # what to say where there are none
    upstream: Callable[[Config, str], Upstream] | None = None  # the artifacts that one reads
    used: Callable[[Config, str], Upstream] | None = None  # those of ``uses``, where they are not of the same name
    one_of: Callable[[Config, str], Upstream] = _none_needed  # artifacts of which an optional target needs one
    unasked: Callable[[Config], bool] = always  # whether it runs where no stage is named
    along: tuple[str, ...] = ()  # stages that run before it wherever it runs
    early: bool = False  # whether its first artifact is made as soon as all that it reads is there
    optional: Callable[[Config, str], bool] = _required  # whether a target is skipped where ``upstream`` was never made
    unfinished: Callable[[Config, dict[str, Any]], str] = _finished  # why to go on with an artifact that is up to date
    divided: Callable[[Config], bool] = (
        _never  # whether other processes may make its units, which end in files, before ``make`` merges
    )
    more_units: str = ""  # what of the configuration gives more units, if anything
    preview: Callable[[Config, str], list[str]] | None = None  # lines for ``--dry-run``

    def reads(self, config: Config, name: str) -> Upstream:
        """The artifacts that the one called ``name`` is made from."""
        if self.upstream is not None:
            return self.upstream(config, name)
        return [(stage, name) for stage in self.after]

    def reads_if_fresh(self, config: Config, name: str) -> Upstream:
        """The artifacts that the one called ``name`` is made from only where they are up to date."""
        if self.used is not None:
            return self.used(config, name)
        return [(stage, name) for stage in self.uses]


def stage_named(name: str) -> Stage:
    """The stage called ``name``; its module is imported when it is needed."""
    stage: Stage = importlib.import_module(f"glasso_cli.stages.{name}").STAGE
    return stage


def sections_of(stages: Iterable[str]) -> frozenset[str]:
    """The sections of a configuration that ``stages`` and the stages before them read."""
    todo, sections, seen = list(stages), set[str](), set[str]()
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            stage = stage_named(name)
            sections |= set(stage.sections)
            todo += [*stage.after, *stage.uses, *stage.along]
    return frozenset(sections)
