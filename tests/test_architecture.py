"""Data flows one way: a package imports only from those before it, and the plain ones never import torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "lcl_lab"
MODULES = sorted(PACKAGE.rglob("*.py"))
BASICS = {"errors", "plugins", "cli", "progress", "cache_dir", "atomic"}
ALLOWED = {
    "concepts": set(),
    "episodes": {"concepts"},
    "prompts": {"concepts", "episodes"},
    "models": {"concepts", "episodes", "prompts"},
    "store": set(),
    "analysis": set(),
    "figures": {"analysis"},
    "strategies": {"concepts", "prompts"},
    "training": {"concepts", "episodes", "prompts", "models", "strategies"},
    "zoo": {"concepts", "episodes", "prompts", "models", "strategies", "training", "analysis"},
    "benchmarks": {"concepts", "episodes", "prompts", "models", "store", "studies"},
    "studies": {"concepts", "episodes", "prompts", "models", "store", "analysis", "figures"},
    "sweeps": {"models", "studies", "train"},
}


def imported(module: Path) -> Iterator[str]:
    """What a module imports from the package, wherever in it, as `models.hf`."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [
                f"{node.module}.{alias.name}" if node.module == "lcl_lab" else str(node.module) for alias in node.names
            ]
        else:
            continue
        yield from (name.removeprefix("lcl_lab.") for name in names if name.startswith("lcl_lab."))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_flow_of_data(module: Path) -> None:
    place = module.relative_to(PACKAGE).parts
    if len(place) == 1:
        return
    own = place[0]
    assert own in ALLOWED, f"{own} has no place in the order"
    wrong = {name for name in imported(module) if name.split(".")[0] not in {own, *ALLOWED[own], *BASICS}}
    assert not wrong, f"{'.'.join(place)} must not import {wrong}"


def test_the_dashboard_reads_and_knows_no_model() -> None:
    for module in (PACKAGE.parent / "dashboards").glob("*.py"):
        known = {name.split(".")[0] for name in imported(module)}
        assert known <= {"store", "analysis", "figures", "studies", "concepts", "episodes", *BASICS}, module.name
    program = "import sys, dashboards.app; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=PACKAGE.parent, stderr=subprocess.DEVNULL)


def test_basics_know_no_package() -> None:
    for name in BASICS:
        assert set(imported(PACKAGE / f"{name}.py")) <= {"errors"}


def test_no_study_imports_another() -> None:
    for module in (PACKAGE / "studies").glob("[!_]*.py"):
        other = [name for name in imported(module) if name.startswith("studies.") and not name.startswith("studies._")]
        assert not other, f"{module.name} imports {other}"


@pytest.mark.parametrize(
    "package", ["concepts", "episodes", "prompts", "strategies", "models", "store", "analysis", "figures"]
)
def test_importing_a_package_imports_no_torch(package: str) -> None:
    program = f"import sys, lcl_lab.{package}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    public = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")]
    names = {t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
    assert not public or "__all__" in names
    undocumented = [node.name for node in public if not ast.get_docstring(node)]
    assert not undocumented, f"{module.name}: {undocumented} have no docstring"
