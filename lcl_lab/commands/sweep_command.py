"""The command that runs a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from lcl_lab import sweeps
from lcl_lab.commands.program import Program
from lcl_lab.sweeps.sweep_config import SweepOptions

__all__ = ["SweepArguments", "sweep_program"]

_DOC = """Train strategies with several seeds and evaluate every model in studies, or evaluate models that exist, on
many cores or GPUs by Ray Tune.

On this machine: python -m lcl_lab.sweep studies/tiny_grid.yaml
On a cluster: python -m lcl_lab.sweep studies/paper_grid.yaml --address auto

FILE says what to train and evaluate: strategies, seeds, train, studies, search, stopping, or models, data, seeds,
studies, search, and any of the options below, which take precedence on the command line.

Kill the command or any of its workers at any moment and give the same command again: finished work is not repeated, and
the rest resumes, to the same records.
"""


class SweepArguments(SweepOptions):
    """What the command line takes: a file, and options that override those in it."""

    POSITIONAL: ClassVar[tuple[str, ...]] = ("file",)

    file: Path = Field(description="YAML file of the sweep, such as studies/tiny_grid.yaml")
    strategies: tuple[str, ...] = Field((), description="names or Python files of strategies")
    models: tuple[str, ...] = Field((), description="models to evaluate instead of training any")
    data: tuple[str, ...] = Field((), description="datasets on which models are evaluated")


def sweep_program(name: str = "python -m lcl_lab.sweep") -> Program[SweepArguments]:
    """The command that runs a sweep and prints its folder."""
    return Program(name, SweepArguments, _run, _DOC, takes_file=False)


def _run(arguments: SweepArguments) -> None:
    options = {name: getattr(arguments, name) for name in arguments.model_fields_set - {"file"}}
    sweeps.run_sweep(arguments.file, verbose=True, **options)
