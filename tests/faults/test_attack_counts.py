"""The counts of attacks and kills on the page about security are those of its commands, or a little lower."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.kills import ROUNDS, STUDIES, STUDY, SWEEP_WORKERS, TRAINING

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = {
    "options": "extreme_options hostile_yaml fuzzed_configs",
    "names of condition": "odd_columns fuzzed_addresses",
    "checkpoints": "damaged_checkpoints damaged_caches chat_template_limits",
    "stored runs": "broken_runs fuzzed_store full_and_read_only_disks",
    "terminals": "terminals hostile_text",
    "replies": "server_replies hostile_replies",
    "images": "damaged_images names_file pairs_file",
    "kills": "changed_code changed_options chaos damage interrupts killed_studies killed_study killed_training kills "
    "listeners same_folder vanishing_folders",
}


@pytest.mark.slow
def test_the_counts_of_attacks_are_those_that_pytest_collects() -> None:
    command = [sys.executable, "-m", "pytest", "-n", "0", "--collect-only", "-q", "-m", "attack"]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    collected = Counter(re.findall(r"^tests/\S*?test_(\w+)\.py::", output, re.MULTILINE))
    stated = {
        row: int(count.replace(",", "")) for row, count in re.findall(r"^\| (.*) \| ([\d,]+) \|$", PAGE, re.MULTILINE)
    }
    assert len(stated) == len(ROWS)
    for (row, count), (start, files) in zip(stated.items(), ROWS.items(), strict=True):
        assert row.startswith(start)
        found = sum(collected.pop(file) for file in files.split())
        assert count <= found <= 1.25 * count, row  # each new option is attacked, too
    assert not collected


def test_the_counts_of_kills_are_those_of_the_tests() -> None:
    once = (STUDY + STUDIES + TRAINING + SWEEP_WORKERS) // ROUNDS
    victims = 3  # of the sweep that loses its driver or head, whatever the rounds
    rounds = int(re.findall(r"KILL_ROUNDS=(\d+)", PAGE)[0])
    assert f"{once + victims} times" in " ".join(PAGE.split())
    assert f"they kill {rounds * once + victims} times" in PAGE
    assert once + victims >= 20
    assert rounds * once + victims >= 60
