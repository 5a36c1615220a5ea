from __future__ import annotations

import json
from pathlib import Path

from lcl_lab.store import runs
from tests.dashboard.factories import copy_shipped, open_page


def test_the_command_that_reproduces_a_run_is_shown(results: Path) -> None:
    copy_shipped(results, "shots")
    app = open_page("provenance")
    (run,) = runs(results)
    assert run.provenance
    assert app.code[0].value == run.provenance.command
    environment = app.dataframe[0].value.set_index("what")["value"]
    assert run.provenance.commit in environment["commit"]
    assert environment["torch"] == run.provenance.versions["torch"]
    assert json.loads(app.json[0].value)["data"]["name"] == "world-100"
