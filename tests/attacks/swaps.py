"""Inputs that change between the moment when their digest is taken and the moment when they are read."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest

from attacks.damage import _same
from attacks.lab import Lab, run, run_all
from attacks.outcome import HELD, SILENT, Outcome, of_result
from glasso_cli.models import load as loading


def attack(lab: Lab, random: Random) -> Outcome:
    """Replace texts or weights while the model loads, with or without putting them back."""
    with lab.copy(lab.finished) as folder, pytest.MonkeyPatch.context() as patch:
        shutil.copytree(lab.root / "model", folder / "model")
        shutil.copy(lab.root / "words.jsonl", folder)
        mine = ("--set", f"model.id={folder / 'model'}", "--set", 'corpora.words.files=["words.jsonl"]')
        target = random.choice([Path("words.jsonl"), folder / "model" / "config.json"])
        whole, back = target.read_bytes(), random.random() < 0.5
        load = loading.load_configured

        def swapped(*arguments: Any, **options: Any) -> Any:
            target.write_bytes(whole.replace(b"the", b"our") + b" \n")
            loaded = load(*arguments, **options)
            if back:
                target.write_bytes(whole)
            return loaded

        patch.setattr(loading, "load_configured", swapped)
        (folder / "out" / "collect" / "words.npz").unlink()
        what = f"{target.name} replaced while the model loads{', and put back' if back else ''}"
        try:
            result = run("collect", "c.yaml", "-q", *mine)
        finally:
            target.write_bytes(whole)
        if bad := of_result(what, result):
            return bad
        if result.exit_code == 0:
            return Outcome(SILENT, what)
        if (folder / "out" / "collect" / "words.npz").exists():
            return Outcome(SILENT, f"{what}: refused, and the artifact stands there")
        patch.undo()
        patch.setenv("GLASSO_CACHE_DIR", str(lab.root / "cache"))
        again = run_all(*mine)
        if bad := of_result(f"{what}, then again", again):
            return bad
        same = _same(lab, folder, what)
        return same if same.kind != HELD else Outcome(HELD, what)
