"""Results folders for the dashboard, what users and strangers do to such folders, and what a page shows."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from lcl_lab.analysis import METRICS
from lcl_lab.store import Run, runs
from lcl_lab.store.run_layout import config_digest
from lcl_lab.studies import find_studies
from tests.store.factories import provenance, record

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "dashboards" / "shipped"
STUDIES = [study.name for study in find_studies()]
PAGES = ["", *STUDIES, "episodes", "compare", "sweeps", "runs", "provenance"]
HOSTILE = "<script>alert(1)</script> ![x](http://evil.example/x.png) :material/home: **b** $a$ {c}"
TRIALS = {
    "2-way-seed-0": "mini/2-way",
    "2-way-seed-1": "mini/2-way-random",
    "mix-seed-0": "mini/base",
    "mix-seed-1": "mini/base",
}
"""Shipped models in place of the trainings of a sweep, by the names of its trials."""


def copy_shipped(folder: Path, *studies: str) -> Path:
    """A results folder with the shipped runs of some studies."""
    for study in studies:
        shutil.copytree(SHIPPED / study, folder / study)
    return folder


def open_page(page: str = "", /, **query: str | list[str]) -> AppTest:
    """A page as its address opens it."""
    app = AppTest.from_file(str(ROOT / "dashboards" / "app.py"), default_timeout=60)
    app._page_hash = calc_hash(page) if page else ""
    for key, value in query.items():
        app.query_params[key] = value
    return app.run()


def page_text(app: AppTest) -> str:
    """All text of a page except charts and tables."""
    parts: list[str] = []
    for kind in ("title", "subheader", "caption", "text", "info", "warning", "error", "success", "markdown", "html"):
        parts += [str(element.proto.body) for element in app.get(kind)]
    return re.sub(r"\\(.)", r"\1", "\n".join(parts))


def statements(app: AppTest) -> list[tuple[str, str]]:
    """The metric and the text of each statement on a page; the metric is empty where there is none."""
    bodies = "".join(str(element.proto.body) for element in app.get("html"))
    items = re.findall(r'<li data-metric="([^"]*)">(.*?)</li>', bodies)
    return [(metric, html.unescape(re.sub(r"<[^>]+>", "", text))) for metric, text in items]


def chart_specs(app: AppTest) -> list[dict[str, Any]]:
    """The Vega-Lite specifications of a page's charts, without their data."""
    return [json.loads(element.proto.spec) for element in app.get("vega_lite_chart")]


def chart_rows(app: AppTest) -> list[dict[str, Any]]:
    """All rows of data of a page's charts."""
    datasets = [dataset for element in app.get("vega_lite_chart") for dataset in element.proto.datasets]
    frames = [convert_arrow_bytes_to_pandas_df(dataset.data.data) for dataset in datasets]
    return [{str(name): value for name, value in row.items()} for frame in frames for row in frame.to_dict("records")]


def charted_metrics(app: AppTest) -> set[str]:
    """The metrics of the estimates in a page's charts; published ones name theirs differently."""
    return {row["metric"] for row in chart_rows(app) if row.get("metric") in METRICS}


def tables(app: AppTest) -> list[pd.DataFrame]:
    """The tables of numbers on a page."""
    return [element.value for element in app.dataframe]


def write_hostile_run(results: Path) -> Run:
    """A finished false-label run whose model, names, answers and images are whatever a stranger wrote."""
    model = {"name": HOSTILE, "fingerprint": "0"}
    config = {"data": model, "shots": 4, "models": [model], "seed": 0, "ratios": [0.0, 1.0], "queries": 20}
    with Run.open(results, "false_ratio", config) as run:
        for ratio in (0.0, 1.0):
            answers = [
                replace(
                    record(query, 0, "false_ratio"),
                    model=HOSTILE,
                    pair=f"{query % 10}",
                    condition={"shots": 4, "false_ratio": ratio},
                    answer=HOSTILE,
                    true_name=HOSTILE,
                    query_image="folder:/etc:passwd:0",
                    correct_candidate=ratio == 0,
                    nearest=1,
                    token_logliks=((-0.5, -0.75), (-1.0, -1.0, -0.5)),
                    token_texts=((HOSTILE, HOSTILE), (HOSTILE, HOSTILE, HOSTILE)),
                )
                for query in range(20)
            ]
            run.commit(f"ratio={ratio}", answers)
        run.finish(provenance())
    return run


def write_token_run(results: Path) -> Run:
    """A finished run of a model that says how likely each token is, and of one that compares images."""
    answer = record(0, 0, "qualitative", shots=2)
    answers = [
        replace(
            answer,
            model="speller",
            loglik_true=-0.25,
            token_logliks=((-0.0, -0.25), (-1.0, -0.5, -1.0)),
            token_texts=(("da", "x"), ("bl", "ic", "k")),
        ),
        replace(answer, model="comparer", nearest=2),
    ]
    models = [{"name": one.model, "fingerprint": "0"} for one in answers]
    with Run.open(results, "qualitative", {"models": models, "seed": 0}) as run:
        run.commit("both", answers)
        run.finish(provenance())
    return run


def repeat_run(results: Path, **config: Any) -> None:
    """The one run of a results folder once more, newer, and with another configuration."""
    (run,) = runs(results)
    content = json.loads((run.path / "config.json").read_text(encoding="utf-8"))
    content["config"] |= config
    other = run.path.with_name(f"20301231-000000-{config_digest(content)}")
    shutil.copytree(run.path, other)
    (other / "config.json").write_text(json.dumps(content), encoding="utf-8")


def begin_run(results: Path, records: str, **config: Any) -> None:
    """The one finished run of a results folder begun once more, newer: it has some of its records, by an SQL test."""
    (run,) = (run for run in runs(results) if run.finished)
    content = json.loads((run.path / "config.json").read_text(encoding="utf-8"))
    content["config"] |= config
    other = run.path.with_name(f"20301231-000000-{config_digest(content)}")
    (other / "records").mkdir(parents=True)
    (other / "config.json").write_text(json.dumps(content), encoding="utf-8")
    with duckdb.connect() as connection:
        names = [model["name"] for model in config.get("models", [])]
        replaced = f"REPLACE ('{names[0]}' AS model)" if names else ""
        read = f"SELECT * {replaced} FROM read_parquet('{run.path / 'records.parquet'}') WHERE {records}"
        connection.execute(f"COPY ({read}) TO '{other / 'records' / 'cell=0.parquet'}' (FORMAT parquet)")


def write_sweep(results: Path, trials: Mapping[str, str], name: str = "grid") -> Path:
    """A finished sweep over the one false-label run of a results folder.

    Args:
        results: the folder.
        trials: of each trial, the model of the run that it has the answers of.
        name: of the sweep.
    """
    (source,) = (run for run in runs(results) if run.study == "false_ratio" and len(run.config["models"]) > 1)
    folder = results / "sweeps" / name
    (folder / "trials").mkdir(parents=True)
    events = []
    for number, (trial, model) in enumerate(trials.items()):
        run = _copy_of_model(source.path, f"20301231-00{number:02}00", model, trial)
        mark = {"runs": [f"false_ratio/{run.name}"], "steps": 4, "accuracy": 0.5, "seconds": 60.0 + number}
        mark |= {"device": "cpu", "memory": 2**30, "trial": trial}
        (folder / "trials" / f"{trial}.json").write_text(json.dumps(mark), encoding="utf-8")
        now = datetime.now(UTC).isoformat()
        events += [{"time": now, "trial": trial, "status": "running", "step": step, "accuracy": 0.5} for step in (2, 4)]
        events.append({"time": now, "trial": trial, "status": "finished"})
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    return folder


def _copy_of_model(source: Path, time: str, model: str, name: str) -> Path:
    """A finished run with the answers of one model of another run, under another name."""
    content = json.loads((source / "config.json").read_text(encoding="utf-8"))
    content["config"]["models"] = [{"name": name, "fingerprint": name}]
    run = source.with_name(f"{time}-{config_digest(content)}")
    shutil.copytree(source, run)
    (run / "config.json").write_text(json.dumps(content), encoding="utf-8")
    file = run / "records.parquet"
    with duckdb.connect() as connection:
        read = f"SELECT * REPLACE ('{name}' AS model) FROM read_parquet('{source / file.name}') WHERE model = '{model}'"
        connection.execute(f"COPY ({read}) TO '{file}' (FORMAT parquet)")
        (count,) = connection.execute(f"SELECT count(*) FROM read_parquet('{file}')").fetchall()[0]
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    manifest["totals"] |= {"records": count, "sha256": sha256(file.read_bytes()).hexdigest()}
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return run


def rewrite_records(results: Path, replacement: str) -> None:
    """Change the records of every run: `replacement` is the list in SQL's `SELECT * REPLACE (…)`."""
    for run in runs(results):
        file, changed = run.path / "records.parquet", run.path / "changed"
        with duckdb.connect() as connection:
            connection.execute(
                f"COPY (SELECT * REPLACE ({replacement}) FROM read_parquet('{file}')) TO '{changed}' (FORMAT parquet)"
            )
        changed.rename(file)
        manifest = run.path / "manifest.json"
        content = json.loads(manifest.read_text(encoding="utf-8"))
        if "sha256" in content["totals"]:  # which runs of earlier versions do not have
            content["totals"]["sha256"] = sha256(file.read_bytes()).hexdigest()
            manifest.write_text(json.dumps(content), encoding="utf-8")


def newest_run(results: Path, study: str) -> str:
    """The name of the newest run of a study."""
    return next(run.run for run in runs(results) if run.study == study)
