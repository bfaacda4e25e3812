"""What is around the samples of images and sequences: small pictures, with a box at the sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Crops:
    """N crops, and which of them shows each of the V samples that contexts use.

    ``kind`` is ``image``, ``sequence`` (steps from left to right, channels from above) or ``row`` (no crop). ``mark`` says
    what boxes are: ``field``, the receptive field; ``cell``, the share of a position in an image on all of which it
    depends; ``patch``, the patch of a token; ``step``; or ``whole``, no box, because a sample is a whole document or has no place of its own.
    """

    kind: str
    mark: str
    of: np.ndarray  # (V,) int32, -1 for samples without a crop
    pixels: np.ndarray  # (N, h, w, 1 or 3) uint8
    sizes: np.ndarray  # (N, 2) int32: rows and columns in use
    boxes: (
        np.ndarray
    )  # (V, H, 4) float32: top, left, bottom, right of each sample in its crop, by hook point; nan for none
    field: np.ndarray  # (H, 2) int32: rows and columns of the largest receptive field, 0 where it was not measured
    extent: np.ndarray  # (2,) int32: rows and columns of the document that a crop shows at most
    whole: np.ndarray  # (2,) int32: rows and columns of the first document
    points: np.ndarray  # (p,) int32: the hook point of every neuron

    def picture(self, crop: int) -> np.ndarray:
        """The pixels in use of one crop, ``(rows, columns, 1 or 3)``."""
        rows, columns = self.sizes[crop]
        return np.asarray(self.pixels[crop, :rows, :columns])

    def box(self, sample: int, neuron: int) -> tuple[float, ...] | None:
        """The box of a sample for one neuron, in pixels of its crop: top, left, bottom and right; None without one."""
        found = self.boxes[sample, self.points[neuron]]
        return None if np.isnan(found).any() else tuple(found.tolist())

    @property
    def points_at_steps(self) -> bool:
        """Whether boxes are single steps, which are too narrow to be drawn as boxes."""
        return self.mark == "step"

    @cached_property
    def in_words(self) -> str:
        """What crops and boxes are, in one sentence or two."""
        if self.kind == "row":
            return (
                "Contexts are given by the number of their document and, where it has several samples, the place in it."
            )
        if self.kind == "image":
            return f"Crops are {_by(self.extent)} pixels of images of {_by(self.whole)}. {self._box_in_words()}"
        channels = (
            "" if self.whole[0] == 1 else f", with the {self.whole[0]:,} channels from above, each on its own scale"
        )
        return f"Crops are up to {self.extent[1]:,} steps from left to right{channels}: bright is high. {self._box_in_words()}"

    def _box_in_words(self) -> str:
        unit, document = ("pixels", "image") if self.kind == "image" else ("steps", "sequence")
        sees_all = f"Each position depends on the whole {document}"
        if self.mark == "cell":
            return f"{sees_all}; the box is its cell in the grid of positions."
        if self.mark == "patch":
            return "The box is the patch of the token, which may depend on other patches, too."
        if self.mark == "step":
            return "A triangle points at the step."
        if self.mark == "whole":
            return f"{sees_all}." if self.field.any() else f"A sample is a whole {document}."
        sizes = dict.fromkeys(_by(size) if self.kind == "image" else f"{size[1]:,}" for size in self.field)
        return f"The box is the receptive field ({', '.join(sizes)} {unit})."


def _by(size: np.ndarray) -> str:
    return f"{size[0]:,} x {size[1]:,}"
