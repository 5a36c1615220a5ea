"""The layers of the package, module by module: who may import whom, no cycles, no imports inside functions."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "lcl_lab"
MODULES = sorted(PACKAGE.rglob("*.py"))
BASICS = {
    *("errors", "atomic", "cache_dir", "plugins", "type_checks", "progress", "config"),
    *("source_code", "control_characters", "safe_console", "per_file_cache", "interrupts", "worker_pool", "file_locks"),
    *("yaml_reading", "disk_cache", "ray_cluster"),
}
LAYERS = {
    "concepts": set(),
    "episodes": {"concepts"},
    "prompts": {"concepts", "episodes"},
    "models": {"concepts", "episodes", "prompts"},
    "store": set(),
    "analysis": set(),
    "evaluation": {"concepts", "episodes", "prompts", "models", "store", "analysis"},
    "figures": {"analysis"},
    "reporting": {"analysis", "figures", "store"},
    "strategies": {"concepts", "prompts"},
    "training": {"concepts", "episodes", "prompts", "models", "evaluation", "strategies", "figures", "store"},
    "studies": {
        "concepts",
        "episodes",
        "prompts",
        "models",
        "evaluation",
        "store",
        "analysis",
        "figures",
        "reporting",
    },
    "sweeps": {"concepts", "models", "strategies", "training", "evaluation", "studies", "store", "reporting"},
    "zoo": {
        "concepts",
        "episodes",
        "prompts",
        "models",
        "evaluation",
        "analysis",
        "reporting",
        "strategies",
        "training",
    },
    "paper": {"episodes", "analysis", "studies"},
    "bench": {"concepts", "models", "reporting", "store", "studies"},
    "dashboard": {"concepts", "episodes", "store", "analysis", "figures", "reporting", "studies"},
    "commands": {
        "studies",
        "training",
        "models",
        "sweeps",
        "zoo",
        "paper",
        "bench",
        "reporting",
        "dashboard",
        "benchmarks",
    },
    "benchmarks": {
        "concepts",
        "episodes",
        "prompts",
        "models",
        "evaluation",
        "store",
        "analysis",
        "studies",
        "sweeps",
        "dashboard",
        "commands",
    },
}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in MODULES}


@cache
def imports(name: str) -> frozenset[str]:
    """The modules and packages of `lcl_lab` that a module imports when it is imported itself."""
    return frozenset(_imports(ast.parse(NAMES[name].read_text(encoding="utf-8")).body))


def _imports(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("lcl_lab"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lcl_lab"):
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                yield module if module in NAMES else str(node.module)
        elif isinstance(node, ast.If) and not _is_special(node.test):
            yield from _imports(node.body)


def _is_special(test: ast.expr) -> bool:
    """`if TYPE_CHECKING` is not executed, and `if __name__ == "__main__"` only in the program itself."""
    return "TYPE_CHECKING" in ast.dump(test) or "__main__" in ast.dump(test)


@pytest.mark.parametrize("name", NAMES)
def test_imports_follow_the_layers(name: str) -> None:
    parts = name.split(".")
    if len(parts) < 2:
        assert imports(name) == {"lcl_lab.interrupts"}, "the package itself loads nothing else"
        return
    layer = parts[1]
    allowed = {layer, *LAYERS.get(layer, set()), *BASICS}
    if parts[-1] == "__main__":
        allowed = {"commands"}
    elif layer in BASICS:
        allowed = BASICS
    elif layer not in LAYERS:
        allowed = {"commands"}  # `python -m lcl_lab.train` and the like only call a command
    wrong = {found for found in imports(name) if found.split(".")[1:2] and found.split(".")[1] not in allowed}
    assert not wrong, f"{name} must not import {wrong}"


def test_no_two_modules_import_each_other() -> None:
    """Depth-first search; the lazy `__init__` of a package imports nothing, so it closes no cycle."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"cycle: {' → '.join([*path[path.index(name) :], name])}"
        if name not in done:
            for other in imports(name):
                visit(other, (*path, name))
            done.add(name)

    for name in NAMES:
        visit(name, ())


def test_no_module_imports_inside_a_function() -> None:
    """Ruff's PLC0415 checks it; optional extras say why they are exempt."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "PLC0415" in settings["tool"]["ruff"]["lint"]["select"]
    exempt = [path for path in MODULES if "noqa: PLC0415" in path.read_text(encoding="utf-8")]
    assert {path.name for path in exempt} <= {"experiment.py"}


def test_no_study_imports_another() -> None:
    studies = {
        name for name, path in NAMES.items() if path.parent.name == "studies" and "\nSTUDY = " in path.read_text()
    }
    assert len(studies) >= 10
    for name in studies:
        assert not imports(name) & studies, name


def test_file_names_are_unique() -> None:
    """Benchmarks are commands that are named after what they time."""
    names = [path.name for path in MODULES if not path.name.startswith("__") and path.parent.name != "benchmarks"]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_no_lazy_name_is_shadowed_by_a_submodule() -> None:
    """`from lcl_lab.package.name import …` would replace an exported function of that name by the module."""
    for stub in PACKAGE.rglob("__init__.pyi"):
        submodules = {path.stem for path in stub.parent.iterdir() if path.suffix == ".py" or path.is_dir()}
        exported = {alias.name for node in ast.walk(ast.parse(stub.read_text())) if isinstance(node, ast.ImportFrom)
                    for alias in node.names if node.module}  # fmt: skip
        assert not exported & submodules, f"{stub.parent.name}: {exported & submodules}"


@pytest.mark.parametrize("package", sorted(LAYERS))
def test_packages_load_lazily(package: str) -> None:
    heavy = "{'torch', 'transformers', 'pandas', 'altair', 'statsmodels', 'ray', 'streamlit', 'duckdb'}"
    program = f"import sys, lcl_lab.{package}; found = {heavy} & set(sys.modules); assert not found, found"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_light_layers_never_import_torch() -> None:
    light = ("concepts", "episodes", "prompts", "strategies", "store", "analysis", "figures", "reporting", "dashboard")
    names = ", ".join(name for name in NAMES if name.split(".")[1:2] and name.split(".")[1] in light)
    program = f"import sys, {names}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    public = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")]
    names = {t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
    assert not public or "__all__" in names
    undocumented = [node.name for node in public if not ast.get_docstring(node)]
    assert not undocumented, f"{module.name}: {undocumented} have no docstring"


def test_the_library_never_calls_a_command() -> None:
    """No argv as an internal protocol: nothing outside `commands` parses arguments or calls a `main`."""
    for name, path in NAMES.items():
        if name.startswith(("lcl_lab.commands", "lcl_lab.benchmarks")) or name.count(".") == 1:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                main = called.rpartition(".")[2] == "main" and "program" not in called
                assert not main or path.name == "__main__.py", f"{name} calls {called}"
                assert "ArgumentParser" not in called, name
            assert not (isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.argv[1:]"), name
