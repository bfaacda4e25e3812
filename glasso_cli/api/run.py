"""The pipeline from Python: the stages of a configuration, with their files and their cache, and no terminal."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glasso_cli.console import Console, GlassoWarning
from glasso_cli.errors import extras_needed

Config = str | os.PathLike[str] | Mapping[str, Any]


@dataclass
class _Quiet(Console):
    """Notes and results are kept, warnings become Python's."""

    quiet: bool = True
    made: list[Path] = field(default_factory=list)

    def warn(self, text: str) -> None:
        self.log(f"warning: {text}")
        warnings.warn(text, GlassoWarning, stacklevel=2)

    def result(self, record: dict[str, Any]) -> None:
        self.log(f"result: {record['path']}")
        self.made.append(Path(record["path"]))


@extras_needed()
def run(config: Config, *stages: str, set: Sequence[str] = (), force: bool = False) -> list[Path]:
    """Run ``stages`` of a configuration (all of them by default), each only where its artifacts are not up to date.

    ``config`` is the path of a YAML file, or the same as a mapping, which needs ``name`` or ``out``. ``set`` overrides
    single values, as ``--set`` does: ``set=["fit.alpha=0.2"]``. ``force`` runs what is up to date, too. The value is the
    list of all files of these stages, artifacts and what lies beside them, for :func:`load` and for looking at.

    Raises :class:`ConfigError` for a configuration with problems, :class:`UpstreamError` when an artifact that a stage
    reads is missing, and :class:`BelowBar` when something fell short after all is written.
    """
    from glasso_cli.config.env_file import load_env_file
    from glasso_cli.config.load import load_config
    from glasso_cli.pipeline.run import STAGES, Pipeline, stage_range
    from glasso_cli.pipeline.stage import sections_of

    chosen = list(stages) or list(STAGES)
    for stage in chosen:
        stage_range(stage, stage)  # raises for a name that does not exist
    load_env_file(Path(".env"))
    with tempfile.TemporaryDirectory() as folder:
        path = _file_of(config, Path(folder))
        loaded = load_config(path, list(set), sections_of(chosen))
    console = _Quiet()
    Pipeline(loaded, console, str(path), force, unasked=not stages).run(chosen)
    return console.made


def _file_of(config: Config, folder: Path) -> Path:
    """The file of a configuration; a mapping is written to one, so that it is checked in the same way."""
    import yaml

    if not isinstance(config, Mapping):
        return Path(config)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(dict(config), allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path
