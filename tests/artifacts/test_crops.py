"""What crops say of themselves, and which pixels and boxes they give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glasso_cli.artifacts.crops import Crops


def crops(kind: str, mark: str, **changes: Any) -> Crops:
    given: dict[str, Any] = {
        "of": np.array([0, -1], np.int32),
        "pixels": np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5, 1),
        "sizes": np.array([[3, 4], [4, 5]], np.int32),
        "boxes": np.array([[[0, 1, 2, 3], [np.nan] * 4]] * 2, np.float32),
        "field": np.array([[3, 5], [7, 7]], np.int32),
        "extent": np.array([20, 21]),
        "whole": np.array([64, 1200]),
        "points": np.array([0, 1], np.int32),
    }
    return Crops(kind=kind, mark=mark, **(given | changes))


@pytest.mark.parametrize(
    ("kind", "mark", "said"),
    [
        ("image", "field", "20 x 21 pixels of images of 64 x 1,200. The box is the receptive field (3 x 5, 7 x 7 pixels)"),
        ("image", "cell", "Each position depends on the whole image; the box is its cell"),
        ("image", "whole", "Each position depends on the whole image."),
        ("sequence", "step", "up to 21 steps from left to right, with the 64 channels from above, each on its own scale"),
        ("sequence", "field", "The box is the receptive field (5, 7 steps)"),
        ("row", "whole", "given by the number of their document"),
    ],
)  # fmt: skip
def test_crops_say_what_they_show(kind: str, mark: str, said: str) -> None:
    assert said in crops(kind, mark).in_words


def test_without_a_field_a_sample_is_a_whole_document() -> None:
    none = np.zeros((2, 2), np.int32)
    assert crops("image", "whole", field=none).in_words.endswith("A sample is a whole image.")
    one = crops("sequence", "whole", field=none, whole=np.array([1, 30])).in_words
    assert one == "Crops are up to 21 steps from left to right: bright is high. A sample is a whole sequence."


def test_a_picture_has_the_pixels_in_use_and_a_box_is_that_of_the_hook_point() -> None:
    found = crops("image", "field")
    np.testing.assert_array_equal(found.picture(0)[..., 0], np.arange(20).reshape(4, 5)[:3, :4])
    assert found.box(0, 0) == (0, 1, 2, 3)
    assert found.box(0, 1) is None
