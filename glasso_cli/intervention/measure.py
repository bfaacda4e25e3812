"""One batch of documents: every source changed in every way, and sums of the effects by document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.hooks import HookPoint
from glasso_cli.hooks.edit import Intervention
from glasso_cli.intervention.changes import Changes
from glasso_cli.intervention.outputs import VALUES, Outputs
from glasso_cli.intervention.passes import Passes, copies_for
from glasso_cli.intervention.sources import Source
from glasso_cli.intervention.study import Study, Where
from glasso_cli.intervention.sums import Counted
from glasso_cli.intervention.survey import Layout, Survey, layout_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from glasso_cli.collection.reading import Reader

LINEAR_STEPS = (0.1, 1.0)  # standard deviations, beside intervene.delta
CHECKED = 10  # one source in this many has steps of these sizes, too
DIRECTIONS = 20  # at most, and one for every CHECKED / 2 sources, but at least 4
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Directions:
    """Random directions ``(R, width)`` of the sources' sizes, added to the tensor of ``point`` in the place of a step."""

    point: HookPoint
    vectors: np.ndarray

    @classmethod
    def of(cls, study: Study, model: torch.nn.Module, delta: float, seed: int) -> Directions:
        """Directions at the output of the linear module that reads the source, or at the source itself where it is not linear."""
        rng = np.random.default_rng([seed, 1])
        single = [source.members[0] for source in study.sources if source.alone]
        singles = single or list(study.sources[0].members)
        count = int(np.clip(2 * len(study.sources) // CHECKED, 4, DIRECTIONS))
        drawn = rng.choice(singles, size=count, replace=len(singles) < count)
        if study.write_width is None:
            point, width, norms = study.source, study.source.width, study.candidates.std[drawn]
        else:
            width, norms = study.write_width, study.candidates.write_norms[drawn]
            name = f"{study.source.module}:out"
            point = HookPoint(name, study.source.layer, width, name, study.source.axes)
        vectors = rng.standard_normal((count, width))
        vectors *= (delta * norms / np.linalg.norm(vectors, axis=1))[:, None]
        return cls(point, vectors.astype(np.float32))


@dataclass(eq=False)
class Measure:
    """How one batch after another is measured."""

    passes: Passes
    study: Study
    where: Where
    changes: Changes
    kinds: Sequence[str]
    delta: float
    outputs: Outputs
    directions: Directions | None
    survey: Survey

    @property
    def checked(self) -> list[int]:
        """The sources whose linearity is checked, spread over all; none without steps."""
        return list(range(0, len(self.study.sources), CHECKED)) if "step" in self.kinds else []

    def total(self) -> int:
        """How many copies of each batch go through the network."""
        steps = 2 * (len(self.study.sources) + len(LINEAR_STEPS) * len(self.checked)) if "step" in self.kinds else 0
        random = 0 if self.directions is None else 2 * len(self.directions.vectors)
        return steps + random + len(self.study.sources) * len([kind for kind in self.kinds if kind != "step"])

    def copies(self, batch: Any) -> int:
        """Copies of ``batch`` in a pass; fewer where the output is large."""
        rows, positions = self.passes.feed.rows(batch)
        copies = copies_for(self.passes.feed, batch)
        if not self.passes.whole:
            return copies
        return max(2, min(copies, VALUES // (rows * positions * self.outputs.width) // 2 * 2))

    def batch(self, batch: Any, reader: Reader, advance: Callable[[float], None]) -> Arrays:
        """Sums over the counted tokens of each document ``(…, d, T)``, by name, and the documents ``(d,)``."""
        copies = self.copies(batch)
        with self.passes.over(batch, reader, copies) as clean:
            layout = layout_of(clean, batch, self.passes.feed, self.where)
            return _Batch(self, batch, layout, copies, advance).everything()


@dataclass(eq=False)
class _Batch:
    """The batch at work."""

    measure: Measure
    batch: Any
    layout: Layout
    copies: int
    advance: Callable[[float], None]

    @property
    def counted(self) -> Counted:
        return self.layout.counted

    @property
    def changed(self) -> Tensor | None:
        return self.layout.changed

    def everything(self) -> Arrays:
        measure, sources = self.measure, self.measure.study.sources
        reference, output = measure.passes.edited([], self.copies, whole=True)
        self.reference = [part[..., own] for part, own in zip(reference, self._columns(reference))]
        self.scores = self._scored(output, clean=True)
        plain, squares, scores = [], [], []
        for kind in measure.kinds:
            found = self._steps(sources, measure.delta, whole=True) if kind == "step" else self._others(kind, sources)
            plain.append(found[0])
            squares.append(found[1])
            scores.append(found[2])
        checked = [sources[index] for index in measure.checked]
        linear = [self._steps(checked, size)[0] for size in LINEAR_STEPS] if checked else []
        outside = self._outside(checked) if checked else np.zeros(0)
        d, width = len(self.counted.documents), len(measure.study.rows)
        random = self._random() if measure.directions is not None else (np.zeros((0, d, width)),) * 2
        return {
            "documents": self.counted.documents,
            "sums": np.stack(plain),
            "squares": np.stack(squares),
            "linear": np.stack(linear) if linear else np.zeros((0, 0, d, width)),
            "outside": outside,
            "random": random[0],
            "random_squares": random[1],
            "outputs": np.stack(scores),
            "output_tokens": self._output_tokens(),
        }

    # -- the kinds of change --------------------------------------------------------------------------

    def _steps(
        self, sources: Sequence[Source], size: float, *, whole: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Central differences per standard deviation: sums, squares, and effects on the output."""
        changes, half = self.measure.changes, self.copies // 2
        found = []
        for some in _groups(sources, half):
            full = [*some, *[some[-1]] * (half - len(some))]
            edits = [changes.step(source, sign * size) for sign in (1, -1) for source in full]
            read, output = self.measure.passes.edited(edits, self.copies, self.changed, whole=whole)
            found.append(self._central(read, output, size, len(some)))
        return _joined(found)

    def _central(
        self, read: Sequence[Tensor], output: Any, size: float, count: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        half = self.copies // 2
        slopes = []
        for part, own in zip(read, self._columns(read)):
            up, down = part[:count], part[half : half + count]
            slopes.append(((up - down) / (2 * size))[..., own])
        plain, squares = self.counted.both(slopes)
        scores = self._output_slopes(output, size, count)
        self.advance(2 * count)
        return plain, squares, scores

    def _others(self, kind: str, sources: Sequence[Source]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Changed minus clean: sums, squares, and effects on the output."""
        found = []
        for some in _groups(sources, self.copies):
            full = [*some, *[some[-1]] * (self.copies - len(some))]
            edits = [self.measure.changes.other(kind, source, self.layout.documents) for source in full]
            read, output = self.measure.passes.edited(edits, self.copies, self.changed, whole=True)
            parts = [part[..., own] - clean for part, own, clean in zip(read, self._columns(read), self.reference)]
            plain, squares = self.counted.both([part[: len(some)] for part in parts])
            found.append((plain, squares, self._output_changes(output, len(some))))
            self.advance(len(some))
        return _joined(found)

    def _random(self) -> tuple[np.ndarray, np.ndarray]:
        """The same as a step, of random directions."""
        import torch

        measure, half = self.measure, self.copies // 2
        assert measure.directions is not None
        device, found = self.layout.documents.device, []
        rows = measure.passes.feed.rows(self.batch)[0]
        for start in range(0, len(measure.directions.vectors), half):
            some = torch.from_numpy(measure.directions.vectors[start : start + half]).to(device)
            full = torch.cat([some, some[-1:].expand(half - len(some), -1)])
            delta = torch.cat([full, -full])

            def push(current: Tensor, delta: Tensor = delta) -> Tensor:
                apart = current.reshape(self.copies, rows, -1, current.shape[-1])
                return (apart + delta[:, None, None].to(current.dtype)).reshape(current.shape)

            limited = None if self.changed is None else self.changed.repeat(self.copies, 1)
            read, output = measure.passes.run(
                [Intervention(measure.directions.point, push, None, limited)], self.copies
            )
            found.append(self._central(read, output, measure.delta, len(some)))
        plain, squares, _ = _joined(found)
        return plain, squares

    def _outside(self, sources: Sequence[Source]) -> np.ndarray:
        """How many values of the targets, at counted tokens, lie outside their clean range after a step up or down: ``(L,)``."""
        import torch

        measure, counts = self.measure, []
        low, high = measure.survey.target_range
        for some in _groups(sources, self.copies // 2):
            edits = [measure.changes.step(source, sign * measure.delta) for source in some for sign in (1, -1)]
            read, _ = measure.passes.edited(edits, self.copies, self.changed)
            side = torch.cat([part[..., own] for part, own in zip(read, self._columns(read))], dim=-1)
            side = side[: len(edits), self.counted.kept]
            counts.append(((side < low) | (side > high)).sum(dim=(1, 2)).view(-1, 2).sum(1).cpu().numpy())
        return np.concatenate(counts)

    def _columns(self, read: Sequence[Tensor]) -> list[Any]:
        """What takes the measured neurons out of each target: everything, or their coordinates."""
        import torch

        found: list[Any] = []
        for part, own in zip(read, self.measure.study.columns):
            everything = len(own) == part.shape[-1]
            found.append(slice(None) if everything else torch.from_numpy(own).to(part.device))
        return found

    # -- the output -----------------------------------------------------------------------------------

    def _scored(self, output: Any, *, clean: bool = False) -> Tensor | None:
        if output is None or not self.measure.passes.whole:
            return None
        rows, positions = self.measure.passes.feed.rows(self.batch)
        if clean:
            self.measure.outputs.set_clean(output, rows)
        return self.measure.outputs.of(output, self.batch, rows, positions)

    def _output_slopes(self, output: Any, size: float, count: int) -> np.ndarray:
        """Central differences; of a divergence, which has no sign, the mean of both steps."""
        scores, half = self._scored(output), self.copies // 2
        if scores is None:
            return self._nothing(count)
        up, down = scores[:count], scores[half : half + count]
        slopes = (up - down) / (2 * size)
        for column, name in enumerate(self.measure.outputs.names):
            if name == "kl":
                slopes[..., column] = (up[..., column] + down[..., column]) / 2
        return self._output_sums(slopes)

    def _output_changes(self, output: Any, count: int) -> np.ndarray:
        scores = self._scored(output)
        if scores is None or self.scores is None:
            return self._nothing(count)
        return self._output_sums(scores[:count] - self.scores[:count])

    def _nothing(self, count: int) -> np.ndarray:
        return np.zeros((count, len(self.counted.documents), 0))

    def _output_sums(self, values: Tensor) -> np.ndarray:
        return self.counted.sums(values.nan_to_num(0.0)).double().cpu().numpy()

    def _output_tokens(self) -> np.ndarray:
        """At how many counted tokens of each document each output has a value, ``(d, O)``."""
        if self.scores is None:
            return np.zeros((len(self.counted.documents), 0))
        return self.counted.sums((~self.scores[:1].isnan()).float())[0].double().cpu().numpy()


def _groups(sources: Sequence[Source], size: int) -> Iterator[Sequence[Source]]:
    for start in range(0, len(sources), size):
        yield sources[start : start + size]


def _joined(found: Sequence[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    plain, squares, scores = (np.concatenate(parts) for parts in zip(*found))
    return plain, squares, scores
