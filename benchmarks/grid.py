"""Every problem, size, density, number of threads and solver, in the order that lets easier ones spare harder ones."""

from __future__ import annotations

import statistics
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ladder import OVER, REACHED, SKIPPED, Outcome, Trial, climb, judged
from peers import OURS, PEERS, available
from problems import Problem, alphas_for, problem
from results import COLD, PATH, Results, Row, buffers, density
from worker import Worker, write_matrix

PATH_START, PATH_POINTS, PATH_TARGET = 0.5, 10, 1e-7
REAL_PATH_END = 0.1
OUR_LIMIT = 7200.0  # seconds: peers alone are stopped early


@dataclass(frozen=True, eq=False)
class Case:
    """A problem in memory and in a file, and what one Cholesky factorisation with inverse of it takes."""

    name: str
    problem: Problem
    file: Path
    threads: int
    ci: float  # seconds

    @property
    def p(self) -> int:
        return len(self.problem.S)


@dataclass(frozen=True, eq=False)
class Task:
    """What a solver is to do with a case: one alpha cold, or several as a path."""

    kind: str
    case: Case
    wanted: str  # "degree 20" or "alpha 0.1", of the last alpha
    alphas: tuple[float, ...]
    solver: str
    targets: tuple[float, ...]

    def key(self, target: float) -> tuple[object, ...]:
        return self.kind, self.case.name, self.case.p, self.wanted, self.case.threads, self.solver, target


class Grid:
    """The rows that the arguments ask for and the results do not have yet; each is added to them when known."""

    def __init__(self, arguments: Namespace, results: Results) -> None:
        self._arguments = arguments
        self._results = results
        self._solvers = [name for name in PEERS if name in arguments.solvers and available(name)]

    def rows(self) -> Iterator[Row]:
        for name in self._arguments.generators:
            for p in sorted(self._arguments.sizes):
                if not self._is_complete(name, p):
                    yield from self._problem(name, p)

    # -- what there is to do --------------------------------------------------------------------------

    def _wanted(self) -> list[str]:
        """From the sparsest to the densest."""
        given = self._arguments
        if given.alphas:
            return [f"alpha {alpha:g}" for alpha in sorted(given.alphas, reverse=True)]
        return [f"degree {degree:g}" for degree in sorted(given.degrees)]

    def _path_end(self, name: str) -> str:
        if self._arguments.path_end or (name == "real" and not self._arguments.alphas):
            return f"alpha {self._arguments.path_end or REAL_PATH_END:g}"
        return self._wanted()[-1]

    def _path_solvers(self) -> list[str]:
        return [name for name in self._solvers if PEERS[name].has_path and name in self._arguments.path_solvers]

    def _is_complete(self, name: str, p: int) -> bool:
        given = self._arguments
        kinds = {COLD: (self._wanted(), self._solvers, given.targets)}
        kinds[PATH] = ([self._path_end(name)], self._path_solvers(), [PATH_TARGET])
        return all(
            self._results.find(kind, name, p, wanted, threads, solver, target)
            for kind in given.kinds
            for wanted in kinds[kind][0]
            for solver in kinds[kind][1]
            for target in kinds[kind][2]
            for threads in given.threads
        )

    def _alphas(self, name: str, S: np.ndarray) -> dict[str, float]:
        """The alpha of everything wanted; a degree's is searched for unless an earlier run found it."""
        wanted = [*self._wanted(), self._path_end(name)]
        known = {each: self._results.alpha(name, len(S), each) for each in wanted}
        known |= {each: float(each.split()[1]) for each in wanted if each.startswith("alpha")}
        missing = [each for each in known if known[each] is None]
        found = alphas_for(S, [float(each.split()[1]) for each in missing])
        return {each: alpha for each, alpha in (known | dict(zip(missing, found))).items() if alpha is not None}

    # -- doing it -------------------------------------------------------------------------------------

    def _problem(self, name: str, p: int) -> Iterator[Row]:
        given = self._arguments
        made = problem(name, p, out=given.out, file=given.problem, texts=given.texts)
        alphas = self._alphas(name, made.S)
        with tempfile.TemporaryDirectory() as folder:
            file = write_matrix(made.S, Path(folder) / "S")
            for threads in given.threads:
                case = Case(name, made, file, threads, _unit(file, threads))
                if COLD in given.kinds:
                    for wanted in self._wanted():
                        for solver in self._solvers:
                            targets = tuple(given.targets)
                            yield from self._do(Task(COLD, case, wanted, (alphas[wanted],), solver, targets))
                if PATH in given.kinds:
                    yield from self._paths(case, self._path_end(name), alphas[self._path_end(name)])

    def _paths(self, case: Case, wanted: str, end: float) -> Iterator[Row]:
        if end >= PATH_START or not self._path_solvers():
            return
        grid = np.geomspace(PATH_START, end, PATH_POINTS)
        alphas = tuple(float(alpha) for alpha in grid)
        if OURS in self._solvers:  # what the path is compared with
            yield from self._do(Task(COLD, case, wanted, (alphas[-1],), OURS, (PATH_TARGET,)))
        for solver in self._path_solvers():
            some = tuple(alpha for alpha in alphas if alpha < PEERS[solver].below)
            yield from self._do(Task(PATH, case, wanted, some, solver, (PATH_TARGET,)))

    def _do(self, task: Task) -> Iterator[Row]:
        if all(self._results.find(*task.key(target)) for target in task.targets):
            return
        for outcome in self._outcomes(task):
            if not self._results.find(*task.key(outcome.target)):
                row = self._row(task, outcome)
                self._results.add(row)
                yield row

    def _outcomes(self, task: Task) -> Iterator[Outcome]:
        peer = PEERS[task.solver]
        if task.alphas[-1] >= peer.below:
            note = f"takes alphas under {peer.below:g} only"
            return (Outcome(target, SKIPPED, Trial("", np.nan), note) for target in task.targets)
        settings, cut = self._settings(task)
        return self._climbed(task, settings, cut)

    def _settings(self, task: Task) -> tuple[Sequence[str], str]:
        """The settings worth a try, and why there are no tighter ones if some were over the limit before."""
        ladder = PEERS[task.solver].ladder or [f"tol={target:g}" for target in sorted(task.targets, reverse=True)]
        over = [row for row in self._results.rows if row.setting in ladder and _spares(row, task)]
        if not over:
            return ladder, ""
        first = min(over, key=lambda row: ladder.index(row.setting))
        return ladder[
            : ladder.index(first.setting)
        ], f"{first.setting} was over the limit at p = {first.p}, {first.wanted}"

    def _climbed(self, task: Task, settings: Sequence[str], cut: str) -> Iterator[Outcome]:
        if not settings:
            yield from climb([], task.targets, _never, cut)
            return
        given, case, is_ours = self._arguments, task.case, task.solver == OURS
        limit, budget, repeats = (OUR_LIMIT, np.inf, given.repeats) if is_ours else (given.limit, given.budget, 1)
        with Worker(task.solver, case.file, task.alphas, case.threads) as worker:

            def attempt(setting: str) -> Trial:
                answers = [worker.solve(setting, limit)]
                while len(answers) < repeats and answers[-1].files:
                    answers.append(worker.solve(setting, limit))
                trial = judged(answers[-1], setting, case.problem.S, task.alphas)
                seconds = statistics.median(answer.seconds for answer in answers)
                return replace(trial, seconds=seconds) if answers[-1].files else trial

            yield from climb(settings, task.targets, attempt, cut, budget)

    def _row(self, task: Task, outcome: Outcome) -> Row:
        case, trial = task.case, outcome.trial
        in_process = not PEERS[task.solver].in_r  # what R needs is not seen
        return Row(
            kind=task.kind,
            problem=case.name,
            p=case.p,
            source=case.problem.source,
            wanted=task.wanted,
            alpha=task.alphas[-1],
            threads=case.threads,
            solver=task.solver,
            target=outcome.target,
            status=outcome.status,
            setting=trial.setting,
            seconds=trial.seconds,
            ci=trial.seconds / case.ci,
            ratio=trial.seconds / self._cold_seconds(task, outcome),
            gap=trial.gap,
            kkt=trial.kkt,
            degree=trial.degree,
            peak_gb=trial.peak / 1e9 if in_process else np.nan,
            buffers=buffers(trial.extra, case.p) if in_process else np.nan,
            note="; ".join(filter(None, [outcome.note, _left_out(task)])),
        )

    def _cold_seconds(self, task: Task, outcome: Outcome) -> float:
        """Of our cold fit of the same problem to the same gap; NaN where there is none."""
        if (task.kind, task.solver) == (COLD, OURS):
            return outcome.trial.seconds
        ours = self._results.find(*replace(task, kind=COLD, solver=OURS).key(outcome.target))
        return ours.seconds if ours and ours.status == REACHED else np.nan


def _left_out(task: Task) -> str:
    left_out = PATH_POINTS - len(task.alphas) if task.kind == PATH else 0
    return f"without the first {left_out} of {PATH_POINTS} alphas" if left_out else ""


def _unit(file: Path, threads: int) -> float:
    with Worker("unit", file, [], threads) as worker:
        return worker.solve("", 600.0).seconds


def _never(setting: str) -> Trial:
    raise AssertionError(setting)


def _spares(row: Row, task: Task) -> bool:
    """Whether a row over the limit says that the task's solver with that setting would be too."""
    case = task.case
    same = (row.problem, row.threads, row.solver) == (case.name, case.threads, task.solver)
    if row.status != OVER or not same or row.kind not in (COLD, task.kind):
        return False
    if row.p == case.p:
        return row.alpha >= task.alphas[-1] and (row.kind, row.wanted) != (task.kind, task.wanted)
    comparable = row.wanted.split()[0] == task.wanted.split()[0]
    return row.p < case.p and comparable and density(row.wanted) <= density(task.wanted)
