"""Does a model follow a rule that only the support shows? The novel operator, in text alone.

Question   A new sign between two numbers stands for a rule that the examples show: 1 <op> 2 = 3, 2 <op> 3 = 5,
           4 <op> 5 = ? Does the answer follow that rule?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), section 1: the paper's second example of a causal link.
Design     Rules come in pairs that disagree on every question; each query is evaluated after examples of one rule and
           after the same operands with results by the other. The candidates are the results of both rules, so a model
           that prefers one of them regardless of the examples scores one half. Intervals resample pairs of rules and
           operands.
Command    python -m lcl_lab.studies.arithmetic
Time       under a minute on two cores
Expect     the embedded models were never trained on arithmetic: they stay at one half. A large language model does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import AfterValidator, Field

from lcl_lab import analysis, evaluation, figures, prompts, reporting, store
from lcl_lab.config import MOST_QUERIES, no_repeats
from lcl_lab.studies import comparisons
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import StudyConfig

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from lcl_lab.concepts import ImageRef
    from lcl_lab.evaluation import Design, EvalItem
    from lcl_lab.reporting import Findings, Statement

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
_STREAM = 6  # random stream of the operands
_MAX_OPERAND = 9  # operands are 1 to 9
_CLUSTERS = 8  # clusters of operands per pair of rules
_VERDICTS = {
    "follows": "it follows the rule",
    "does not follow": "most of its answers do not follow the rule",
    "inconclusive": "no evidence that it follows the rule",
}


class Arithmetic(StudyConfig):
    """The sign, and the numbers of examples."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 12, "shots": (0, 2), "model": ("mini/base",)},
        "paper": {"queries": 2000, "shots": (0, 2, 4, 8, 16)},
    }

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/mix"), min_length=1, max_length=8, description="models, named as in every study"
    )
    queries: int = Field(
        120, ge=1, le=MOST_QUERIES, description="questions per number of examples, each under both rules of a pair"
    )
    shots: Annotated[
        tuple[Annotated[int, Field(ge=0, le=32)], ...], Field(min_length=1), AfterValidator(no_repeats)
    ] = Field((0, 2, 4, 8), description="numbers of examples")
    operator: str = Field("<op>", min_length=1, description="the sign between the numbers")


def _design(config: Arithmetic) -> Design:
    conditions = [
        evaluation.Condition({"shots": shots, "rule": rule}, config.queries, partial(_item, config, shots, rule))
        for shots in config.shots
        for rule in (0, 1)
    ]
    identity = {"queries": config.queries, "shots": config.shots, "operator": config.operator, "rules": list(RULES)}
    return evaluation.Design(conditions, _no_image, identity)


def _no_image(ref: ImageRef) -> Image:
    raise AssertionError(f"a question in text alone refers to the image {ref}")


def _item(config: Arithmetic, shots: int, rule: int, query: int) -> EvalItem:
    """A question after examples of the first (`rule` 0) or the second (`rule` 1) of a pair of rules."""
    names = _PAIRS[query % len(_PAIRS)]
    shown, other = names if rule == 0 else names[::-1]
    *examples, last = _operands(config.seed, query, names, shots + 1)

    def write(operands: tuple[int, int]) -> str:
        return f"{operands[0]} {config.operator} {operands[1]} ="

    turns, support = [], []
    for operands in examples:
        result = str(RULES[shown](*operands))
        turns += [prompts.Turn("user", (write(operands),)), prompts.Turn("assistant", (result,))]
        support.append(store.SupportExample(write(operands), result, result, False))
    true_result, other_result = str(RULES[shown](*last)), str(RULES[other](*last))

    def grade(answer: str) -> float:
        return float(re.findall(r"\d+", answer)[:1] == [true_result])

    question = evaluation.Question(
        data="arithmetic",
        seed=config.seed,
        query_id=query,
        pair=f"{names[0]}~{names[1]}~{query // len(_PAIRS) % _CLUSTERS}",
        id=f"{config.seed}-{query}-{shots}-{rule}",
        query=write(last),
        true_name=true_result,
        other_name=other_result,
        support=tuple(support),
    )
    prompt = prompts.Prompt((*turns, prompts.Turn("user", (write(last),))), (true_result, other_result))
    return evaluation.EvalItem(question, prompt, grade)


def _operands(seed: int, query: int, names: tuple[str, str], count: int) -> list[tuple[int, int]]:
    """Distinct pairs of operands on which the two rules disagree, those of the question last.

    Those of the question are drawn first, so they are the same for every number of examples.
    """
    rng = np.random.default_rng([seed, query, _STREAM])
    first, second = (RULES[name] for name in names)
    numbers = range(1, _MAX_OPERAND + 1)
    disagreeing = [(a, b) for a in numbers for b in numbers if first(a, b) != second(a, b)]
    question, *examples = (disagreeing[k] for k in rng.permutation(len(disagreeing)))
    return [*examples[: count - 1], question]


def _analyse(config: Arithmetic, records: pd.DataFrame) -> Findings:
    estimates = analysis.accuracy(records, ["model", "shots"], config.seed)
    shown = estimates[estimates["metric"].isin(analysis.MAIN_METRICS)]
    title = f"A rule that only the support shows ({config.operator})"
    caption = "Accuracy, with 95 % intervals over pairs of rules and operands"
    section = reporting.Section(
        "Accuracy over examples",
        list(_follows(config, records)),
        figures.line_figure(shown, "shots", "Examples", title),
        tables=[comparisons.accuracy_table(estimates, "shots", caption)],
    )
    return reporting.Findings(title, [section])


def _follows(config: Arithmetic, records: pd.DataFrame) -> Iterator[Statement]:
    """Whether answers change with the rule that the examples show."""
    template = "{model}, {metric}: {accuracy} after {shots} examples: {conclusion}."
    shots = config.shots[-1]
    for model, metric, rows in comparisons.per_model_and_metric(records[records["shots"] == shots], config.model):
        accuracy = comparisons.accuracy_estimate(rows, metric, config.seed, model, shots=shots)
        verdict = "follows" if accuracy.low > 0.5 else "does not follow" if accuracy.high < 0.5 else "inconclusive"
        values = {"accuracy": accuracy, "shots": shots, "conclusion": _VERDICTS[verdict]}
        undecided = analysis.detectable(accuracy, [0.5], units="clusters") if verdict == "inconclusive" else None
        yield reporting.Statement(template, values, metric, model, verdict, undecided)


STUDY = Study("arithmetic", _design, _analyse, Arithmetic, __doc__ or "", reference=False)

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
