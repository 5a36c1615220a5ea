from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lcl_lab.models import shipped
from lcl_lab.models.checkpoint import CARD, shipped_folder
from lcl_lab.zoo.release_criteria import ZOO

ROOT = Path(__file__).parents[2]


def run(*words: str, cache: Path) -> subprocess.CompletedProcess[str]:
    tiny = [] if words[0] == "table" else ["--preset", "tiny", "--threads", "1"]
    command = [sys.executable, "-m", "lcl_lab.zoo", *words, *tiny]
    environment = {**os.environ, "LCL_LAB_CACHE": str(cache), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def shipped_files() -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in shipped_folder().rglob("*") if file.is_file()}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_zoo_is_trained_judged_and_not_shipped_below_its_bars(tmp_path: Path) -> None:
    before = shipped_files()
    done = run("train", "--out", str(tmp_path / "zoo"), "--ship", cache=tmp_path)
    assert done.returncode == 2
    assert shipped_files() == before  # none is replaced, though base met its criteria
    assert "error: nothing shipped: 2-way misses a release criterion: " in done.stderr
    for name in ZOO:
        card = json.loads((tmp_path / "zoo" / name / CARD).read_text())
        assert card["command"].startswith("python -m lcl_lab.train --strategy")
        assert {row["data"] for row in card["accuracy"]} == {"world-100", "isekai-mini", "mini-vqa"}
    written = (tmp_path / "zoo" / "base" / "model.safetensors").stat().st_mtime_ns
    again = run("train", "--out", str(tmp_path / "zoo"), cache=tmp_path)  # trains nothing again
    assert again.returncode == 0
    assert "NO" in again.stdout
    assert (tmp_path / "zoo" / "base" / "model.safetensors").stat().st_mtime_ns == written


@pytest.mark.slow
def test_the_documentation_says_of_the_shipped_models_what_their_cards_say(tmp_path: Path) -> None:
    page = tmp_path / "models.md"
    shutil.copy(ROOT / "docs" / "models.md", page)
    done = run("table", "--page", str(page), cache=tmp_path)
    assert done.returncode == 0, done.stderr
    assert page.read_text() == (ROOT / "docs" / "models.md").read_text()
    assert all(f"| {name.removeprefix('mini/')} | candidate |" in page.read_text() for name in shipped("mini"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_seeds_differ_and_their_spread_is_told(tmp_path: Path) -> None:
    done = run("seeds", "--out", str(tmp_path / "seeds"), "--count", "2", cache=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "standard deviation" in done.stdout
    one, two = (json.loads((tmp_path / "seeds" / f"2-way-seed-{seed}" / CARD).read_text()) for seed in (0, 1))
    assert (one["seed"], two["seed"]) == (0, 1)
    assert one["fingerprint"] != two["fingerprint"]


def test_a_mistake_is_one_line(tmp_path: Path) -> None:
    done = run("table", "--page", str(tmp_path / "none.md"), cache=tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: --page")
