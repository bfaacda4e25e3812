"""What ``glasso plan`` and ``--dry-run`` print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glasso_cli.pipeline.run import Pipeline


def print_plan(pipeline: Pipeline, stages: list[str], as_json: bool) -> None:
    """What ``stages`` would do and why, one line each; for a single stage, also what it says about its work."""
    for step in pipeline.plan(stages):
        if as_json:
            row = {"stage": step.stage, "corpus": step.corpus, "fresh": step.fresh}
            print(json.dumps({**row, "reason": step.reason}))
        else:
            state = "up to date" if step.fresh else f"WILL RUN    {step.reason}"
            print(f"{step.stage:<10} {step.corpus:<16} {state}")
    if len(stages) == 1:
        for corpus, lines in pipeline.preview(stages[0]):
            if as_json:
                print(json.dumps({"stage": stages[0], "corpus": corpus, "preview": lines}, ensure_ascii=False))
            else:
                print("\n".join(["", f"{corpus}:", *(f"  {line}" for line in lines)]))
