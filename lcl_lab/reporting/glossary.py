"""The terms of a report, each defined in one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lcl_lab.reporting.findings import Findings
from lcl_lab.reporting.tables import caption_text, claims_table, table_text

__all__ = ["TERMS", "terms_markdown", "terms_used"]

TERMS: Mapping[str, str] = {
    "open-ended": "the generated answer, graded by the rule of the run",
    "candidate": "the candidate name with the highest log-likelihood per token is the answer",
    "candidate-raw": "the candidate name with the highest total log-likelihood, not per token, is the answer",
    "candidate-pmi": "as `candidate`, after subtracting what the model prefers with a grey image as the query",
    "candidate-contextual": "as `candidate`, after subtracting what the model prefers with images without content",
    "candidate-batch": "as `candidate`, after subtracting the mean preference over the queries of other pairs",
    "accuracy": "the share of right answers; ties between m candidates count 1/m",
    "prototype": "a nearest-prototype classifier on image features: what the images of the support alone allow",
    "link score": "accuracy with all labels true minus accuracy with all labels false, cut to 0 and 1: 0 for a model "
    "that ignores the labels, 1 for one that follows all of them",
    "flip rate": "the share of queries whose answer differs between two conditions",
    "odds ratio": "the odds of a right answer under the second condition divided by those under the first",
    "odds ratio of a doubling of shots": "the factor by which the odds of a right answer grow when shots double",
    "difference": "accuracy of the second side minus that of the first, on the same queries",
    "change in accuracy": "accuracy under the second condition minus that under the first, on the same queries",
    "change in accuracy over trainings": "a change in accuracy that holds for other trainings with the same strategies",
    "change in accuracy per step": "the change in accuracy from one number of shots to the next larger one",
    "change in chance-corrected accuracy": "the change in accuracy after both are mapped so that chance is 0 and all "
    "right is 1",
    "drop in accuracy": "the accuracy that a false label at this position costs",
    "difference in drops": "what a false label costs at the first position minus what it costs at the last",
    "difference at any time": "a difference with an interval that stays valid however often the results are inspected",
    "share of false labels at an accuracy of one half": "where the curve of accuracy over ratios of false labels "
    "crosses one half",
    "share of the way to the prototype ceiling": "accuracy above chance divided by that of `prototype`",
    "agreement with prior answers": "Cohen's kappa of the answers with and without a support",
    "coefficient of a rule": "how far answers follow a rule, with all other rules held fixed; 0 for not at all",
    "standard deviation": "of a query's outcome, over what the row names",
    "margin lost without a head": "the log-likelihood per token of the true name minus that of the other name, with "
    "all heads, minus the same without one head",
    "induction score": "a head's mean attention to the labels of the query's concept minus that to the other labels",
    "share regained by a patch": "how much of the margin that false labels cost returns when one part of the model is "
    "set to its state under true labels",
}
"""Metrics, estimands and models of studies, each with its definition."""


def terms_used(findings: Findings) -> dict[str, str]:
    """The terms that findings mention, as metrics, estimands, models, or in their text, with their definitions."""
    text = "\n".join(_texts(findings))
    named = {str(value) for name in ("estimand", "metric") for value in findings.estimates[name].dropna()}
    return {term: meaning for term, meaning in TERMS.items() if term in named or _mentions(text, term)}


def terms_markdown(findings: Findings) -> list[str]:
    """The terms that findings mention, as items of a list in Markdown."""
    return [f"- **{term}**: {meaning}." for term, meaning in terms_used(findings).items()]


def _mentions(text: str, term: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(term)}(?![\w-])", text) is not None


def _texts(findings: Findings) -> Iterator[str]:
    """All that a report of the findings says, apart from figures."""
    for section in findings.sections:
        yield section.heading
        yield from (statement.text for statement in section.statements)
        for table in section.tables:
            rows = table_text(table)
            yield caption_text(table)
            yield from map(str, rows.columns)
            yield from rows.select_dtypes(["object", "string"]).astype(str).to_numpy().ravel()
    yield from claims_table(findings.claims, findings.looks).astype(str).to_numpy().ravel()
