"""One study from its configuration to its report: checks, evaluation, estimates, figure, manifest."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
from rich.console import Console

from lcl_lab.concepts import ConceptSet, load_concepts
from lcl_lab.episodes import check_shots, save_strip
from lcl_lab.models import PROTOTYPE, find_checkpoint
from lcl_lab.store import Run, collect
from lcl_lab.studies._evaluate import Condition, evaluate
from lcl_lab.studies._options import StudyConfig
from lcl_lab.studies._report import print_table, write_report

if TYPE_CHECKING:
    from lcl_lab.figures.theme import Chart

__all__ = ["Findings", "run_study"]

Config = TypeVar("Config", bound=StudyConfig)


@dataclass(frozen=True)
class Findings:
    """What a study found.

    `estimates` are rows of `analysis.accuracy` by model and `column`, the condition that the table has across.
    """

    title: str
    estimates: pd.DataFrame
    column: str
    chart: Chart
    sentences: Sequence[str]


def run_study(
    name: str,
    config: Config,
    design: Mapping[str, Any],
    conditions: Callable[[Config, ConceptSet], Sequence[Condition]],
    find: Callable[[Config, pd.DataFrame], Findings],
    arguments: Sequence[str],
    fresh: bool,
) -> None:
    """Run a study or go on with it, and print its table and the path of its run directory.

    Everything that can be wrong with the configuration is told before a model is loaded. The run is
    identified by all that its records depend on: design, seed, and what models and data are made of.

    Raises:
        UserError: a model, dataset, shot count or results folder that does not work.
    """
    started = time.perf_counter()
    concepts = load_concepts(config.data)
    check_shots(concepts, config.shots, config.queries_per_support)
    names = dict.fromkeys((*config.model, PROTOTYPE))
    checkpoints = [find_checkpoint(name, base_url=config.base_url) for name in names]
    identity = {
        **design,
        "shots": config.shots,
        "seed": config.seed,
        "queries": config.queries,
        "queries_per_support": config.queries_per_support,
        "data": {"name": concepts.name, "fingerprint": concepts.fingerprint},
        "dtype": config.dtype,
        "models": [{"name": found.name, "fingerprint": found.fingerprint} for found in checkpoints],
    }
    console = Console()
    with Run.open(config.results, name, identity, fresh) as run:
        if run.finished:
            console.print(f"finished before; nothing to do (--fresh runs it again)\n{run.path}", soft_wrap=True)
            print_table(console, find(config, run.records()))
            print(run.path)
            return
        design_points = conditions(config, concepts)
        device = evaluate(
            run,
            checkpoints,
            concepts,
            design_points,
            config.queries,
            config.queries_per_support,
            config.batch_size,
            config.dtype,
        )
        findings = find(config, run.records())
        command = ["python", "-m", f"lcl_lab.studies.{name}", *arguments]
        seconds = time.perf_counter() - started
        provenance = collect(identity, [config.seed], device, seconds, command)
        save_strip(design_points[len(design_points) // 2].episode(0), concepts.image, run.path / "episode.png")
        write_report(run.path, findings, provenance)
        run.finish(provenance)
        print_table(console, findings)
        print(run.path)
