"""Run stages against files: what is fresh, what must run, in which order, under the folder's lock."""

from __future__ import annotations

import platform
import shlex
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import glasso_cli
from glasso_cli.artifacts.keys import material_of
from glasso_cli.artifacts.manifest import stored_meta, verified_content
from glasso_cli.config import Config
from glasso_cli.console import Console
from glasso_cli.digests import State, watch
from glasso_cli.engine.shares import Part
from glasso_cli.engine.tasks import Engine, using
from glasso_cli.errors import BelowBar, ConfigError, GlassoError, NoPairsError, ServiceError, UnitsFailed, UpstreamError
from glasso_cli.files import drop_leftovers
from glasso_cli.pipeline import cache
from glasso_cli.pipeline.engines import engine_of
from glasso_cli.pipeline.fan_out import fan_out
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.order import Work, early_first
from glasso_cli.pipeline.parts import make_part
from glasso_cli.pipeline.shared import Shared
from glasso_cli.pipeline.stage import stage_named

# in the order they run; each is a module of glasso_cli.stages
STAGES = (
    *("synth", "collect", "fit", "structure", "influence", "score", "pathways"),
    *("intervene", "audit", "compare", "explorer", "visualize"),
)


@dataclass(frozen=True)
class Step:
    """One line of the plan."""

    stage: str
    corpus: str
    fresh: bool
    reason: str


@dataclass
class Pipeline:
    """The stages of one configuration."""

    config: Config
    console: Console
    command: str = ""  # the configuration and overrides as typed, for advice
    force: bool = False
    unasked: bool = (
        False  # the stages were not named one by one, so that some run only where the configuration asks for them
    )
    part: Part | None = None  # what this process makes of the work, where others make the rest
    engine: Engine | None = None  # while the stages run
    _running: str = ""
    _selected: tuple[str, ...] = ()  # the stages of this run
    _steps: dict[tuple[str, str], Step] = field(default_factory=dict)
    _pinned: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    _states: dict[tuple[str, str], dict[Path, State]] = field(default_factory=dict)  # of files, when they were pinned
    _assumed: dict[tuple[str, str], GlassoError] = field(default_factory=dict)  # why inputs were not looked up
    _left_out: set[Work] = field(default_factory=set)  # what could not be made, and was not asked for
    _merged: list[cache.Target] = field(default_factory=list)  # artifacts whose units an engine made

    # -- asking -----------------------------------------------------------------------------------

    def plan(self, stages: Sequence[str]) -> Iterator[Step]:
        """What ``stages`` would do, in order, for all that they make."""
        for stage, corpus in self._work(stages):
            step = self.step(stage, corpus)
            again = "forced" if self.force else self._unfinished(stage, corpus) if step.fresh else ""
            yield replace(step, fresh=False, reason=again) if again and step.fresh else step

    def preview(self, stage: str) -> Iterator[tuple[str, list[str]]]:
        """What ``stage`` has to say about its work before it does it, by the names of what it makes."""
        preview = stage_named(stage).preview
        if preview is not None:
            for corpus in self._targets(stage, alone=True):
                yield corpus, preview(self.config, corpus)

    def made(self, stage: str) -> list[Path]:
        """The files of a stage: its artifacts, each followed by those beside it."""
        targets = [self._target(stage, corpus) for corpus in self._targets(stage, alone=False)]
        return [path for target in targets for path in (target.path, *target.companions)]

    def _work(self, stages: Sequence[str]) -> list[Work]:
        """All that ``stages`` make, in the order in which it is made; selects them."""
        asked = {of for stage in stages for of in (stage, *stage_named(stage).along)}
        self._selected = tuple(stage for stage in STAGES if stage in asked)
        alone = len(stages) == 1
        work = [(stage, corpus) for stage in self._selected for corpus in self._targets(stage, alone=alone)]
        if alone and not work:
            raise ConfigError(*stage_named(stages[0]).no_targets)
        return early_first(work, lambda item: stage_named(item[0]).early, lambda item: self._may_read(*item))

    def _may_read(self, stage: str, corpus: str) -> list[Work]:
        made = stage_named(stage)
        return [*made.reads(self.config, corpus), *((of, corpus) for of in made.uses)]

    def step(self, stage: str, corpus: str) -> Step:
        """Whether one artifact is fresh, and the reason if not."""
        if (stage, corpus) not in self._steps:
            self._steps[stage, corpus] = self._look(stage, corpus)
        return self._steps[stage, corpus]

    def fresh(self, stage: str, corpus: str) -> Path | None:
        """The artifact of ``stage``, or None where it was not made, is not up to date, or is not made of this corpus."""
        path = self._path(stage, corpus)
        there = corpus in stage_named(stage).targets(self.config) and path.exists()
        return path if there and self.step(stage, corpus).fresh else None

    def _unfinished(self, stage: str, corpus: str) -> str:
        """Why ``stage`` goes on with an artifact that is up to date; empty when there is nothing left to do."""
        return stage_named(stage).unfinished(self.config, stored_meta(self._path(stage, corpus)))

    def _look(self, stage: str, corpus: str) -> Step:
        for label, upstream in self._reads(stage, corpus).items():
            if not self.step(*upstream).fresh:
                return Step(stage, corpus, False, f"{label} will run first")
        state = self._state(self._target(stage, corpus))
        return Step(stage, corpus, state.fresh, state.reason)

    def _state(self, target: cache.Target) -> cache.Freshness:
        """Whether a target is up to date; raises what kept its inputs from being looked up when it must be made."""
        state = cache.freshness(target)
        error = self._assumed.get((target.stage, target.corpus))
        if error is None:
            return state
        running = target.stage == self._running
        if running and (self.force or not state.fresh or not isinstance(error, ServiceError)):
            raise error
        if state.fresh:
            self.console.warn(f"{error.message} Taking {target.path} as it is, without checking its inputs.")
            del self._assumed[target.stage, target.corpus]
        return state

    def _target(self, stage: str, corpus: str) -> cache.Target:
        made = stage_named(stage)
        path, companions = made.paths(self.config, corpus)
        inputs = dict(self._pins(stage, corpus, path))
        inputs["upstream"] = {
            label: verified_content(self._path(*upstream)) for label, upstream in self._reads(stage, corpus).items()
        }
        material = material_of(stage, made.version, made.settings(self.config, corpus), inputs)
        return cache.Target(stage, corpus, path, material, tuple(companions))

    def _pins(self, stage: str, corpus: str, path: Path) -> dict[str, Any]:
        """The outside inputs, looked up once a run: digests of large files take their time."""
        if (stage, corpus) not in self._pinned:
            with watch() as self._states[stage, corpus]:
                self._pinned[stage, corpus] = self._look_up(stage, corpus, path)
        return self._pinned[stage, corpus]

    def _look_up(self, stage: str, corpus: str, path: Path) -> dict[str, Any]:
        """The outside inputs; where they cannot be looked up, what the artifact says they were.

        Artifacts travel: `fit` must run where the model or the texts of `collect` are not at hand. If a service is
        down, a stage whose artifact is up to date warns and carries on. A wrong input always fails.
        """
        try:
            return dict(stage_named(stage).pins(self.config, corpus))
        except GlassoError as error:
            try:
                stored = dict(stored_meta(path)["material"]["inputs"])
            except (GlassoError, KeyError, TypeError):
                raise error from None
            stored.pop("upstream", None)
            self._assumed[stage, corpus] = error
            return stored

    def _targets(self, stage: str, *, alone: bool) -> Sequence[str]:
        """The names of the artifacts of ``stage``; none where it is not run ``alone`` and the configuration does not ask for it."""
        made = stage_named(stage)
        if self.unasked and not alone and not made.unasked(self.config):
            return []
        return [name for name in made.targets(self.config) if not self._is_skipped(stage, name)]

    def _note_skipped(self, stage: str) -> None:
        for name in stage_named(stage).targets(self.config):
            if self._is_skipped(stage, name):
                reads = stage_named(stage).reads(self.config, name)
                missing = {of for of, corpus in reads if not self._is_made(of, corpus)}
                commands = " and ".join(f"`glasso {of} {self.command}`" for of in STAGES if of in missing)
                if commands:
                    self.console.note(f"{stage} {name}: left out, since it needs {commands} first")

    def _is_skipped(self, stage: str, corpus: str) -> bool:
        """Whether an optional target is left out: what it is made from was never made, and is not about to be."""
        made = stage_named(stage)
        if not made.optional(self.config, corpus):
            return False
        needed, one_of = made.reads(self.config, corpus), made.one_of(self.config, corpus)
        is_nothing = bool(one_of) and not any(self._is_made(*pair) for pair in one_of)
        return is_nothing or not all(self._is_made(*pair) for pair in needed)

    def _is_made(self, stage: str, corpus: str) -> bool:
        """Whether an artifact was ever made, or is about to be."""
        return self._is_asked(stage, corpus) or self._path(stage, corpus).exists()

    def _is_asked(self, stage: str, corpus: str) -> bool:
        return stage in self._selected and corpus in self._targets(stage, alone=False)

    def _reads(self, stage: str, corpus: str) -> dict[str, tuple[str, str]]:
        """The artifacts that one reads, as stage and name, each under the label by which ``make`` finds its path."""
        made = stage_named(stage)
        used = (pair for pair in made.reads_if_fresh(self.config, corpus) if self._is_used(*pair))
        pairs = [*made.reads(self.config, corpus), *used]
        return {name if of == corpus else f"{name}/{of}": (name, of) for name, of in pairs}

    def _is_used(self, stage: str, corpus: str) -> bool:
        """Whether an artifact that is read only where it is up to date is so, or is about to be."""
        return self._is_asked(stage, corpus) or self.fresh(stage, corpus) is not None

    def _note_unused(self, stage: str, corpus: str) -> None:
        for of, name in stage_named(stage).reads_if_fresh(self.config, corpus):
            if self._path(of, name).exists() and not self._is_used(of, name):
                self.console.note(
                    f"{stage} {corpus}: {self._path(of, name)} is not up to date and is left out; "
                    f"to include it, run `glasso {of} {self.command}` first"
                )

    def _path(self, stage: str, corpus: str) -> Path:
        return stage_named(stage).paths(self.config, corpus)[0]

    # -- doing ------------------------------------------------------------------------------------

    def run(self, stages: Sequence[str]) -> None:
        """Run ``stages`` for all that they make, where the artifact is not up to date.

        Raises :class:`UpstreamError` when an artifact that a stage reads is missing or stale, :class:`ConfigError` when
        a stage that is run alone has nothing to make, and :class:`BelowBar` after all the work is done and saved, when something fell short.
        """
        below: list[str] = []
        with self._locked(), self._engine(), Shared() as shared:
            work = self._work(stages)
            taken = {of for stage in self._selected for of in stage_named(stage).along}
            for stage in self._selected:
                if stage not in taken:  # the stage that takes it along says the same
                    self._note_skipped(stage)
            for stage, part in groupby(work, key=lambda item: item[0]):
                shared.make_room()
                failed: list[UnitsFailed] = []
                with self._logged(stage):
                    for _, corpus in part:
                        if not self._left_out.isdisjoint(stage_named(stage).reads(self.config, corpus)):
                            continue
                        try:
                            below += self._run_one(stage, corpus, shared)
                        except UnitsFailed as error:
                            failed.append(error)
                        except NoPairsError as error:
                            self._leave_out(stage, corpus, error)
                    if failed:
                        raise UnitsFailed("\n  ".join(error.message for error in failed), failed[0].hint)
        if below:
            raise BelowBar("\n  ".join(below), "The work is saved, and later stages can use it.")

    def _leave_out(self, stage: str, corpus: str, error: NoPairsError) -> None:
        """Go on without an artifact that nobody asked for; raises ``error`` for one that is named, or has its own section."""
        if not self.unasked or stage in self.config.model_fields_set:
            raise error
        self.console.note(f"{stage} {corpus}: left out. {error.message} {error.hint}")
        self._left_out.add((stage, corpus))

    @contextmanager
    def _engine(self) -> Iterator[None]:
        """The engine of the configuration, which starts with the first work for it; a part of the work has none."""
        self.engine = engine_of(self.config, self.console) if self.part is None else None
        try:
            with using(self.engine if self.config.engine.kind == "dask" else None):
                yield
        finally:
            if self.engine is not None:
                self.engine.close()
                self.engine = None
            # A cluster may make a unit twice where a process ended, and write it when the artifact is there.
            while self._merged:
                cache.drop_partials(self.config.folder, self._merged.pop())

    def _locked(self) -> AbstractContextManager[None]:
        """The lock of the folder; parts of one computation work side by side, and write files that the first to finish gives."""
        if self.part is not None and not self.part.prepares:
            return nullcontext()
        return cache.lock(self.config.folder)

    @contextmanager
    def _logged(self, stage: str) -> Iterator[None]:
        """Keep a log of one stage, with the way it ended if not well."""
        self._running = stage
        self.console.log_path = self.config.folder / "logs" / f"{stage}.log"
        version = f"glasso {glasso_cli.__version__} python {platform.python_version()}"
        self.console.log(f"{version}: {shlex.join(sys.argv[1:])}")
        try:
            yield
        except GlassoError as error:
            self.console.log(f"error: {error.message}")
            raise
        except BaseException:
            self.console.log(traceback.format_exc())
            raise

    def _run_one(self, stage: str, corpus: str, shared: Shared) -> list[str]:
        if self.part is None:
            drop_leftovers(self._path(stage, corpus).parent)
        self._note_unused(stage, corpus)
        self._require_upstream(stage, corpus)
        with watch() as states:
            target = self._target(stage, corpus)
        state = self._state(target)
        again = "forced" if self.force else self._unfinished(stage, corpus) if state.fresh else ""
        if state.fresh and not again:
            self.console.note(f"{stage} {corpus}: up to date")
            return self._report(target, cached=True, seconds=0.0)
        if not self.force:
            cache.refuse_foreign(target)
        reason = again if state.fresh else state.reason
        self.console.detail(f"{stage} {corpus}: {reason}")
        pieces = cache.partial_folder(self.config.folder, target)
        if self.force:
            cache.drop_partials(self.config.folder, target)
        upstream = {label: self._path(*read) for label, read in self._reads(stage, corpus).items()}
        started = time.monotonic()
        previous = None if self.force else target.path
        outside = self._states[stage, corpus]
        states |= outside
        if self.part is not None and not self.part.prepares:
            cache.refuse_changed_inputs(outside, pieces)
        elif outside and cache.keep_pieces_of(outside, pieces):
            self.console.detail(f"{stage} {corpus}: an input was written since, so finished parts are made again")
        job = Job(self.config, corpus, target, upstream, pieces, self.console, previous, states, shared)
        made = stage_named(stage)
        if self.part is not None:
            make_part(job, made.make, self.part, self.command)
            return []
        if self.engine is not None and made.divided(self.config):
            summary = fan_out(job, self.engine)
            self._merged.append(target)
        else:
            summary = made.make(job)
        cache.drop_partials(self.config.folder, target)
        self._steps.clear()
        seconds = time.monotonic() - started
        self.console.note(f"{stage} {corpus}: {summary} ({seconds:.1f} s)")
        return self._report(target, cached=False, seconds=seconds)

    def _require_upstream(self, stage: str, corpus: str) -> None:
        for upstream, of in self._reads(stage, corpus).values():
            step = self.step(upstream, of)
            if not step.fresh:
                raise UpstreamError(
                    f"{stage} reads {self._path(upstream, of)}, which is not up to date: {step.reason}.",
                    f"Run: glasso {upstream} {self.command}   (or all of it: glasso run {self.command})",
                )

    def _report(self, target: cache.Target, *, cached: bool, seconds: float) -> list[str]:
        """Name the files of an artifact on stdout; return what missed its target.

        All of it is read from the artifact, so that what was found says the same as what was made.
        """
        meta = stored_meta(target.path)
        record = {
            "stage": target.stage,
            "corpus": target.corpus,
            "key": target.key,
            "cached": cached,
            "seconds": round(seconds, 3),
            "metrics": meta.get("metrics", {}),
        }
        beside = [target.path.parent / name for name in meta.get("companions", {})]
        for path in dict.fromkeys((target.path, *target.companions, *beside)):
            self.console.result({"path": str(path), **record})
        return [meta["below"]] if meta.get("below") else []


def stage_range(first: str | None, last: str | None) -> list[str]:
    """The stages from ``first`` to ``last``; raises :class:`ConfigError` for names out of order."""
    names = list(STAGES)
    for name in (first, last):
        if name is not None and name not in names:
            raise ConfigError(f"There is no stage '{name}'.", f"The stages are: {', '.join(names)}.")
    start = names.index(first) if first else 0
    stop = names.index(last) if last else len(names) - 1
    if start > stop:
        raise ConfigError(f"'{first}' comes after '{last}'.", f"The stages run in this order: {', '.join(names)}.")
    return names[start : stop + 1]
