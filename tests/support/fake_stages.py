"""Three stages that only shuffle text, for tests of what runs stages: no model, no mathematics.

``collect`` reads a text file, ``fit`` counts its distinct words, ``visualize`` writes two files and a manifest, and
``compare``, which only some tests add, takes the difference of two counts.
``FakeStages`` counts what each made; ``INPUTS`` is where the text files are; ``Experiment`` runs them.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from glasso_cli.artifacts import Artifact
from glasso_cli.artifacts.npz import read_npz
from glasso_cli.config import Config, public_fields
from glasso_cli.config.load import load_config
from glasso_cli.console import Console
from glasso_cli.digests import file_digests
from glasso_cli.errors import InputError
from glasso_cli.files import atomic_write
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.run import Pipeline
from glasso_cli.pipeline.stage import Stage

UPSTREAM = {"collect": (), "fit": ("collect",), "visualize": ("collect", "fit")}
FAKES = tuple(UPSTREAM)
INPUTS = Path("texts")
CONFIG = """\
out: out
model: {id: some/model}
corpora:
  films: {topic: films}
  books: {topic: books}
collect: {hook_points: [mlp.1]}
fit: {alpha: 0.1}
"""


def write_inputs(films: str = "a b a", books: str = "c d") -> Path:
    """The configuration ``c.yaml`` in the working folder, after writing it and the texts."""
    INPUTS.mkdir(exist_ok=True)
    (INPUTS / "films.txt").write_text(films)
    (INPUTS / "books.txt").write_text(books)
    Path("c.yaml").write_text(CONFIG)
    return Path("c.yaml")


@dataclass(frozen=True, eq=False, repr=False)
class Words(Artifact):
    """What ``collect`` writes."""

    kind: ClassVar[str] = "words"
    schema: ClassVar[int] = 1

    words: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Count(Artifact):
    """What ``fit`` writes."""

    kind: ClassVar[str] = "count"
    schema: ClassVar[int] = 1

    count: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Difference(Artifact):
    """What ``compare`` writes."""

    kind: ClassVar[str] = "difference"
    schema: ClassVar[int] = 1

    difference: np.ndarray


@dataclass
class FakeStages:
    """The stages by name, and the pairs of stage and corpus that were made, in order."""

    made: list[tuple[str, str]] = field(default_factory=list)
    before: Callable[[Job], None] = lambda job: None
    below: dict[str, str] = field(default_factory=dict)  # corpus → what fit says fell short

    def stages(self) -> dict[str, Stage]:
        return {
            "collect": self._collect(),
            "fit": self._fit(),
            "visualize": self._visualize(),
            "compare": self._compare(),
        }

    def _stage(self, stage: str, path: Callable[[Config, str], Path], **more: Any) -> Stage:
        def make(job: Job) -> str:
            self.before(job)
            summary: str = work(job)
            self.made.append((stage, job.corpus))
            return summary

        work, companions = more.pop("work"), more.pop("companions", lambda *_: ())
        return Stage(
            version=1,
            sections=("model", "collect"),
            after=UPSTREAM.get(stage, ()),
            paths=lambda config, corpus: (path(config, corpus), companions(config, corpus)),
            make=make,
            **more,
        )

    def _collect(self) -> Stage:
        def pins(config: Config, corpus: str) -> dict[str, Any]:
            path = INPUTS / f"{corpus}.txt"
            if not path.exists():
                raise InputError(f"There is no file {path}.", "Check the path.")
            return {"text": file_digests([path])[0]}

        def work(job: Job) -> str:
            words = sorted(set((INPUTS / f"{job.corpus}.txt").read_text().split()))
            meta = job.meta({"words": len(words)})
            job.save(Words(meta, np.array(words)))
            return f"{len(words)} words"

        return self._stage(
            "collect",
            lambda config, corpus: config.folder / "collect" / f"{corpus}.npz",
            settings=lambda config, corpus: {
                "model": public_fields(config.model),
                "collect": public_fields(config.collect),
            },
            pins=pins,
            work=work,
        )

    def _fit(self) -> Stage:
        def work(job: Job) -> str:
            arrays, _ = read_npz(job.upstream["collect"])
            metrics = {"words": len(arrays["words"])}
            below = self.below.get(job.corpus, "")
            dot = job.target.companions[0]
            with atomic_write(dot, "w") as file:
                file.write(f"// glasso: {json.dumps({'key': job.target.key})}\ngraph {{}}\n")
            job.save(Count(job.meta(metrics, below=below), np.array(len(arrays["words"]))))
            return f"{metrics['words']} counted"

        return self._stage(
            "fit",
            lambda config, corpus: config.folder / "fit" / f"{corpus}.npz",
            settings=lambda config, corpus: {"fit": public_fields(config.fit)},
            companions=lambda config, corpus: (config.folder / "fit" / f"{corpus}.dot",),
            work=work,
        )

    def _visualize(self) -> Stage:
        def work(job: Job) -> str:
            pictures = [job.target.path.parent / name for name in ("heat.svg", "net.svg")]
            for picture in pictures:
                with atomic_write(picture, "w") as file:
                    file.write("<svg/>")
            job.save_manifest(job.meta({"figures": 2}, kind="figures"), pictures)
            return "2 figures"

        return self._stage(
            "visualize",
            lambda config, corpus: config.folder / "figures" / corpus / "figures.json",
            settings=lambda config, corpus: {"visualize": public_fields(config.visualize)},
            work=work,
        )

    def _compare(self) -> Stage:
        """Neighbouring corpora, each pair by what their fits counted; not among ``UPSTREAM``."""

        def targets(config: Config) -> list[str]:
            return [f"{a}-vs-{b}" for a, b in itertools.pairwise(config.corpora)]

        def work(job: Job) -> str:
            counts = [read_npz(job.upstream[f"fit/{corpus}"])[0]["count"] for corpus in job.corpus.split("-vs-")]
            job.save(Difference(job.meta({}), np.asarray(counts[0] - counts[1])))
            return "compared"

        return self._stage(
            "compare",
            lambda config, pair: config.folder / "compare" / f"{pair}.npz",
            settings=lambda config, pair: {},
            work=work,
            targets=targets,
            upstream=lambda config, pair: [("fit", corpus) for corpus in pair.split("-vs-")],
            no_targets=("There is one corpus.", "Give another."),
        )


class Experiment:
    """An experiment in the working folder: run stages of it, and see which were made."""

    def __init__(self, stages: FakeStages, capsys: pytest.CaptureFixture[str]) -> None:
        self.stages = stages
        self.capsys = capsys
        self.config = write_inputs()
        self.out = Path("out")

    def pipeline(self, *overrides: str, force: bool = False, as_json: bool = False) -> Pipeline:
        console = Console(verbose=True, as_json=as_json)
        return Pipeline(load_config(self.config, overrides), console, "c.yaml", force)

    def run(self, *stages: str, set_: tuple[str, ...] = (), force: bool = False) -> list[tuple[str, str]]:
        """Run ``stages`` (all by default); the value is what was made."""
        before = len(self.stages.made)
        self.pipeline(*set_, force=force).run(stages or FAKES)
        return self.stages.made[before:]

    def plan(self, *overrides: str) -> dict[tuple[str, str], str]:
        return {(step.stage, step.corpus): step.reason for step in self.pipeline(*overrides).plan(FAKES)}

    def said(self) -> str:
        return self.capsys.readouterr().err

    def bytes(self) -> dict[str, bytes]:
        """Every artifact; logs and the lock are none."""
        files = [path for path in self.out.rglob("*") if path.is_file()]
        return {str(p): p.read_bytes() for p in files if p.name != ".lock" and p.suffix != ".log"}
