"""Imports point one way, heavy packages wait until they are needed, and files stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

import glasso_cli
from glasso_cli.pipeline.run import STAGES

ROOT = Path(glasso_cli.__file__).parent
HEAVY = {
    *("torch", "transformers", "datasets", "tokenizers", "huggingface_hub", "safetensors", "accelerate", "gguf"),
    *("gglasso", "sklearn", "openai", "dask", "distributed", "seaborn", "matplotlib", "networkx", "pydot", "pandas"),
}
# The one module that needs a heavy package for its classes, and is imported on demand alone.
ON_DEMAND = {"api.estimator": {"sklearn"}, "engine.nanny": {"distributed"}}
MAX_LINES = 400
MAX_MODULES = 15  # in a folder
MAX_AT_THE_ROOT = 6

TESTS = Path(__file__).parent
NOT_OF_THE_PACKAGE = {"attacks", "benchmarks", "docs", "support"}  # folders of tests that mirror none of the package

# The folders of the package, and the modules at its root, in the order of the data flow: each imports only those above it.
# Imports inside functions and under TYPE_CHECKING count.
FOLDERS = [
    "errors",
    "console",
    "linalg",
    "graph",
    "files",
    "engine",
    "digests",
    "config",
    "solvers",
    "artifacts",
    "models",
    "inference",
    "pipeline",
    "corpora",
    "hooks",
    "synth",
    "fitting",
    "comparison",
    "across",
    "report",
    "collection",
    "intervention",
    "derivatives",
    "scoring",
    "auditing",
    "stages",
    "api",
    "cli",
    "__main__",
]
ARRAYS_ONLY = ("linalg", "solvers", "inference", "graph")
NOT_FOR_ARRAYS = {"console", "files", "config", "artifacts", "pipeline"}


@dataclass(frozen=True)
class Import:
    """One imported module; ``later`` where it waits for a call or for the type checker."""

    name: str
    line: int
    later: bool


@dataclass(frozen=True)
class Module:
    """A file of the package."""

    path: Path

    @property
    def name(self) -> str:
        """The dotted name below the package, such as ``stages.fit``."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "__init__"

    @property
    def unit(self) -> str:
        """The part that stands in a layer: a package counts as one."""
        return self.name.split(".")[0]

    @cached_property
    def imports(self) -> list[Import]:
        return list(_imports(ast.parse(self.path.read_text(encoding="utf-8")).body, later=False))

    @cached_property
    def siblings(self) -> set[str]:
        """Modules of this package that it imports, at import time or later; the version alone is no import."""
        names = {item.name for item in self.imports if item.name.startswith("glasso_cli.")}
        names = {name.removeprefix("glasso_cli.") for name in names}
        return {name if name in MODULES else name.rpartition(".")[0] for name in names} - {"", self.name}


def _imports(body: list[ast.stmt], *, later: bool) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, later) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (Import(f"{node.module}.{alias.name}", node.lineno, later) for alias in node.names)
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        typing = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for name in ("body", "orelse", "finalbody", "handlers"):
            inner = getattr(node, name, [])
            inner = [line for part in inner for line in (part.body if isinstance(part, ast.ExceptHandler) else [part])]
            yield from _imports(inner, later=later or function or (typing and name == "body"))


FILES = sorted(ROOT.rglob("*.py"))
MODULES = {module.name: module for module in map(Module, FILES)}
RANK = {folder: rank for rank, folder in enumerate(FOLDERS)}
each_module = pytest.mark.parametrize("module", MODULES.values(), ids=lambda module: module.name)


@pytest.mark.slow
@each_module
def test_a_folder_imports_only_folders_above_it(module: Module) -> None:
    if module.unit not in RANK:
        return
    for name in module.siblings:
        unit = name.split(".")[0]
        if unit in RANK and unit != module.unit:
            assert RANK[unit] < RANK[module.unit], f"{module.name} imports {name}, which comes after it"


def test_no_modules_import_each_other() -> None:
    waiting = {name: module.siblings & set(MODULES) for name, module in MODULES.items()}
    while ready := [name for name, needs in waiting.items() if not needs]:
        for name in ready:
            del waiting[name]
        for needs in waiting.values():
            needs.difference_update(ready)
    assert waiting == {}, "these import each other, directly or through others"


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in FILES}), ids=lambda folder: folder.relative_to(ROOT).as_posix()
)
def test_a_folder_has_few_modules(folder: Path) -> None:
    modules = [path for path in folder.glob("*.py") if folder == ROOT or path.name != "__init__.py"]
    assert len(modules) <= (MAX_AT_THE_ROOT if folder == ROOT else MAX_MODULES)


def test_every_folder_of_the_package_has_its_place_in_the_order() -> None:
    units = {module.unit for module in MODULES.values()} - {"__init__"}
    assert units == set(FOLDERS)


def test_the_folders_of_the_tests_are_those_of_the_package() -> None:
    tests = {path.parent.relative_to(TESTS) for path in TESTS.rglob("test_*.py")}
    others = {folder for folder in tests if folder.parts and folder.parts[0] not in NOT_OF_THE_PACKAGE}
    assert [folder for folder in sorted(others) if not (ROOT / folder).is_dir()] == []


@pytest.mark.slow
def test_no_test_sleeps() -> None:
    """A test waits for what it needs, in `support.waiting` where that is another process, and not for time to pass."""
    sleeping = {
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "sleep"}
    }
    assert sleeping == {"support/waiting.py"}


@each_module
def test_stages_do_not_import_stages_and_nobody_imports_a_stage(module: Module) -> None:
    assert not [name for name in module.siblings if name.startswith("stages.")]


def test_every_stage_is_a_module() -> None:
    assert {f"stages.{stage}" for stage in STAGES} <= set(MODULES)


@each_module
def test_heavy_packages_are_imported_where_they_are_needed(module: Module) -> None:
    found = [f"{item.name} on line {item.line}" for item in module.imports if not item.later]
    assert not [text for text in found if text.split(".")[0] in HEAVY - ON_DEMAND.get(module.name, set())]
    eager = {item.name for item in module.imports if not item.later}
    assert not [name for name in eager if name.removeprefix("glasso_cli.").startswith(tuple(ON_DEMAND))]


@each_module
def test_mathematics_sees_arrays_only(module: Module) -> None:
    if module.unit in ARRAYS_ONLY:
        assert {name.split(".")[0] for name in module.siblings}.isdisjoint(NOT_FOR_ARRAYS)
        outside = {item.name.split(".")[0] for item in module.imports}
        assert outside.isdisjoint({"yaml", "pydantic", "typer", "rich", "transformers", "datasets", "pathlib"})
        # Moments add up where the activations are, which may be a GPU; one file of the solvers multiplies on one.
        assert "torch" not in outside or module.name == "solvers.newton.device"


@each_module
def test_click_is_never_imported(module: Module) -> None:
    assert "click" not in {item.name.split(".")[0] for item in module.imports}  # Typer brings its own


@pytest.mark.slow
@pytest.mark.parametrize("path", [*FILES, *sorted(TESTS.rglob("*.py"))], ids=lambda path: "/".join(path.parts[-2:]))
def test_every_file_is_small_and_python_3_10(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES, "two subjects in one file?"
    ast.parse(text, feature_version=(3, 10))


@pytest.mark.slow
@each_module
def test_annotations_are_lazy_and_every_module_says_what_it_is(module: Module) -> None:
    tree = ast.parse(module.path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    if any(isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AnnAssign) for node in tree.body):
        assert ast.unparse(tree.body[1]) == "from __future__ import annotations"


def test_the_reader_of_imports_sees_what_it_should(tmp_path: Path) -> None:
    code = """
import a
from b import c
if TYPE_CHECKING:
    import d
else:
    import e
try:
    import f
except ImportError:
    import g
class X:
    import h
    def y(self):
        with open() as z:
            import i
"""
    found = list(_imports(ast.parse(code).body, later=False))
    assert {item.name for item in found if not item.later} == {"a", "b.c", "e", "f", "g", "h"}
    assert {item.name for item in found if item.later} == {"d", "i"}
