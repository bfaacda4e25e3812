"""Damaged and hostile files of other formats: GGUF, safetensors, JSON of models, tokenizers, texts."""

from __future__ import annotations

import json
import shutil
import struct
import time
from collections.abc import Callable
from random import Random

from attacks.damage import CHANGES
from attacks.lab import Lab
from attacks.outcome import BUG, HELD, STUCK, Outcome, last_lines
from glasso_cli.config.sections.corpora import CorpusSection
from glasso_cli.corpora.documents import read_documents
from glasso_cli.corpora.unicode import well_formed
from glasso_cli.errors import GlassoError
from glasso_cli.models.gguf_file import parse_gguf
from glasso_cli.models.load import load_model

LONGEST = 20  # seconds
TEXTS = ("\\ud83d", "\\udc00", "\\u0000", "x" * 100_000, "\x1b]0;title\x07", "<|endoftext|>", "=1+1", "\\u202e", "🎬")


def _guarded(what: str, work: Callable[[], object]) -> Outcome:
    started = time.monotonic()
    try:
        work()
    except GlassoError as error:
        if not error.message:
            return Outcome(BUG, f"{what}: an empty message")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # panics of compiled code are no Exception
        return Outcome(BUG, f"{what}: {last_lines(error)}")
    seconds = time.monotonic() - started
    return Outcome(STUCK, f"{what}: {seconds:.0f} s") if seconds > LONGEST else Outcome(HELD, what)


def _string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def gguf(lab: Lab, random: Random) -> Outcome:
    """A GGUF file with a few bytes changed, or with enormous lengths."""
    pair = _string(b"general.alignment") + struct.pack("<II", 4, 32)
    names = _string(b"tokens") + struct.pack("<IIQ", 9, 8, 2) + _string(b"a") + _string(b"b")
    tensor = _string(b"w") + struct.pack("<IQQIQ", 2, 4, 4, 0, 0)
    blob = b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + pair + names + tensor + bytes(96)
    if random.random() < 0.5:
        place = random.randrange(4, len(blob) - 8)
        blob = blob[:place] + struct.pack("<Q", random.choice([2**63, 2**64 - 1, 2**32, 2**40])) + blob[place + 8 :]
    else:
        blob = random.choice(CHANGES)(blob, random)
    return _guarded(f"GGUF {blob[:80]!r}", lambda: parse_gguf(blob))


def model(lab: Lab, random: Random) -> Outcome:
    """A model folder in which one file is damaged, or a number of the config is absurd."""
    with lab.copy(lab.root / "model") as folder:
        path = random.choice(sorted(item for item in folder.iterdir() if item.is_file()))
        if path.name == "config.json" and random.random() < 0.7:
            config = json.loads(path.read_text())
            name = random.choice(sorted(config))
            config[name] = random.choice([10**9, -1, 0, None, "x", [], {}, 1.5, True, 2**70])
            path.write_text(json.dumps(config))
            what = f"config.json with {name}: {config[name]!r}"
        else:
            change = random.choice(CHANGES)
            path.write_bytes(change(path.read_bytes(), random))
            what = f"{path.name} {change.__name__.lstrip('_')}"
        return _guarded(what, lambda: load_model(str(folder)))


def texts(lab: Lab, random: Random) -> Outcome:
    """Lines of JSON that hold anything; those that are read must be Unicode."""
    with lab.copy(lab.finished) as folder:
        path = folder / "hostile.jsonl"
        pieces = [*TEXTS, "word", " ", '"', "\\", "}", "\n", "[" * 5000]
        lines = []
        for _ in range(5):
            text = "".join(random.choice(pieces) for _ in range(4))
            lines.append(random.choice(['{"text": "%s"}', '{"text": ["%s"]}', '"%s"', '{"txt": "%s"}']) % text)
        path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
        corpus = CorpusSection(files=(str(path),))

        def work() -> None:
            for text in read_documents("hostile", corpus):
                well_formed(text).encode()

        return _guarded(f"texts {lines!r}"[:400], work)


def artifact(lab: Lab, random: Random) -> Outcome:
    """`glasso show` of an artifact, a companion or anything else, damaged."""
    from attacks.lab import run
    from attacks.outcome import of_result

    with lab.copy(lab.finished) as folder:
        files = sorted(item for item in (folder / "out").rglob("*.*") if item.is_file() and item.stat().st_size)
        path = random.choice(files)
        target = folder / f"x{random.choice(['.npz', '.dot', '.json'])}" if random.random() < 0.3 else path
        if target != path:
            shutil.copy(path, target)
        change = random.choice(CHANGES)
        target.write_bytes(change(path.read_bytes(), random))
        what = f"show {target.name} from {path.name} {change.__name__.lstrip('_')}"
        result = run("show", str(target), *random.choice([(), ("--json",)]))
        return of_result(what, result) or Outcome(HELD, what)
