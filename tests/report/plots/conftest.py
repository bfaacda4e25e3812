"""The maker of studies, with the test's own folder for its files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from support.studies import build_study

from glasso_cli.report.plots.study import Study


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., Study]:
    """A function that makes a study; see :func:`build_study`."""
    return partial(build_study, tmp_path)
