"""How often intervals contain the truth and tests reject it, by simulation.

Every interval and test of the studies is applied to simulated answers with a known truth, over a grid of numbers and
sizes of concept pairs, correlations within them, accuracies, curves, readers and deviations between trainings.

Intervals  at a nominal 95 % should contain the truth in 93 to 98 % of the replications
Tests      at a nominal 5 % should decide against a true hypothesis in at most 6 %
Command    lcl bench coverage --write docs/validation.md
Time       half an hour on two cores
"""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import indent

import numpy as np
import pandas as pd
from pydantic import Field
from rich.table import Table

from lcl_lab.benchmarks.validated_methods import METHODS, Check, Method, Scenario
from lcl_lab.commands.program import Program
from lcl_lab.config import Config, Threads
from lcl_lab.errors import UserError, nearest
from lcl_lab.progress import track
from lcl_lab.safe_console import SafeConsole
from lcl_lab.worker_pool import map_in_processes

__all__ = ["CoverageConfig", "coverage_program", "measure_coverage", "run_coverage"]

_COLUMNS = ["function", "check", "kind", "scenario", "replications", "results", "rate", "verdict"]
_LEAST, _MOST = 0.93, 0.98  # coverage at a nominal 95 %
_ERRORS = 0.06  # at a nominal 5 %
_PAGE = """# Validation

How often each interval of the studies contains the truth, and how often each test decides against a true hypothesis, in
simulations with a known truth. This page is written by:

```sh
lcl bench coverage --replications {replications} --write docs/validation.md
```

An interval at a nominal 95 % is *nominal* if it contains the truth in 93 to 98 % of the replications, *wide* if more
often, *narrow* if less often. A test at a nominal 5 % is *nominal* if it decides against a true hypothesis in at most
6 %, and *liberal* otherwise; a test is also called nominal if it decides more rarely. A rate counts as outside of its
range if it is so by more than two standard errors of the simulation. Where a method gives no result, as for a curve
that does not cross one half, the rate is that among the results.

Answers are simulated for 10, 20 and 50 concept pairs (20, 50 and 200 for some), with 8 queries of each, or between 2
and 24 (*unequal*). Their correlation within pairs is that of a beta-binomial distribution, or of normal variables that
answers share. Readers combine labels additively or by majority vote. Trainings of a strategy differ by a deviation in
accuracy of up to 0.06.

{summary}

## Outside of the range

{outside}

## All scenarios

{every}
"""
_WHY = {
    "accuracy": "With few effective errors the interval is Wilson's on an effective number of trials, which is "
    "conservative; a score that is always right is always within it.",
    "difference": "Where few answers change, the interval allows for gains and losses that were not seen.",
    "drops, one at a time": "Where hardly any answer changes, each interval allows for changes that were not seen.",
    "changes from step to step": "Where few answers change, each interval allows for changes that were not seen.",
    "drops, factorial": "Where hardly any answer is wrong, each interval allows for errors that were not seen.",
    "dose at one half": "Where answers hardly vary at the doses next to the crossing, the interval contains the "
    "crossings of the limits of the accuracies; near the ends of the doses it extends to the end.",
    "accuracy over seeds": "Two trainings say little about new ones; where they hardly differ, the interval still "
    "allows for it.",
    "difference of strategies": "Two trainings per side, and trainings that differ by chance alone, leave few degrees "
    "of freedom.",
    "change of a strategy": "A single set of two trainings has one degree of freedom.",
    "deviation over orders": "Where answers hardly ever change, the interval allows for changes that were not seen.",
    "odds ratio": "Where hardly any answer is wrong under one condition, the interval allows for errors that were not "
    "seen.",
    "share of the ceiling": "A ceiling of few errors says little about the distance to it.",
    "expected calibration error": "It cannot be below 0, so that only the upper end can fail where a model is well "
    "calibrated.",
    "variance, concept pair": "A variance near 0 has the lower end 0, so that only the upper one can fail.",
    "variance, query": "A variance near 0 has the lower end 0, so that only the upper one can fail.",
    "difference at any time": "It holds at all numbers of pairs together, so that it is wide at each of them.",
    "slope": "Few wrong answers leave few degrees of freedom.",
    "rate of answers": "With few effective answers of a kind the interval is Wilson's on an effective number of "
    "trials.",
    "agreement": "It has the outer ends of two intervals.",
    "chance-corrected difference": "Where few answers change, the interval allows for gains and losses that were not "
    "seen.",
    "area under the ROC curve": "With few effective errors the interval is Wilson's on at most as many trials as there "
    "are queries of the rarer kind.",
    "FPR at 95 % TPR": "Nothing bounds the threshold where few queries are of the support, and errors of the share and "
    "the threshold add up.",
    "accuracy on accepted": "Errors of the share and of the threshold add up, also where they cancel.",
    "deviation between seeds": "At a deviation of 0 the lower end is 0, so that only the upper one can fail.",
}
"""Why an interval is wide."""


class CoverageConfig(Config):
    """Size of the simulation, and where to write the page."""

    methods: tuple[str, ...] = Field((), description="functions of lcl_lab.analysis; all by default")
    replications: int = Field(
        1000, ge=20, le=1_000_000, description="of the fastest methods; slower ones have a part of it"
    )
    seed: int = Field(0, ge=0, description="of the simulation")
    workers: Threads = Field(os.cpu_count() or 1, description="processes; does not change the result")
    write: Path | None = Field(None, description="Markdown page to write")


def run_coverage(config: CoverageConfig) -> pd.DataFrame:
    """Simulate, print a summary, and write the page if asked to.

    Returns:
        The rows of `measure_coverage`.

    Raises:
        UserError: a method is unknown.
    """
    rows = measure_coverage(config)
    summary = _summary(rows)
    table = Table(*summary.columns)
    for cells in summary.itertuples(index=False):
        table.add_row(*map(str, cells))
    SafeConsole().print(table)
    if config.write:
        config.write.write_text(_page(rows, config.replications), encoding="utf-8")
    return rows


def measure_coverage(config: CoverageConfig) -> pd.DataFrame:
    """Coverage and error rates of each method in each scenario.

    Returns:
        One row per method, check and scenario: replications, the number of them in which the method gave a result, the
        rate among those, and a verdict: for an interval ``"nominal"``, ``"wide"`` (it contains the truth more often
        than in 98 %) or ``"narrow"``; for a test ``"nominal"`` or ``"liberal"``. A verdict other than nominal means
        that the rate is outside of the range by more than two standard errors of the simulation.

    Raises:
        UserError: a method is unknown.
    """
    known = [method.function for method in METHODS]
    for name in config.methods:
        if name not in known:
            raise UserError(f"unknown; {nearest(name, known)}", option="methods", value=name)
    jobs = [
        (config.seed, place, number, max(1, round(config.replications * method.effort)))
        for place, method in enumerate(METHODS)
        if not config.methods or method.function in config.methods
        for number in range(len(method.scenarios))
    ]
    with map_in_processes(_measure, *zip(*jobs, strict=True), workers=config.workers) as simulated:
        found = list(track(simulated, "simulating", len(jobs)))
    return pd.DataFrame([row for rows in found for row in rows], columns=_COLUMNS)


def _measure(seed: int, place: int, number: int, replications: int) -> list[tuple[object, ...]]:
    """The rows of one scenario, whose generator depends on nothing else."""
    method = METHODS[place]
    scenario = method.scenarios[number]
    rng = np.random.default_rng([seed, *method.function.encode(), number])
    results = [_replicate(method, scenario, rng) for _ in range(replications)]
    rows: list[tuple[object, ...]] = []
    for check in method.checks:
        given = [value for result in results if (value := result[check.name]) is not None]
        if given:
            rate = sum(given) / len(given)
            verdict = _verdict(check, rate, len(given))
            rows.append(
                (method.function, check.name, check.kind, _text(scenario), replications, len(given), rate, verdict)
            )
    return rows


def _replicate(method: Method, scenario: Scenario, rng: np.random.Generator) -> dict[str, bool | None]:
    """One replication; without results where the method refuses the data."""
    try:
        return method.simulate(rng, scenario)
    except UserError:
        return {check.name: None for check in method.checks}


def _verdict(check: Check, rate: float, results: int) -> str:
    """Whether a rate is outside of its range by more than two standard errors at the end of the range."""

    def error(limit: float) -> float:
        return 2 * float(limit * (1 - limit) / results) ** 0.5

    if check.kind == "test":
        return "liberal" if rate > _ERRORS + error(_ERRORS) else "nominal"
    if rate < _LEAST - error(_LEAST):
        return "narrow"
    return "wide" if rate > _MOST + error(_MOST) else "nominal"


def _text(scenario: Scenario) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in scenario.items())


def _summary(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per check: the number of scenarios, the least, median and largest rate, and the verdicts."""

    def line(group: pd.DataFrame) -> dict[str, str]:
        counts = group["verdict"].value_counts()
        return {
            "of": "coverage" if group["kind"].iloc[0] == "interval" else "error rate",
            "scenarios": str(len(group)),
            "least": f"{group['rate'].min():.1%}",
            "median": f"{group['rate'].median():.1%}",
            "most": f"{group['rate'].max():.1%}",
            "verdicts": ", ".join(f"{count} {verdict}" for verdict, count in counts.items()),
        }

    groups = rows.groupby(["check", "function"], sort=False)
    return pd.DataFrame([{"method": check, "function": function, **line(group)} for (check, function), group in groups])


def _page(rows: pd.DataFrame, replications: int) -> str:
    summary = _summary(rows)
    linked = summary.assign(function=[f"[`{name}`][lcl_lab.analysis.{name}]" for name in summary["function"]])
    shown = rows.assign(rate=rows["rate"].map("{:.1%}".format)).drop(columns=["kind", "function"])
    return _PAGE.format(
        replications=replications,
        summary=_markdown(linked),
        outside=_outside(rows),
        every="\n\n".join(
            f'??? note "{check}"\n\n{indent(_markdown(group.drop(columns="check")), "    ")}'
            for check, group in shown.groupby("check", sort=False)
        ),
    )


def _outside(rows: pd.DataFrame) -> str:
    """A line per check that is wide, narrow or liberal somewhere: how often, how far, and why."""
    lines = []
    for key, group in rows[rows["verdict"] != "nominal"].groupby(["check", "verdict"], sort=False):
        check, verdict = map(str, key)
        extreme = group.sort_values("rate").iloc[0 if verdict == "narrow" else -1]
        why = _WHY.get(check, "") if verdict == "wide" else ""
        direction = "down" if verdict == "narrow" else "up"
        lines.append(
            f"- **{check}** is {verdict} in {len(group)} of {(rows['check'] == check).sum()} scenarios, "
            f"{direction} to {extreme['rate']:.1%} ({extreme['scenario']}). {why}".rstrip()
        )
    return "\n".join(lines) or "No method is outside of its range."


def _markdown(frame: pd.DataFrame) -> str:
    rows = [tuple(frame.columns), tuple("---" for _ in frame.columns), *frame.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def coverage_program(name: str = "python -m lcl_lab.benchmarks.coverage") -> Program[CoverageConfig]:
    """The command that simulates coverage and error rates."""
    return Program(name, CoverageConfig, run_coverage, __doc__ or "")


if __name__ == "__main__":
    coverage_program().main()
