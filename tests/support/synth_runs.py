"""Run ``glasso synth`` in the working folder, and look at what it left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from glasso_cli.cli.app import app
from support.chat_api import ChatApi


class Synth:
    """Runs ``glasso synth c.yaml`` in this process."""

    manifest = Path("out/synth/tides.json")
    texts = Path("out/synth/tides.jsonl")

    def __init__(self, api: ChatApi) -> None:
        self.api = api

    def __call__(self, *words: str, code: int = 0, **synth: Any) -> Any:
        """The result of the command with these values of the section ``synth``."""
        changes = [word for name, value in synth.items() for word in ("--set", f"synth.{name}={json.dumps(value)}")]
        result = CliRunner().invoke(app, ["synth", "c.yaml", *changes, *words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    def refused(self, code: int, **synth: Any) -> str:
        """What a command that ends with ``code`` says, as one line after checking its form."""
        result = self("-q", code=code, **synth)
        lines = [line for line in result.stderr.splitlines() if not line.startswith("warning")]
        assert lines[0].startswith("error: ")
        assert len(lines) >= 2, "what was wrong, and what to do"
        return " ".join(line.strip() for line in lines)

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.texts.read_text(encoding="utf-8").splitlines()]

    def metrics(self) -> dict[str, Any]:
        metrics: dict[str, Any] = json.loads(self.manifest.read_text(encoding="utf-8"))["metrics"]
        return metrics

    @staticmethod
    def kept() -> list[Path]:
        """The files of the answers."""
        return sorted(Path("answers").rglob("*.json"))


def write_config(url: str) -> None:
    """``c.yaml`` in the working folder."""
    Path("c.yaml").write_text(
        f"""\
out: out
model: {{id: some/model}}
corpora: {{tides: {{topic: the tides}}}}
synth: {{provider: openai, model: small, base_url: "{url}", examples: 6, cache: answers}}
collect: {{hook_points: [mlp.1]}}
"""
    )
