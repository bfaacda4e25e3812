"""Run the real stages of ``c.yaml`` in the working folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.cli.app import app
from glasso_cli.config.load import load_config
from glasso_cli.console import Console
from glasso_cli.pipeline.run import Pipeline


class Runner:
    """Overrides are those of ``--set``; every call reads the configuration anew."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def run(self, *stages: str, set_: tuple[str, ...] = ()) -> None:
        config = load_config(Path("c.yaml"), set_)
        Pipeline(config, Console(), "c.yaml").run(list(stages))

    def collect(self, *overrides: str, out: str = "out") -> ActivationStats:
        """The statistics under these overrides, in the folder ``out``."""
        self.run("collect", set_=(*overrides, f"out={out}"))
        return ActivationStats.load(Path(out, "collect", "words.npz"))

    def fit(self, *overrides: str, out: str = "out") -> PrecisionPath:
        self.run("collect", "fit", set_=(*overrides, f"out={out}"))
        return PrecisionPath.load(Path(out, "fit", "words.npz"))

    def said(self) -> str:
        return self.capsys.readouterr().err

    @staticmethod
    def command(*words: str) -> Any:
        """The command line in this process."""
        result = CliRunner().invoke(app, list(words))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result


def interrupted_after(calls: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, interrupted in the place of every call after that many."""
    left = iter(range(calls))

    def interrupted(*arguments: Any, **options: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return function(*arguments, **options)

    return interrupted


def overrides(**sections: Any) -> tuple[str, ...]:
    """``collect={"blocks": 2}`` as the words of ``--set``."""
    return tuple(
        f"{section}.{key}={json.dumps(value)}" for section, values in sections.items() for key, value in values.items()
    )
