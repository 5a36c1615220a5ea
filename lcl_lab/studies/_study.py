"""A study as a value: its options, what it asks, and what it reads from the answers."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lcl_lab.studies._options import StudyConfig, read_options, study_parser

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.studies._findings import Findings
    from lcl_lab.studies._plan import Plan
    from lcl_lab.studies._run import Outcome

__all__ = ["Presets", "Study"]

Config = TypeVar("Config", bound=StudyConfig)
Presets = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Study(Generic[Config]):
    """One question. `plan` and `find` import what they need themselves, so that `--help` answers at once.

    Attributes:
        doc: the module's docstring: question, source, design, command, wall time, the figure to expect.
        plan: what is asked; raises `UserError` on a design that cannot be.
        find: what the records of all models say.
        reference: whether the nearest-prototype classifier answers too.
        supports: of which records `find` reads which labels of the support were false: those with a condition's value.
    """

    name: str
    doc: str
    config: type[Config]
    presets: Presets
    plan: Callable[[Config], Plan]
    find: Callable[[Config, pd.DataFrame], Findings]
    reference: bool = True
    supports: tuple[str, str] | None = None

    def main(self, arguments: Sequence[str]) -> None:
        """Run the study to its report, or go on with it, and print where that is."""
        self.run(arguments)

    def run(self, arguments: Sequence[str]) -> Outcome:
        """The same, and what was found."""
        config, fresh = self.configured(arguments)

        from lcl_lab.studies._run import run_study

        return run_study(self, config, arguments, fresh)

    @property
    def program(self) -> tuple[str, ...]:
        """What one types to run it: a module of the package, or a user's file."""
        if find_spec(f"lcl_lab.studies.{self.name}"):
            return "python", "-m", f"lcl_lab.studies.{self.name}"
        return "python", sys.argv[0]

    def configured(self, arguments: Sequence[str]) -> tuple[Config, bool]:
        """The configuration of some arguments, and whether a new run is to be started.

        Raises:
            UserError: they are wrong.
        """
        parser = study_parser(shlex.join(self.program), self.doc, self.config, list(self.presets))
        options = parser.parse_args(arguments)
        return read_options(self.config, self.presets, options), options.fresh
