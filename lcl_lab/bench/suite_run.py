"""Runs the suite for one model and writes its card."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

from lcl_lab import concepts, models, studies
from lcl_lab.atomic import reporting_os_errors
from lcl_lab.bench.bench_config import BenchConfig
from lcl_lab.bench.card import Card, write_card
from lcl_lab.bench.suite import HEADLINES, SEED, TASKS, VERSION, Headline, Task
from lcl_lab.errors import UserError
from lcl_lab.safe_console import SafeConsole
from lcl_lab.store.inspection import RunInfo, inspect_run

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from lcl_lab.models import Checkpoint
    from lcl_lab.studies import StudyResult

__all__ = ["run_bench"]

_NOT_CONDITIONS = {"estimand", "model", "metric", "estimate", "low", "high", "n", "clusters", "p_value", "method"}


def run_bench(config: BenchConfig | None = None, *, verbose: bool = False, **options: Any) -> Path:
    """Evaluate a model on the suite, or resume where that was interrupted, and write its card.

    Args:
        config: the options; None builds them from `options`.
        verbose: print progress, each study's findings, and the path of the card.
        **options: fields of `BenchConfig`.

    Returns:
        The card's JSON file, in the folder `bench` of the results; its page is next to it.

    Raises:
        UserError: there is no such model or dataset, or the model can do none of the studies.
    """
    config = config or BenchConfig.create(**options)
    checkpoint = models.find_checkpoint(config.model, base_url=config.base_url)
    dataset = concepts.load_dataset(config.data)
    folder = config.results / "bench"
    with reporting_os_errors("create", folder):
        folder.mkdir(parents=True, exist_ok=True)
    console = SafeConsole(stderr=True, quiet=not verbose)
    results: dict[str, StudyResult] = {}
    skipped: dict[str, str] = {}
    for number, task in enumerate(TASKS, start=1):
        console.rule(f"{task.study}, {number} of {len(TASKS)}")
        try:
            results[task.study] = studies.run_study(task.study, **_options(task, config))
        except UserError as error:
            skipped[task.study] = str(error)
            console.print(f"skipped: {error}", highlight=False, markup=False, soft_wrap=True)
    if not results:
        raise UserError(f"can do none of the studies: {skipped[TASKS[0].study]}", option="model", value=config.model)
    card = _card(config, checkpoint, concepts.dataset_identity(dataset), results, skipped)
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", f"{card.model}-{card.data}-{card.preset}")[-120:]
    return write_card(card, folder / f"{name}.json")


def _options(task: Task, config: BenchConfig) -> dict[str, Any]:
    given = ("base_url", "batch_size", "dtype", "processor", "results")
    options = {**task.options_of(config.preset), "seed": SEED, **{name: getattr(config, name) for name in given}}
    if task.has_episodes:
        options |= {"data": config.data, "names": "invented"}
    return {**options, "model": config.model}


def _card(
    config: BenchConfig,
    checkpoint: Checkpoint,
    data: Mapping[str, str],
    results: Mapping[str, StudyResult],
    skipped: Mapping[str, str],
) -> Card:
    headlines = {
        headline.key: found
        for headline in HEADLINES
        if headline.study in results
        and (found := _headline(results[headline.study].estimates, headline, checkpoint.name)) is not None
    }
    of_model = {study: _own(result.records, checkpoint.name) for study, result in results.items()}
    tokens = [records["prompt_tokens"].sum() for records in of_model.values() if records["prompt_tokens"].notna().all()]
    return Card(
        version=VERSION,
        preset=config.preset,
        data=config.data,
        data_fingerprint=data["fingerprint"],
        model=checkpoint.name,
        fingerprint=checkpoint.fingerprint,
        headlines=headlines,
        estimates=[row for study, result in results.items() for row in _rows(study, result.estimates)],
        skipped=dict(skipped),
        missing={study: float((records["status"] != "ok").mean()) for study, records in of_model.items()},
        cost={
            "prompts": sum(map(len, of_model.values())),
            "seconds": round(float(sum(records["seconds"].sum() for records in of_model.values())), 1),
            "prompt_tokens": int(sum(tokens)) if len(tokens) == len(of_model) else None,
        },
        origin=_origin(config, next(iter(results.values())).path),
    )


def _origin(config: BenchConfig, path: Path) -> dict[str, Any]:
    """Where the numbers come from: the command, and what the manifest of a run says of code and machine."""
    words = ["lcl", "bench", "run", "--model", config.model, "--preset", config.preset, "--data", config.data]
    run = inspect_run(path)
    provenance = run.provenance if isinstance(run, RunInfo) else None
    known = (
        {"commit": provenance.commit, "device": provenance.device, "finished": provenance.finished.isoformat()}
        if provenance
        else {}
    )
    return {"command": shlex.join(words), "version": metadata.version("lcl_lab"), **known}


def _own(records: pd.DataFrame, model: str) -> pd.DataFrame:
    return records[records["model"] == model]


def _headline(estimates: pd.DataFrame, headline: Headline, model: str) -> dict[str, Any] | None:
    """The estimate of a headline; None where the study has none of this model."""
    rows = estimates[
        (estimates["estimand"] == headline.estimand)
        & (estimates["model"] == model)
        & (estimates["metric"] == headline.metric)
    ]
    for column, value in headline.condition.items():
        if column not in rows:
            return None
        rows = rows[rows[column] == value]
    if rows.empty:
        return None
    row = rows.iloc[0]
    numbers = {name: float(row[name]) for name in ("estimate", "low", "high")}
    return {**numbers, "n": int(row["n"]), "clusters": int(row["clusters"])}


def _rows(study: str, estimates: pd.DataFrame) -> list[dict[str, Any]]:
    """All estimates as rows of JSON values; an infinite or undefined number is null."""
    conditions = [column for column in estimates.columns if column not in _NOT_CONDITIONS]
    return [
        {
            "study": study,
            **{name: _value(row[name]) for name in ("estimand", "model", "metric", "estimate", "low", "high", "n")},
            "condition": {
                name: value if isinstance(value, dict) else _value(value)
                for name in conditions
                if isinstance(value := row[name], dict) or _value(value) is not None
            },
        }
        for row in estimates.to_dict("records")
    ]


def _value(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    number = float(value)
    return number if math.isfinite(number) else None
