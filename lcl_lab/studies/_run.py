"""One study from its configuration to its report: checks, evaluation, findings, manifest."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from lcl_lab.episodes import episode_image
from lcl_lab.errors import UserError
from lcl_lab.models import PROTOTYPE, find_checkpoint
from lcl_lab.store import Run, collect
from lcl_lab.studies._evaluate import evaluate
from lcl_lab.studies._findings import Findings, Section
from lcl_lab.studies._plan import Plan
from lcl_lab.studies._report import print_findings, write_report
from lcl_lab.studies._study import Config, Study

__all__ = ["Outcome", "Part", "run_study"]


@dataclass(frozen=True)
class Outcome:
    """A finished run: its directory and what was found."""

    path: Path
    findings: Findings


@dataclass(frozen=True)
class Part:
    """A study that was run beside others, and the command that runs it alone."""

    study: str
    command: Sequence[str]
    outcome: Outcome


def run_study(study: Study[Config], config: Config, arguments: Sequence[str], fresh: bool) -> Outcome:
    """Run a study or go on with it, and print its findings and the path of its run directory.

    Everything that can be wrong with the configuration is told before a model is loaded. The run is
    identified by all that its records depend on: design, seed, and what models and data are made of.

    Raises:
        UserError: a model, dataset, design or results folder that does not work.
    """
    started = time.perf_counter()
    study.plan(config)  # a design that cannot be is told before anything is downloaded
    names = dict.fromkeys((*config.models, *([PROTOTYPE] if study.reference else [])))
    checkpoints = [find_checkpoint(name, base_url=config.base_url) for name in names]
    twice = [name for name, count in Counter(found.name for found in checkpoints).items() if count > 1]
    if twice:
        raise UserError(f"--model: two models are called {twice[0]}; give one a name of its own, as NAME=PATH")
    config = config.renamed({name: found.name for name, found in zip(names, checkpoints, strict=True)})
    plan = study.plan(config)
    identity = {
        **plan.identity,
        "seed": config.seed,
        "dtype": config.dtype,
        "models": [{"name": found.name, "fingerprint": found.fingerprint} for found in checkpoints],
    }
    console = Console()
    with Run.open(config.results, study.name, identity, fresh) as run:
        if run.finished:
            console.print(f"finished before; nothing to do (--fresh runs it again)\n{run.path}", soft_wrap=True)
            findings = study.find(config, run.records())
        else:
            run.note("began", options=config.model_dump(mode="json"))
            device = evaluate(run, checkpoints, plan, config.batch_size, config.dtype)
            findings = study.find(config, run.records())
            seconds = time.perf_counter() - started
            provenance = collect(identity, [config.seed], device, seconds, [*study.program, *arguments])
            write_report(run.path, _with_an_episode(findings, plan), study.doc, provenance)
            run.finish(provenance)
        print_findings(console, findings)
        print(run.path)
        return Outcome(run.path, findings)


def _with_an_episode(findings: Findings, plan: Plan) -> Findings:
    if plan.show is None:
        return findings
    told = "The first query under the middle condition; a false label is red, over the true name."
    shown = Section("One episode", [told], episode_image(plan.show, plan.image), "episode")
    return replace(findings, sections=[*findings.sections, shown])
