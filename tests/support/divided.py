"""A small experiment whose blocks are read one by one, and the command line in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

BLOCKS = 4
STEPS = 1_024  # of a document
DOCUMENTS = 9 * BLOCKS  # more steps in a block than are read together with another
ARTIFACT = Path("out/collect/words.npz")

CODE = """
import torch
from torch import nn

def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 12), nn.Tanh(), nn.Linear(12, 2))
"""
CONFIG = f"""\
out: out
model: {{kind: torch, target: "tiny_code:make", trust: import, device: cpu}}
corpora: {{words: {{arrays: steps.npy}}}}
collect: {{hook_points: ["1:out"], lags: 4, blocks: {BLOCKS}, mask: {{massive: null}}}}
fit: {{alpha: [0.3], half_samples: 4}}
"""

# Run before anything else in a process: block 1 always fails, and says so.
POISON = """
from glasso_cli.collection import corpus_pass
make = corpus_pass.CorpusPass._make
def poisoned(self, group, *rest):
    if 1 in group:
        with open("tried", "a") as file:
            file.write("x")
        raise ValueError("this block is poison")
    make(self, group, *rest)
corpus_pass.CorpusPass._make = poisoned
"""

# The same: block 3 is not made before there is a file `released`, and a file says which process holds it.
HELD = """
import os, threading
from glasso_cli.collection import corpus_pass
make = corpus_pass.CorpusPass._make
def held(self, group, *rest):
    if 3 in group and not os.path.exists("released"):
        open(f"held-{os.getpid()}", "w").close()
        threading.Event().wait()
    make(self, group, *rest)
corpus_pass.CorpusPass._make = held
"""

# Run before anything else in a process: the unit that ends in the file of this name always fails.
POISONED_PIECE = """
from glasso_cli.pipeline import units
write = units.write_piece
def poisoned(path, *rest):
    if path.name == "{file}":
        raise ValueError("this {what} is poison")
    write(path, *rest)
units.write_piece = poisoned
"""


def write_experiment() -> None:
    """``c.yaml``, the network and the documents in the working folder."""
    rng = np.random.default_rng(0)
    np.save("steps.npy", rng.standard_normal((DOCUMENTS, STEPS, 3)).astype(np.float32))
    Path("tiny_code.py").write_text(CODE)
    Path("c.yaml").write_text(CONFIG)


def python_with(code: str) -> dict[str, str]:
    """The environment of processes that run ``code`` before anything else."""
    Path("early").mkdir(exist_ok=True)
    Path("early/sitecustomize.py").write_text(code)
    return plain_environment(PYTHONPATH=os.pathsep.join([str(Path("early").absolute()), *sys.path]))


def with_poison(file: str, what: str) -> dict[str, str]:
    """The environment of processes in which the unit that ends in ``file`` always fails, and calls itself ``what``."""
    return python_with(POISONED_PIECE.format(file=file, what=what))


def holder() -> int | None:
    """The process that holds block 3; None while there is none."""
    found = [int(path.name.removeprefix("held-")) for path in Path().glob("held-*")]
    return found[0] if found else None


def plain_environment(**more: str) -> dict[str, str]:
    """For processes that compute on one thread, and find the package and the helpers of the tests."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1", **more}


def started(*words: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """The command line ``glasso WORDS`` in a process of its own."""
    command, pipe = [sys.executable, "-m", "glasso_cli", *words], subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment or plain_environment())


def ended(*words: str, code: int = 0, environment: dict[str, str] | None = None) -> str:
    """What ``glasso WORDS`` said, which must end with ``code``."""
    process = started(*words, environment=environment)
    out, said = process.communicate()
    assert process.returncode == code, f"{process.returncode}: {out}{said}"
    return said


def pieces() -> dict[str, bytes]:
    """The finished pieces by their names."""
    return {path.name: path.read_bytes() for path in Path("out").rglob(".partial/*/*.npz")}
