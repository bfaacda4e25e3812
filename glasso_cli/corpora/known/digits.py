"""The 1,797 images of written digits in scikit-learn, enlarged and scaled as EfficientNet-Lite reads images."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

SIDE = 64  # pixels
_MEAN, _STD = 127 / 255, 128 / 255


def every() -> np.ndarray:
    """All digits, ``(1797, 3, 64, 64)`` float32; each image is a document."""
    return _images(range(10))


def low() -> np.ndarray:
    """The digits 0 to 4."""
    return _images(range(5))


def high() -> np.ndarray:
    """The digits 5 to 9."""
    return _images(range(5, 10))


def _images(digits: Collection[int]) -> np.ndarray:
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    found = load_digits()
    grey = found.images[np.isin(found.target, list(digits))] / 16
    large = np.clip(zoom(grey, (1, SIDE / 8, SIDE / 8), order=1, grid_mode=True, mode="nearest"), 0, 1)
    return np.repeat(((large[:, None] - _MEAN) / _STD).astype(np.float32), 3, axis=1)
