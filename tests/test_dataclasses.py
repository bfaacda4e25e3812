"""Dataclasses that hold arrays are compared by identity: ``==`` of arrays has no truth value, and they have no hash."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import glasso_cli

ROOT = Path(glasso_cli.__file__).parent
ARRAYS = {"ndarray", "Tensor", "csr_array", "memmap"}
Trees = dict[str, ast.Module]  # dotted name → module
Name = tuple[str, str]  # module and class or alias


def words_of(annotations: str) -> set[str]:
    """All names but those that stand only in a ``Callable[…]``: a function may take arrays without holding any."""
    return set(re.findall(r"\w+", re.sub(r"Callable\[.*\]", "", annotations)))


def names_in_fields(node: ast.ClassDef) -> set[str]:
    """The names in the annotations of the fields, and the bases, whose fields are inherited."""
    written = [ast.unparse(item.annotation) for item in node.body if isinstance(item, ast.AnnAssign)]
    found = words_of("\n".join(text for text in written if "ClassVar" not in text))
    return found | {ast.unparse(base) for base in node.bases}


def is_dataclass(decorator: ast.expr) -> bool:
    return ast.unparse(decorator).split("(")[0].split(".")[-1] == "dataclass"


def dataclasses_of(trees: Trees) -> dict[Name, tuple[ast.ClassDef, bool]]:
    """All dataclasses, each with whether it has ``eq=False``."""
    return {
        (module, node.name): (node, "eq=False" in ast.unparse(decorator))
        for module, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for decorator in filter(is_dataclass, node.decorator_list)
    }


def other_types(tree: ast.Module) -> dict[str, set[str]]:
    """Named tuples, and aliases at the top of a module such as ``Pairs = tuple[np.ndarray, np.ndarray]``."""
    found: dict[str, set[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.BinOp):
            found |= {ast.unparse(target): words_of(ast.unparse(node.value)) for target in node.targets}
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "NamedTuple" for base in node.bases):
            found[node.name] = names_in_fields(node)
    return found


def resolved(word: str, module: str, trees: Trees, known: set[Name]) -> set[Name]:
    """What a name in ``module`` may mean among ``known``: what is defined there, or what it imports."""
    if (module, word) in known:
        return {(module, word)}
    sources = {
        node.module or ""
        for node in ast.walk(trees[module])
        if isinstance(node, ast.ImportFrom) and any((alias.asname or alias.name) == word for alias in node.names)
    }
    return {item for item in known if item[1] == word and any(item[0].startswith(source) for source in sources)}


def with_arrays(trees: Trees) -> dict[Name, bool]:
    """The dataclasses that hold arrays, themselves or in another type, each with whether it has ``eq=False``."""
    classes = dataclasses_of(trees)
    held = {name: names_in_fields(node) for name, (node, _) in classes.items()}
    held |= {(module, name): words for module, tree in trees.items() for name, words in other_types(tree).items()}
    inside = {
        name: set().union(*(resolved(word, name[0], trees, set(held)) for word in words), set())
        for name, words in held.items()
    }
    holders = {name for name, words in held.items() if words & ARRAYS or name[1] == "Artifact"}
    while more := {name for name in held if inside[name] & holders} - holders:
        holders |= more
    return {name: right for name, (_, right) in classes.items() if name in holders}


def package() -> Trees:
    paths = ROOT.rglob("*.py")
    return {
        ".".join(path.relative_to(ROOT.parent).with_suffix("").parts): ast.parse(path.read_text(encoding="utf-8"))
        for path in paths
    }


@pytest.mark.slow
def test_dataclasses_with_arrays_are_compared_by_identity() -> None:
    found = with_arrays(package())
    assert {"PrecisionPath", "PathPoint", "ActivationBatch", "CorpusEstimate", "Window"} <= {name for _, name in found}
    assert sorted(name for name, right in found.items() if not right) == []


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("@dataclass\nclass A:\n  x: np.ndarray", {"A"}),
        ("@dataclass\nclass A:\n  x: dict[str, Tensor | None]\n@dataclass\nclass B:\n  a: list[A]", {"A", "B"}),
        ("@dataclass\nclass A:\n  f: Callable[[np.ndarray], int]\n  kind: ClassVar[np.ndarray]", set()),
        ("class A:\n  x: np.ndarray", set()),
        ("P = tuple[np.ndarray, int]\n@dataclass\nclass A:\n  x: P", {"A"}),
        ("class T(NamedTuple):\n  x: np.ndarray\n@dataclass\nclass A:\n  x: T", {"A"}),
        ("from other import Block\n@dataclass\nclass A:\n  x: Block", {"A"}),
        ("@dataclass\nclass Block:\n  n: int\n@dataclass\nclass A:\n  x: Block", set()),
    ],
)
def test_holders_of_arrays_are_seen(code: str, names: set[str]) -> None:
    other = "@dataclass(eq=False)\nclass Block:\n  x: np.ndarray"
    found = with_arrays({"module": ast.parse(code), "other.inner": ast.parse(other)})
    assert {name: right for (module, name), right in found.items() if module == "module"} == dict.fromkeys(names, False)
    assert found["other.inner", "Block"]
