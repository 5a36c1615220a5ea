"""The wheel: what it contains, that it declares what it imports, and that it works in an environment of its own."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tests.servers import answers, free_port
from tests.sweeps.grids import wait_for

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
UNIMPORTED = {"accelerate", "num2words", "sentencepiece", "vl-convert-python", "torchvision", "tokenizers", "jinja2"}
"""Needed by other packages on our behalf: by processors and tokenizers of transformers, and by Altair and pandas to
save charts and LaTeX."""


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    return {normalised(re.split(r"[\[<>=~! ]", line)[0]) for line in [*PROJECT["dependencies"], *extras]}


def imported() -> set[str]:
    """The distributions that modules of the package import."""
    owners = metadata.packages_distributions()
    names: set[str] = set()
    for path in (ROOT / "lcl_lab").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    ours = names - set(sys.stdlib_module_names) - {"lcl_lab"}
    return {normalised(owners[name][0]) for name in ours if name in owners}


def test_dependencies_are_exactly_those_used() -> None:
    assert imported() - declared() == set()
    extras = {normalised(name) for name in ("mlflow-skinny", "wandb")}
    assert declared() - imported() - extras - {normalised(name) for name in UNIMPORTED} == set()


def test_internals_of_others_are_bounded() -> None:
    (transformers,) = (line for line in PROJECT["dependencies"] if line.startswith("transformers"))
    assert "<6" in transformers


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    builder = shutil.which("uv")
    if builder is None:
        pytest.skip("uv is not installed: it builds the wheel")
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([builder, "build", "--wheel", "--out-dir", out, ROOT], check=True, capture_output=True)
    (path,) = out.glob("*.whl")
    return path


def test_the_wheel_contains_dashboard_types_stubs_and_models(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (entry_points,) = (name for name in names if name.endswith("entry_points.txt"))
        assert "lcl = lcl_lab.commands.entry_point:main" in archive.read(entry_points).decode()
    for name in (
        "py.typed",
        "__init__.pyi",
        "studies/__init__.pyi",
        "dashboard/app.py",
        "data/models/2-way/model.safetensors",
        "data/references.bib",
    ):
        assert f"lcl_lab/{name}" in names
    assert any(re.fullmatch(r"lcl_lab/dashboard/shipped/false_ratio/[^/]+/records\.parquet", name) for name in names)
    assert not any(name.startswith(("tests/", "dashboards/", "docs/")) for name in names)
    assert wheel.stat().st_size < 60e6


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with the wheel; its dependencies are those of this one, the project itself is not."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    subprocess.run(["uv", "pip", "install", "--python", folder, "--no-deps", wheel], check=True, capture_output=True)
    # Only the packages of this environment, without its editable installation of the project.
    for entry in Path(next(path for path in sys.path if path.endswith("site-packages"))).iterdir():
        if not entry.name.startswith(("lcl_lab", "_lcl_lab", "__editable__")) and entry.suffix != ".pth":
            target = site / entry.name
            if not target.exists():
                target.symlink_to(entry)
    return folder


def environment(home: Path) -> dict[str, str]:
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**variables, "HOME": str(home), "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_a_study_runs_from_another_folder(installed: Path, tmp_path: Path) -> None:
    command = [installed / "bin" / "lcl", "study", "false_ratio", "--preset", "tiny", "--queries", "4"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip().splitlines()[-1])
    assert path.is_relative_to(tmp_path / "results")
    assert (path / "report.html").is_file()
    where = [installed / "bin" / "python", "-c", "import lcl_lab; print(lcl_lab.__file__)"]
    assert str(installed) in subprocess.run(where, cwd=tmp_path, capture_output=True, text=True, check=True).stdout


def test_the_dashboard_runs_from_another_folder(installed: Path, tmp_path: Path) -> None:
    port = free_port()
    command = [installed / "bin" / "lcl", "dashboard", "--port", str(port), "--headless"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/_stcore/health"))
    finally:
        process.terminate()
        process.wait(30)
