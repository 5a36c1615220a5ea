"""The command that plans the size of a study."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lcl_lab.commands.program import Program
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
    table = Table(
        title=f"To detect a difference of {config.difference:g} with power {config.power:g}\n({assumed})",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    for column in ("queries per pair", "concept pairs", "queries", "prompts"):
        table.add_column(column, justify="right")
    for size in sizes:
        numbers = (size.pairs, size.queries, size.prompts)
        row = ("more than 4096", "", "") if size.pairs is None else tuple(map(str, numbers))
        table.add_row(str(size.queries_per_pair), *row)
    Console().print(table)
