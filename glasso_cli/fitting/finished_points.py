"""Points of a path that need no solving: those of the last fit, and those of runs that were interrupted.

A point depends on the problem and on its chain of alphas (:mod:`glasso_cli.solvers.path`), not on which other alphas
there are or which is selected. So a path goes on from an artifact or a piece of the same problem, whatever its key.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from glasso_cli.artifacts import PrecisionPath
from glasso_cli.artifacts.keys import Material, key_of
from glasso_cli.artifacts.pieces import read_piece, replace_piece
from glasso_cli.errors import InputError
from glasso_cli.fitting.pieces import Pieces
from glasso_cli.solvers.path import PathPoint

_ALPHA = ("fit-alpha", 3)  # kind and schema of a piece
_OF_THE_PATH = (
    "alpha",
    "select",
    "fdr",
    "min_effect",
    "estimate",
    "null",
    "variance",
    "half_samples",
    "order",
)  # fields that choose or judge alphas; they do not change the solution at a given alpha


def problem_of(material: Material) -> str:
    """The digest of all that determines a point of given chain: the seed, which finds communities, is not in it."""
    return _digest(material, _OF_THE_PATH)


def problem_of_parts(material: Material) -> str:
    """The same for a fit without a matrix of all pairs: what is solved together depends on the alphas that are given."""
    return _digest(material, tuple(name for name in _OF_THE_PATH if name != "alpha"))


def _digest(material: Material, without: tuple[str, ...]) -> str:
    config = material["config"]
    section = {name: value for name, value in config["fit"].items() if name not in without}
    rest = {name: value for name, value in config.items() if name != "seed"}
    return key_of({**material, "config": {**rest, "fit": section}})


def all_of(
    pieces: Pieces, tell: Callable[[str], None], digest: Callable[[Material], str] = problem_of
) -> list[PathPoint]:
    """The finished points of a problem: those of interrupted runs, and those of the last fit. ``digest`` made its name."""
    done = of_pieces(pieces.folder, pieces.problem, tell)
    if pieces.previous is not None:
        done += of_artifact(pieces.previous, pieces.problem, digest)
    return done


# -- the last fit -----------------------------------------------------------------------------------


def of_artifact(path: Path, problem: str, digest: Callable[[Material], str] = problem_of) -> list[PathPoint]:
    """The points of the fit at ``path``; none where there is no such fit, or one of another problem.

    ``digest`` is what ``problem`` was made by.
    """
    try:
        fit = PrecisionPath.load(path)
        if digest(fit.meta["material"]) != problem:
            return []
    except (InputError, KeyError):
        return []
    return fit.points()  # copies: the file will be replaced


# -- pieces -----------------------------------------------------------------------------------------


def save_piece(folder: Path, point: PathPoint, problem: str, kind: str = "alpha") -> None:
    """Write one point to ``folder``, the place for pieces of one key; ``kind`` begins the name of its file."""
    arrays, numbers = point.to_arrays()
    replace_piece(folder / f"{kind}-{point.alpha!r}.npz", *_ALPHA, arrays, {"problem": problem, "numbers": numbers})


def of_pieces(folder: Path, problem: str, tell: Callable[[str], None], kind: str = "alpha") -> list[PathPoint]:
    """The points of ``problem`` in ``folder`` and in those of other keys of the same stage and corpus."""
    same, _, _ = folder.name.rpartition("-")
    points = []
    for path in sorted(folder.parent.glob(f"{same}-*/{kind}-*.npz")):
        part = read_piece(path, *_ALPHA, tell)
        if part is not None and part[1].get("problem") == problem:
            arrays, meta = part
            points.append(PathPoint.from_arrays(arrays, meta["numbers"]))
    return points
