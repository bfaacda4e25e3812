"""Configurations with random mistakes: read, or refused with a sentence, and soon."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

from attacks.lab import Lab
from attacks.outcome import BUG, HELD, STUCK, Outcome, last_lines
from glasso_cli.config.load import load_config
from glasso_cli.errors import GlassoError

PIECES = (
    "", ":", "- ", "{", "}", "[", "]", "#", "'", '"', "&a ", "*a", "!!python/object:os.system ", "<<: ", "|\n", "\t", "\0",
    "~", "null", "0x" + "f" * 400, "1e999", "-1", ".inf", ".nan", "12:30", "\ud800", "\x1b[31m", "é", "🎬", "yes", "no",
    "9" * 5000, "${HOME}", "$NOT_SET", "sk-" + "a1B2" * 10, "a" * 20_000, "[" * 500, "{a: " * 200,
    "\nfit: {alpha: 0.1}\n", "extends: c.yaml", "extends: .env", "extends: [/dev/zero]", "extends: nothing.yaml",
)  # fmt: skip


def attack(lab: Lab, random: Random) -> Outcome:
    """Change a few places of a configuration, and load it with a random override."""
    with lab.copy(lab.finished):
        text = Path("c.yaml").read_text()
        for _ in range(random.randrange(1, 5)):
            place, stop = sorted(random.randrange(len(text) + 1) for _ in range(2))
            stop = stop if random.random() < 0.2 else place + random.randrange(3)
            text = text[:place] + random.choice(PIECES) + text[stop:]
        Path("c.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
        keys = ["fit.alpha", "corpora.words.files", "out", "seed", "collect.lags", "compare.neurons", "x.y.z", ""]
        override = f"{random.choice(keys)}={random.choice(PIECES)}{random.choice(PIECES)}"
        what = f"{text[-300:]!r} with {override[:100]!r}"
        started = time.monotonic()
        try:
            load_config(Path("c.yaml"), [override] if random.random() < 0.5 else [])
        except GlassoError as error:
            if not error.message or len(error.message) > 50_000:
                return Outcome(BUG, f"{what}: a message of {len(error.message)} characters")
        except Exception as error:
            return Outcome(BUG, f"{what}: {last_lines(error)}")
        if time.monotonic() - started > 5:
            return Outcome(STUCK, f"{what}: {time.monotonic() - started:.0f} s")
        return Outcome(HELD, what)
