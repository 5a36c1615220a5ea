from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lcl_lab.errors import UserError
from lcl_lab.models import find_checkpoint, load_model
from lcl_lab.train import main


def test_every_strategy_trains_to_a_model_that_loads(tmp_path: Path) -> None:
    folders = {name: str(tmp_path / name) for name in ("vision", "base", "2-way")}
    tiny = ["--preset", "tiny", "--threads", "1"]
    main(["--strategy", "vision", "--out", folders["vision"], *tiny])
    main(["--strategy", "base", "--out", folders["base"], "--start", folders["vision"], *tiny])
    main(["--strategy", "2-way", "--out", folders["2-way"], "--start", folders["base"], *tiny])
    for name, folder in folders.items():
        found = find_checkpoint(folder)  # checks the card's fingerprint
        assert load_model(found, 1).name == folder
        card = json.loads((Path(folder) / "card.json").read_text())
        assert card["strategy"] == name
        assert card["steps"] > 0
    assert card["start"]["fingerprint"] == find_checkpoint(folders["base"]).fingerprint


def test_a_wrong_strategy_and_a_folder_with_a_model_are_told(tmp_path: Path, untrained: Path) -> None:
    with pytest.raises(UserError, match="did you mean '2-way'"):
        main(["--strategy", "2way", "--out", str(tmp_path)])
    with pytest.raises(UserError, match="there is a model"):
        main(["--strategy", "base", "--out", str(untrained)])
    with pytest.raises(UserError, match="unknown model"):
        main(["--strategy", "base", "--out", str(tmp_path / "x"), "--start", "mini/bse"])


def test_help_needs_no_torch() -> None:
    program = """
import sys
from lcl_lab.train import main
try:
    main(["--help"])
except SystemExit:
    assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
