from __future__ import annotations

import sys
from pathlib import Path

import pytest


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty results folder that the dashboard is started with."""
    folder = tmp_path / "results"
    folder.mkdir()
    monkeypatch.setattr(sys, "argv", ["app.py", "--results", str(folder)])
    return folder
