"""Every study in one report: which claims of the paper hold here.

Question   Which of the paper's claims hold for the models at hand?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891): Tables 1 to 3, Figures 1, 3, 5 to 8.
Design     Every study by its preset of the same name; the false-label study with all shipped models, so that each
           has its link score. A claim holds, or does not, only where the whole 95 % interval says so. Kill it at
           any moment and run it again: what is finished is not evaluated again.
Command    python -m lcl_lab.studies.all
Time       under a quarter of an hour on two cores
Expect     the claims about following the link hold; those about differences between strategies are mostly
           inconclusive, since the embedded world is easy for all of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from lcl_lab import models, reporting, store
from lcl_lab.safe_console import SafeConsole
from lcl_lab.studies.runner import command_of, run_study
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import StudyConfig
from lcl_lab.studies.study_registry import find_studies

__all__ = ["AllConfig", "run_all"]

NAME = "all"


class AllConfig(StudyConfig):
    """Options that every study runs with; those that are not given are in their presets."""

    model: tuple[str, ...] = Field((), max_length=8, description="models for every study (default: each study's own)")
    preset: Literal["default", "tiny", "paper"] = Field("default", description="preset of every study")


def run_all(config: AllConfig | None = None, *, verbose: bool = False, **options: Any) -> Path:
    """Run all studies, or resume them, and write one report.

    Args:
        config: the options; None builds them from `options`.
        verbose: print the findings of each study, the claims, and the path of the report's directory.
        **options: fields of `AllConfig`.

    Returns:
        The directory of the report.

    Raises:
        UserError: an option is wrong, or a study cannot run.
    """
    config = config or AllConfig.create(**options)
    chosen = [study for study in find_studies() if study.in_all]
    planned = [(study, study.config.create(config.preset, **_options(study, config))) for study in chosen]
    started = time.perf_counter()
    console = SafeConsole(stderr=True, quiet=not verbose)
    parts = []
    for number, (study, own) in enumerate(planned, start=1):
        console.rule(f"{study.name}, {number} of {len(planned)}")
        result = run_study(study, own, verbose=verbose)
        parts.append(reporting.Part(study.name, result.path.name, command_of(study.program, own), result.findings))
    path = _report(config, parts, time.perf_counter() - started)
    if verbose:
        out = SafeConsole()
        reporting.print_claims(out, [claim for part in parts for claim in part.findings.claims])
        out.print(str(path), soft_wrap=True, highlight=False, markup=False)
    return path


def _options(study: Study[Any], config: AllConfig) -> dict[str, Any]:
    """The options that one study gets."""
    given = config.model_fields_set - {"preset", "model"}
    options: dict[str, Any] = {name: getattr(config, name) for name in given}
    if config.registration:  # each study has a file of its own
        options["registration"] = config.registration.with_name(f"{study.name}-{config.registration.name}")
    if config.model:
        options["model"] = config.model
    elif study.name == "false_ratio":
        options["model"] = tuple(name for name in models.shipped("mini") if name != models.PROTOTYPE)
    return options


def _report(config: AllConfig, parts: Sequence[reporting.Part], seconds: float) -> Path:
    """A run without records whose report shows those of all studies."""
    identity = {"runs": [f"{part.study}/{part.run}" for part in parts]}
    with store.Run.open(config.results, NAME, identity) as run:
        command = command_of(("python", "-m", f"lcl_lab.studies.{NAME}"), config)
        provenance = store.collect(identity, [config.seed], "none", seconds, command)
        reporting.write_collection(run.path, "What of link-context learning holds here", parts, provenance)
        run.finish(provenance)
    return run.path


if __name__ == "__main__":
    from lcl_lab.commands import all_studies_program

    all_studies_program().main()
