"""Run attacks and count what came of them: ``python tests/attacks/run.py --seed 1 --number 200``.

Every attack draws from its own random numbers, so that a failure can be repeated alone: ``--only damage --seed 17``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from attacks import configs, damage, readers, servers, signals, swaps
from attacks.lab import Lab, lab
from attacks.outcome import HELD, Outcome, Tally

# name → the attack, and how many of it there are for a hundred
ATTACKS: dict[str, tuple[Callable[[Lab, Random], Outcome], int]] = {
    "damage": (damage.attack, 25),
    "signals": (signals.attack, 4),
    "swaps": (swaps.attack, 5),
    "configs": (configs.attack, 400),
    "gguf": (readers.gguf, 200),
    "model files": (readers.model, 15),
    "texts": (readers.texts, 60),
    "show": (readers.artifact, 25),
    "servers": (servers.attack, 15),
}


def attacks(seed: int, number: int, only: str | None = None) -> Iterator[tuple[str, int, Outcome]]:
    """The name, the seed and the outcome of every attack; ``number`` scales how many there are of each."""
    with lab() as here:
        for name, (attack, share) in ATTACKS.items():
            if only in (None, name):
                for index in range(max(1, share * number // 100)):
                    yield name, seed + index, attack(here, Random(f"{name} {seed + index}"))


def main() -> int:
    """Print the counts, and every attack that did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--number", type=int, default=100, help="about how many attacks on artifacts, times four")
    parser.add_argument("--only", choices=list(ATTACKS), help="one kind of attack")
    options = parser.parse_args()
    tally, started = Tally(), time.monotonic()
    for name, seed, outcome in attacks(options.seed, options.number, options.only):
        tally.add(name, outcome)
        if outcome.kind != HELD:
            print(f"{outcome.kind}: {name}, seed {seed}: {outcome.what}", flush=True)
    print(f"\n{'attack':<12}  held  others")
    for name in ATTACKS:
        counts = {kind: count for (of, kind), count in tally.counts.items() if of == name}
        others = ", ".join(f"{count} {kind}" for kind, count in counts.items() if kind != HELD) or "none"
        print(f"{name:<12}  {counts.get(HELD, 0):>4}  {others}")
    print(
        f"{sum(tally.counts.values())} attacks in {time.monotonic() - started:.0f} s, {len(tally.failures)} did not hold"
    )
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
