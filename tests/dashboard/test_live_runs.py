from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filelock import FileLock
from streamlit.testing.v1 import AppTest

from lcl_lab.dashboard.live_runs import progress_text
from lcl_lab.store import PLANNED, Run, RunProgress, runs
from tests.dashboard.factories import copy_shipped, open_page
from tests.store.factories import record


def progress_of(app: AppTest) -> list[tuple[float, str]]:
    return [(bar.proto.value, bar.proto.text.replace("\\", "")) for bar in app.get("progress")]


def test_what_is_known_of_progress_is_said() -> None:
    assert progress_text(RunProgress(0, 1_200, None, None, 3)) == "0 of 1,200 answers"
    known = RunProgress(600, 1_200, 2.5, 240, 90)
    assert (
        progress_text(known) == "600 of 1,200 answers, 2.5 per second, about 4 min 0 s left, nothing new for 1 min 30 s"
    )


@pytest.mark.parametrize("page", ["", pytest.param("shots", marks=pytest.mark.slow)])
def test_a_run_is_shown_while_its_process_lives(page: str, results: Path) -> None:
    copy_shipped(results, "shots")
    (shipped,) = runs(results)
    with Run.open(results, "shots", {**shipped.config, "seed": 7}) as run:
        run.note(PLANNED, total=40, stored=0)
        run.commit("a", [record(query, study="shots") for query in range(10)])
        ((value, text),) = progress_of(open_page(page))
        assert value == 25
        assert text.startswith(f"shots/{run.path.name}: 10 of 40 answers")
        assert not progress_of(open_page("order"))
    assert not progress_of(open_page(page))


def test_a_running_sweep_is_shown_on_the_overview(results: Path) -> None:
    copy_shipped(results, "shots")
    folder = results / "sweeps" / "*grid*"
    folder.mkdir(parents=True)
    now = datetime.now(UTC).isoformat()
    events = [{"time": now, "trial": str(number), "status": "waiting"} for number in range(4)]
    events.append({"time": now, "trial": "0", "status": "finished"})
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, events)) + "\n")
    with FileLock(folder / "sweep.lock"):
        assert progress_of(open_page()) == [(25, "Sweep *grid*: 1 of 4 trials ended")]
    assert not progress_of(open_page())
