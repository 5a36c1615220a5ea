"""The command that plans the size of a study."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

from lcl_lab import studies
from lcl_lab.commands.program import Program
from lcl_lab.safe_console import SafeConsole
from lcl_lab.studies import sample_size
from lcl_lab.studies.sample_size import PowerConfig

__all__ = ["power_program"]


def power_program(name: str = "python -m lcl_lab.power") -> Program[PowerConfig]:
    """The command that prints the concept pairs and prompts needed to detect a difference."""
    return Program(name, PowerConfig, _run, sample_size.__doc__ or "")


def _run(config: PowerConfig) -> None:
    clustering, sizes = sample_size.required_sample_size(config)
    assumed = (
        f"changed {clustering.changed:.1%} of queries, correlation within a concept pair {clustering.correlation:.2f}"
    )
    between_strategies = config.seed_deviation is not None
    what = "between strategies " if between_strategies else ""
    if between_strategies:
        assumed += f", standard deviation between trainings {config.seed_deviation:g}"
    table = Table(
        title=f"To detect a difference {what}of {config.difference:g} with power {config.power:g}\n({assumed})",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    axes = ("trainings per strategy", "queries per pair") if between_strategies else ("queries per pair",)
    for column in (*axes, "concept pairs", "queries", "prompts"):
        table.add_column(column, justify="right")
    for size in sizes:
        numbers = (size.pairs, size.queries, size.prompts)
        row = ("more than 4096", "", "") if size.pairs is None else tuple(map(str, numbers))
        design = (size.trainings, size.queries_per_pair) if between_strategies else (size.queries_per_pair,)
        table.add_row(*map(str, design), *row)
    console = SafeConsole()
    console.print(table)
    if config.figure is not None:
        studies.power_curves(config).figure.write(config.figure)
        console.print(str(config.figure), soft_wrap=True, highlight=False, markup=False)
