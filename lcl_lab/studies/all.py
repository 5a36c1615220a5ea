"""Every question at once: what of the paper holds here, and what cannot be told.

Question   Which of the paper's claims hold for the models at hand?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891): Tables 1 to 3, Figures 1, 3, 5 to 8.
Design     Every study of the package by its own preset of the same name; the false-label study with all
           models that ship, so that each has its link score. A claim holds, or does not, only where the whole
           95 % interval says so. Kill it at any moment: what is finished is not run again.
Command    python -m lcl_lab.studies.all
Time       under a quarter of an hour on two cores
Expect     the claims about following the link hold; those about differences between strategies mostly cannot
           be told, since the embedded world is easy for all of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from pydantic import Field

from lcl_lab.cli import run_program
from lcl_lab.studies._options import StudyConfig, read_options, study_parser
from lcl_lab.studies._study import Presets, Study

if TYPE_CHECKING:
    from lcl_lab.studies._run import Part

__all__ = ["main", "studies"]

NAME = "all"
_PRESETS: Presets = {"default": {}, "tiny": {}, "paper": {}}


class All(StudyConfig):
    """What every study is run with; the rest is in their presets."""

    model: tuple[str, ...] = Field(
        (), max_length=8, description="models for every study; without it each has its own default"
    )


def studies() -> list[Study[Any]]:
    """Every study of the package but this one, by name; a new module is found by itself."""
    folder = Path(__file__).parent
    names = sorted(found.name for found in iter_modules([str(folder)]) if not found.name.startswith("_"))
    return [import_module(f"lcl_lab.studies.{name}").STUDY for name in names if name != NAME]


def main(arguments: Sequence[str]) -> None:
    """Run all studies to one report, or go on with them, and print where it is."""
    parser = study_parser(f"python -m lcl_lab.studies.{NAME}", __doc__ or "", All, list(_PRESETS))
    options = parser.parse_args(arguments)
    config = read_options(All, _PRESETS, options)
    planned = [(study, list(_passed_on(study, config, options.preset, options.fresh))) for study in studies()]
    for study, given in planned:
        study.configured(given)

    from rich.console import Console

    from lcl_lab.studies._run import Part

    started = time.perf_counter()
    console = Console(stderr=True)
    parts = []
    for number, (study, given) in enumerate(planned, start=1):
        console.rule(f"{study.name}, {number} of {len(planned)}")
        outcome = study.run(given)
        parts.append(Part(study.name, [*study.program, *given], outcome))
    print(_report(config, arguments, parts, time.perf_counter() - started))


def _passed_on(study: Study[Any], config: All, preset: str, fresh: bool) -> Iterator[str]:
    """The arguments of one study."""
    from lcl_lab.models import PROTOTYPE, shipped

    yield from ("--preset", preset, "--seed", str(config.seed), "--results", str(config.results))
    yield from ("--batch-size", str(config.batch_size), "--dtype", config.dtype)
    if config.base_url:
        yield from ("--base-url", config.base_url)
    if config.model:
        yield from ("--model", *config.model)
    elif study.name == "false_ratio":
        yield from ("--model", *(name for name in shipped() if name != PROTOTYPE))
    if fresh:
        yield "--fresh"


def _report(config: All, arguments: Sequence[str], parts: Sequence[Part], seconds: float) -> Path:
    """One run of its own, without records, whose report shows those of all studies."""
    from rich.console import Console

    from lcl_lab.store import Run, collect
    from lcl_lab.studies._report import print_claims, write_collection

    identity = {"runs": [f"{part.study}/{part.outcome.path.name}" for part in parts]}
    claims = [claim for part in parts for claim in part.outcome.findings.claims]
    with Run.open(config.results, NAME, identity) as run:
        command = ["python", "-m", f"lcl_lab.studies.{NAME}", *arguments]
        provenance = collect(identity, [config.seed], "none", seconds, command)
        write_collection(run.path, "What of link-context learning holds here", parts, provenance)
        run.finish(provenance)
    print_claims(Console(), claims)
    return run.path


if __name__ == "__main__":
    run_program(main)
