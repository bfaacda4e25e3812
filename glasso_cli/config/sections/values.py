"""Types of configuration values that are more than a number or a word, and how messages show a value."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

MAX_ALPHAS = 1000
MAX_TEXT = 10_000  # characters of one value
_RANGE = "{from: 0.5, to: 0.05, num: 12}"


def shown(value: Any) -> str:
    """``value`` as it would be written in YAML, shortened if it is long."""
    words = {"None": "null", "True": "true", "False": "false"}
    text = words.get(repr(value), repr(value))
    return text if len(text) < 60 else text[:57] + "..."


def as_tuple(value: Any) -> Any:
    """A YAML list as a tuple, which a frozen section needs; anything else unchanged."""
    return tuple(value) if isinstance(value, list) else value


def one_or_several(value: Any) -> Any:
    """A single text as a tuple of one; a list as :func:`as_tuple` has it."""
    return (value,) if isinstance(value, str) else as_tuple(value)


def _path(value: Any) -> Any:
    if value == "":
        raise ValueError("is empty")
    return Path(expanded(value)) if isinstance(value, str) else value


def expanded(value: str) -> str:
    """``value`` with ``~`` and variables such as ``${HOME}`` filled in, as in a shell, which never sees a path in YAML."""
    filled = os.path.expanduser(os.path.expandvars(value))
    if missing := re.search(r"\$(\w+|\{[^}]*\})", filled):
        raise ValueError(f"{missing[0]} is not set in the environment; set it, or write the path out")
    if filled.startswith("~"):
        raise ValueError(f"there is no user {filled.split('/')[0][1:]!r} for the '~'; write the path out")
    return filled


def refuse_unwritable(value: Any) -> Any:
    """``value`` as it is; raises ``ValueError`` for text that no file, key or model can hold."""
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise ValueError(f"has {len(value):,} characters; give at most {MAX_TEXT:,}")
        if wrong := re.search("[\0\ud800-\udfff]", value):
            raise ValueError(f"contains {wrong[0]!a}, which is no character of a text; delete it")
    elif isinstance(value, list | tuple):
        for item in value:
            refuse_unwritable(item)
    return value


def _corpus_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
        raise ValueError(
            "a corpus name becomes a file name; use only letters, digits, '-', '_' and '.', at most 64 in all"
        )
    return value


def code_name(value: str) -> str:
    """``value``, a name of Python code; raises ``ValueError`` for anything else."""
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", value):
        raise ValueError(f"{shown(value)} is no name of Python code; write it as package.module:name")
    return value


def each_once(value: tuple[Any, ...]) -> tuple[Any, ...]:
    """``value``; raises ``ValueError`` for an item that stands in it twice."""
    twice = next((item for item in value if value.count(item) > 1), None)
    if twice is not None:
        raise ValueError(f"names {shown(twice)} twice; delete one")
    return value


def known_or_code(value: str, known: tuple[str, ...]) -> str:
    """``value``, one of ``known`` or a name of Python code; raises ``ValueError`` for anything else."""
    if value not in known:
        try:
            code_name(value)
        except ValueError:
            raise ValueError(f"{value!r} is none of {', '.join(known)}, and no package.module:function") from None
    return value


def require_trust(key: str, code: tuple[str, ...], trust: tuple[str, ...]) -> None:
    """Raise ``ValueError`` where ``key`` names Python ``code`` that ``trust`` does not allow to run."""
    if code and "import" not in trust:
        raise ValueError(
            f"{key} names {code[0]!r}, Python code, which can do anything on this machine; if you trust it, add trust: import"
        )


Text = Annotated[str, Field(min_length=1)]
CodeName = Annotated[str, AfterValidator(code_name)]
PathText = Annotated[str, AfterValidator(expanded)]
Strings = Annotated[tuple[Text, ...], BeforeValidator(as_tuple)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(lambda v: (v,) if isinstance(v, int | float) else as_tuple(v))]
Paths = Annotated[tuple[PathText, ...], BeforeValidator(as_tuple)]
FilePath = Annotated[Path, BeforeValidator(_path), Field(strict=False)]
CorpusName = Annotated[str, AfterValidator(_corpus_name)]


# -- alpha ----------------------------------------------------------------------------------------


def expand_alphas(value: Any) -> tuple[float, ...] | None:
    """The alphas that a number, a list or a range stands for, distinct and from large to small."""
    if value is None:
        return None
    if isinstance(value, dict):
        value = _alpha_range(value)
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        raise ValueError("needs at least one number")
    if len(values) > MAX_ALPHAS:
        raise ValueError(f"has {len(values)} values; give at most {MAX_ALPHAS}")
    return tuple(sorted({_alpha(item) for item in values}, reverse=True))


def _alpha(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"should be a number, a list of numbers, or {_RANGE}, not {shown(value)}")
    try:
        alpha = float(value)
    except OverflowError:  # a whole number of more than 308 digits
        alpha = math.inf
    if not (math.isfinite(alpha) and alpha > 0):
        raise ValueError(f"should be a finite number greater than 0, not {shown(value)}")
    return alpha


def _alpha_range(value: dict[str, Any]) -> list[float]:
    missing = [key for key in ("from", "to", "num") if key not in value]
    unknown = sorted(set(value) - {"from", "to", "num"})
    if missing or unknown:
        wrong = [f"missing {', '.join(missing)}"] if missing else []
        wrong += [f"unknown {', '.join(unknown)}"] if unknown else []
        raise ValueError(f"should be a range such as {_RANGE}; {', '.join(wrong)}")
    first, last, num = _alpha(value["from"]), _alpha(value["to"]), value["num"]
    if isinstance(num, bool) or not isinstance(num, int) or not 1 <= num <= MAX_ALPHAS:
        raise ValueError(f"num should be a whole number from 1 to {MAX_ALPHAS}, not {shown(num)}")
    if num == 1:
        return [first]
    step = (math.log(last) - math.log(first)) / (num - 1)
    inner = [first * math.exp(step * k) for k in range(1, num - 1)]
    # 12 significant digits: the same on every platform's libm, and readable in file names.
    return [first, *(float(f"{a:.12g}") for a in inner), last]


_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
_ALPHA_SCHEMA = {
    "anyOf": [
        _POSITIVE,
        {"type": "array", "items": _POSITIVE, "minItems": 1, "maxItems": MAX_ALPHAS},
        {
            "type": "object",
            "properties": {
                "from": _POSITIVE,
                "to": _POSITIVE,
                "num": {"type": "integer", "minimum": 1, "maximum": MAX_ALPHAS},
            },
            "required": ["from", "to", "num"],
            "additionalProperties": False,
        },
        {"type": "null"},
    ]
}
Alphas = Annotated[tuple[float, ...] | None, BeforeValidator(expand_alphas), WithJsonSchema(_ALPHA_SCHEMA)]


# -- which neurons --------------------------------------------------------------------------------


def _neurons(value: Any) -> Any:
    if isinstance(value, list | tuple):
        if not value or not all(isinstance(item, str) and item for item in value):
            raise ValueError("should be a list of neuron ids such as 'layers.9.mlp[123]'")
        return tuple(value)
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise ValueError(f"should be all, a number, a list of ids, or a file of ids, not {shown(value)}")
    if isinstance(value, int) and value < 1:
        raise ValueError(f"should be at least 1, not {value}")
    return expanded(value) if isinstance(value, str) else value


def _strongest(value: Any) -> Any:
    if value != "all" and (isinstance(value, bool) or not isinstance(value, int) or value < 2):
        raise ValueError(f"should be all, or a number of at least 2, not {shown(value)}")
    return value


_NEURONS_SCHEMA = {
    "anyOf": [
        {"type": "string", "minLength": 1, "description": "all, or the path of a file with one id per line"},
        {"type": "integer", "minimum": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
    ]
}
Neurons = Annotated[int | str | tuple[str, ...], BeforeValidator(_neurons), WithJsonSchema(_NEURONS_SCHEMA)]
_STRONGEST_SCHEMA = {"anyOf": [{"const": "all"}, {"type": "integer", "minimum": 2}]}
Strongest = Annotated[int | str, BeforeValidator(_strongest), WithJsonSchema(_STRONGEST_SCHEMA)]
