"""The tutorial notebooks run from their first to their last cell."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT, run_cell

TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))


def test_there_are_tutorials_and_they_are_small() -> None:
    assert len(TUTORIALS) >= 3
    assert max(path.stat().st_size for path in TUTORIALS) < 100_000


def test_the_cells_of_a_tutorial_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = (path for path in TUTORIALS if path.stem == "episodes")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            repr(run_cell("".join(cell["source"]), names))


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_runs_in_jupyter(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As readers run it; the test above saves the seconds that a kernel needs to start."""
    pytest.importorskip("nbclient", reason="needs the group docs: uv sync --all-groups")
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    monkeypatch.delitem(sys.modules, "run_tutorials", raising=False)
    from run_tutorials import execute

    notebook = execute(path, tmp_path)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error"]
    displayed = [output for output in outputs if output.output_type != "stream"]  # progress is on standard error
    assert "Warning" not in str(displayed)
