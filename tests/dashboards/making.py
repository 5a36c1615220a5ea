"""Results folders for the dashboard: the runs that ship, and what users and strangers do to such folders."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from lcl_lab.store import Run, runs
from tests.store.factories import provenance, record

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "dashboards" / "shipped"
EVIL = "<script>alert(1)</script> ![x](http://evil.example/x.png) :material/home: **b** $a$"


def copied(folder: Path, *studies: str) -> Path:
    """A results folder with the shipped runs of some studies."""
    for study in studies:
        shutil.copytree(SHIPPED / study, folder / study)
    return folder


def opened(page: str = "", /, **query: str) -> AppTest:
    """A page as its address opens it."""
    app = AppTest.from_file(str(ROOT / "dashboards" / "app.py"), default_timeout=60)
    app._page_hash = calc_hash(page) if page else ""
    for key, value in query.items():
        app.query_params[key] = value
    return app.run()


def write_evil(results: Path) -> Run:
    """A finished false-label run whose model, names, answers and images are whatever a stranger wrote."""
    config = {"data": {"name": EVIL, "fingerprint": "0"}, "shots": 4, "models": [{"name": EVIL, "fingerprint": "0"}]}
    with Run.open(results, "false_ratio", {**config, "seed": 0, "ratios": [0.0, 1.0], "queries": 20}) as run:
        for ratio in (0.0, 1.0):
            answers = [
                replace(
                    record(query, "c", "false_ratio"),
                    model=EVIL,
                    seed=0,
                    pair=f"{query % 10}",
                    condition={"shots": 4, "false_ratio": ratio},
                    answer=EVIL,
                    true_name=EVIL,
                    query_image="folder:/etc:passwd:0",
                    correct_candidate=ratio == 0,
                )
                for query in range(20)
            ]
            run.commit(f"ratio={ratio}", answers)
        run.finish(provenance())
    return run


def again(results: Path, **config: Any) -> None:
    """The one run of a results folder once more, newer, and of another configuration."""
    (run,) = runs(results)
    other = run.path.with_name(f"20301231-000000-{run.path.name[-8:]}")
    shutil.copytree(run.path, other)
    file = other / "config.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["config"] |= config
    file.write_text(json.dumps(content), encoding="utf-8")


def newest(results: Path, study: str) -> str:
    """The name of the newest run of a study."""
    return next(run.run for run in runs(results) if run.study == study)
