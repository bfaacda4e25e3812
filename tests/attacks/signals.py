"""Signals at random moments of a run, in a process of its own, and the run that follows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from random import Random

from attacks.damage import _same
from attacks.lab import Lab, run_all
from attacks.outcome import BUG, STUCK, Outcome, of_result

# 128 + the signal, or ended by it where Python was leaving already: a shell sees the same.
CODES = {signal.SIGKILL: (-9,), signal.SIGTERM: (143, -15), signal.SIGINT: (130, -2)}
# A test run in the background is started without Ctrl-C.
CODE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from glasso_cli.__main__ import main; main()"


def attack(lab: Lab, random: Random) -> Outcome:
    """End a run at a random moment, then run it to its end."""
    number = random.choice(list(CODES))
    with lab.copy(lab.interrupted) as folder:
        command = [sys.executable, "-c", CODE, "run", "c.yaml", "--to", "compare", "--force"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        seconds = random.uniform(0.3, 9)
        what = f"{signal.Signals(number).name} after {seconds:.1f} s"
        try:
            out, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            try:
                out, _ = process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                return Outcome(STUCK, f"{what}: it went on for 30 s")
        if process.returncode not in (0, *CODES[number]):
            return Outcome(BUG, f"{what}: exit {process.returncode}, {out[-400:]}")
        if "Traceback" in out or "This is a bug" in out:
            return Outcome(BUG, f"{what}: {out[-600:]}")
        result = run_all()
        if bad := of_result(f"{what}, then again", result):
            return bad
        if result.exit_code:
            return Outcome(STUCK, f"{what}: {result.output[-300:]}")
        return _same(lab, folder, what)
