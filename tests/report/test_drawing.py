"""Pictures drawn in processes: the same bytes as in one, and what becomes of a picture that fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path

import pytest
from support.calls import killed
from support.studies import StudyFiles

from glasso_cli.console import PythonWarnings
from glasso_cli.engine.pool import Pool
from glasso_cli.engine.shares import ATTEMPTS
from glasso_cli.errors import DiskError, GlassoError, ServiceError
from glasso_cli.report import drawing, plots
from glasso_cli.report.drawing import draw_all
from glasso_cli.report.plots import draw
from glasso_cli.report.plots.study import Study

KINDS = ("degrees", "diagnostics", "card")


class Listener(PythonWarnings):
    """What was said."""

    def __init__(self) -> None:
        self.warned: list[str] = []

    def warn(self, text: str) -> None:
        self.warned.append(text)


@pytest.fixture
def few_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "PLOTS", {kind: plots.PLOTS[kind] for kind in KINDS})


@pytest.fixture
def files(tmp_path: Path) -> StudyFiles:
    return StudyFiles(tmp_path)


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
@pytest.mark.usefixtures("few_plots")
def test_processes_draw_what_one_draws(files: StudyFiles, tmp_path: Path) -> None:
    alone = [path.name for part in draw(files.read(), tmp_path / "alone") for path in part]
    with Pool.of(2) as workers:
        written = draw_all(files, tmp_path / "both", workers, PythonWarnings())
    assert [path.name for path in written] == alone
    assert bytes_in(tmp_path / "both") == bytes_in(tmp_path / "alone")
    assert sum(name.startswith("card-") and name.endswith(".png") for name in alone) == 2


@dataclass(frozen=True)
class Killing(StudyFiles):
    """The study, which kills the first processes that read it in another process."""

    times: int = 0

    def read(self) -> Study:
        """The study, or the end of this process."""
        if parent_process() is not None:
            killed(self.folder, 0, self.times)
        return super().read()


@pytest.mark.slow
@pytest.mark.usefixtures("few_plots")
def test_a_picture_whose_process_is_killed_is_drawn_again(files: StudyFiles, tmp_path: Path) -> None:
    alone = [path.name for part in draw(files.read(), tmp_path / "alone") for path in part]
    listener = Listener()
    with Pool.of(2) as workers:
        written = draw_all(Killing(tmp_path, ATTEMPTS - 1), tmp_path / "both", workers, listener)
    assert [path.name for path in written] == alone
    assert bytes_in(tmp_path / "both") == bytes_in(tmp_path / "alone")
    assert not listener.warned


@pytest.mark.slow
def test_a_picture_whose_process_is_always_killed_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "PLOTS", {})  # what is left is the part `tables`
    listener = Listener()
    with Pool.of(2) as workers, pytest.raises(ServiceError) as caught:
        draw_all(Killing(tmp_path, 99), tmp_path / "both", workers, listener)
    why = "the process was ended by signal 9, most likely for want of memory"
    assert listener.warned == [f"the figure 'tables' cannot be drawn ({why}); the others are"]
    assert caught.value.message == f"Drawing the figure 'tables' failed 3 times: {why}."
    assert "--threads 1" in caught.value.hint


def fails_with(error: Exception) -> Callable[..., plots.Drawn]:
    """Drawing of single parts that fails for the degrees."""
    whole = plots.draw_part

    def draw_part(subject: plots.Subject, part: str, folder: Path) -> plots.Drawn:
        if part == "degrees":
            raise error
        return whole(subject, part, folder)

    return draw_part


@pytest.mark.slow
@pytest.mark.usefixtures("few_plots")
def test_a_picture_that_fails_keeps_no_other_from_being_drawn(
    files: StudyFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "draw_part", fails_with(ZeroDivisionError("of nothing")))
    listener, folder = Listener(), tmp_path / "figures"
    with pytest.raises(ZeroDivisionError, match="of nothing"):
        draw_all(files, folder, Pool(), listener)
    assert listener.warned == ["the figure 'degrees' cannot be drawn (ZeroDivisionError: of nothing); the others are"]
    assert len(list(folder.glob("*.png"))) == 3
    assert not (folder / "figures.txt").exists()


@pytest.mark.usefixtures("few_plots")
def test_a_full_disk_ends_the_drawing_at_once(
    files: StudyFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "draw_part", fails_with(DiskError("The disk is full.")))
    monkeypatch.setattr(drawing, "_SLOW", ("degrees",))  # are begun first
    listener, folder = Listener(), tmp_path / "figures"
    with pytest.raises(GlassoError, match="The disk is full"):
        draw_all(files, folder, Pool(), listener)
    assert not listener.warned
    assert not folder.exists()


def test_there_are_no_more_processes_than_threads_that_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    for threads, count in (("1", 1), ("3", 3), ("64", drawing.MOST_PROCESSES)):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        assert drawing.workers().size == count
