"""Does a model follow a rule that only the support tells? The novel operator, in text alone.

Question   A new sign between two numbers stands for a rule that the examples show: 1 <op> 2 = 3, 2 <op> 3 = 5,
           4 <op> 5 = ? Does the answer go by the rule that is shown?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), section 1: the paper's second example of a causal link.
Design     Rules come in pairs that agree on no question asked; each query is asked after examples of one rule
           and after the same examples by the other. The candidates are both rules' results, so a model that
           prefers one of them whatever it is shown is at one half. Intervals resample pairs of rules and
           operands.
Command    python -m lcl_lab.studies.arithmetic
Time       under a minute on two cores
Expect     the embedded models have never computed: they stay at one half. A large language model does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from lcl_lab.cli import run_program
from lcl_lab.studies._options import StudyConfig, no_repeats
from lcl_lab.studies._study import Presets, Study

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.studies._findings import Findings
    from lcl_lab.studies._plan import Asked, Plan

__all__ = ["RULES", "STUDY", "Arithmetic"]

RULES: Mapping[str, Callable[[int, int], int]] = {
    "sum": lambda a, b: a + b,
    "product": lambda a, b: a * b,
    "distance": lambda a, b: abs(a - b),
    "larger": max,
    "first": lambda a, b: a,
    "sum and one": lambda a, b: a + b + 1,
}
_PAIRS = tuple(combinations(RULES, 2))
_STREAM = 6
_MOST = 9  # operands are 1 to 9
_CLUSTERS = 8  # of operands, for each pair of rules


class Arithmetic(StudyConfig):
    """The sign, and how many examples are shown."""

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/mix"), min_length=1, max_length=8, description="names as in every study"
    )
    queries: int = Field(120, ge=1, description="questions under each number of shots, each by two rules")
    shots: Annotated[
        tuple[Annotated[int, Field(ge=0, le=32)], ...], Field(min_length=1), AfterValidator(no_repeats)
    ] = Field((0, 2, 4, 8), description="examples")
    operator: str = Field("<op>", min_length=1, description="the sign")


PRESETS: Presets = {
    "default": {},
    "tiny": {"queries": 12, "shots": (0, 2), "model": ("mini/base",)},
    "paper": {"queries": 2000, "shots": (0, 2, 4, 8, 16)},
}


def _plan(config: Arithmetic) -> Plan:
    from lcl_lab.studies._plan import Condition, Plan

    def image(ref: object) -> object:
        raise AssertionError(f"a question of text has no image {ref}")

    conditions = [
        Condition({"shots": shots, "rule": turn}, config.queries, partial(_ask, config, shots, turn))
        for shots in config.shots
        for turn in (0, 1)
    ]
    identity = {"queries": config.queries, "shots": config.shots, "operator": config.operator, "rules": list(RULES)}
    return Plan(conditions, image, identity)  # type: ignore[arg-type]


def _ask(config: Arithmetic, shots: int, turn: int, query: int) -> Asked:
    """A question after examples of one rule of a pair; `turn` says of which."""
    import re

    from lcl_lab.prompts import Prompt, Turn
    from lcl_lab.store import SupportExample
    from lcl_lab.studies._plan import Asked

    names = _PAIRS[query % len(_PAIRS)]
    shown, other = names if turn == 0 else names[::-1]
    *examples, last = _operands(config.seed, query, names, shots + 1)

    def write(operands: tuple[int, int]) -> str:
        return f"{operands[0]} {config.operator} {operands[1]} ="

    turns, support = [], []
    for operands in examples:
        result = str(RULES[shown](*operands))
        turns += [Turn("user", (write(operands),)), Turn("assistant", (result,))]
        support.append(SupportExample(write(operands), result, result, False))
    true, wrong = str(RULES[shown](*last)), str(RULES[other](*last))
    return Asked(
        prompt=Prompt((*turns, Turn("user", (write(last),))), (true, wrong)),
        grade=lambda answer: float(re.findall(r"\d+", answer)[:1] == [true]),
        data="arithmetic",
        seed=config.seed,
        query_id=query,
        support_id=query,
        pair=f"{names[0]}~{names[1]}~{query // len(_PAIRS) % _CLUSTERS}",
        episode_id=f"{config.seed}-{query}-{shots}-{turn}",
        support=tuple(support),
        query=write(last),
        true_name=true,
        other_name=wrong,
    )


def _operands(seed: int, query: int, names: tuple[str, str], count: int) -> list[tuple[int, int]]:
    """Different pairs of operands on which the two rules disagree; what is asked is always the first drawn."""
    import numpy as np

    rng = np.random.default_rng([seed, query, _STREAM])
    first, second = (RULES[name] for name in names)
    able = [(a, b) for a in range(1, _MOST + 1) for b in range(1, _MOST + 1) if first(a, b) != second(a, b)]
    asked, *examples = (able[k] for k in rng.permutation(len(able)))
    return [*examples[: count - 1], asked]


def _find(config: Arithmetic, records: pd.DataFrame) -> Findings:
    from lcl_lab.analysis import accuracy
    from lcl_lab.figures import line_figure
    from lcl_lab.studies._findings import Findings, Section, accuracy_table

    estimates = accuracy(records, ["model", "shots"], config.seed)
    shown = estimates[estimates["metric"] != "candidate-raw"]
    title = f"A rule that only the support tells ({config.operator})"
    chart = line_figure(shown, "shots", "Examples", title)
    table = accuracy_table(estimates, "shots", "Accuracy, and its 95 % interval over pairs of rules and operands")
    return Findings(title, [Section("Accuracy over examples", _follows(config, records), chart, tables=[table])])


def _follows(config: Arithmetic, records: pd.DataFrame) -> list[str]:
    """Whether the choice turns with the rule that is shown."""
    from lcl_lab.analysis import accuracy
    from lcl_lab.studies._compare import answers
    from lcl_lab.studies._findings import interval

    said = []
    last = records[records["shots"] == config.shots[-1]]
    for model, metric, own in answers(last, config.model):
        column = "correct_candidate" if metric == "candidate" else "correct_open"
        row = accuracy(own, [], config.seed, {metric: column}).iloc[0]
        told = interval(row["estimate"], row["low"], row["high"])
        follows = row["low"] > 0.5
        said.append(
            f"**{model}**, {metric}: {told} after {config.shots[-1]} examples: "
            f"{'it follows the rule' if follows else 'nothing says that it follows the rule'}."
        )
    return said


STUDY = Study("arithmetic", __doc__ or "", Arithmetic, PRESETS, _plan, _find, reference=False)

if __name__ == "__main__":
    run_program(STUDY.main)
