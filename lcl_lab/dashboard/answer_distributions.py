"""Distributions of the answers of several sides: margins, calibration, and which name was given for which.

Each comes with the part of the distribution that every answer belongs to, so that a point of a figure leads to them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcl_lab import analysis, figures
from lcl_lab.dashboard.sides import LETTER
from lcl_lab.errors import UserError
from lcl_lab.figures import Figure
from lcl_lab.reporting import Findings, Section, Statement, Table
from lcl_lab.studies.calibration_section import calibration_section

__all__ = ["Distribution", "calibration_distribution", "margin_distribution", "name_distribution"]

_BINS = 24
_MOST_DRAWN = 15  # confusions
_MOST_NAMES = 30  # of a matrix of confusions
_MOST_NUMBERS = 8  # names of one with numbers
_SHARE = "Share of the answers to the true name"
_MOST_LETTERS = 40  # of an answer
_NEITHER, _NO_ANSWER = "no name of the query", "no answer"


@dataclass(frozen=True)
class Distribution:
    """What is shown of a distribution, and where each answer is in it.

    Attributes:
        findings: figure, statements and tables.
        parts: the label of the side and the part of the distribution of each record, with the index of the records.
        column: the column of the figure's data that `parts` names.
    """

    findings: Findings
    parts: pd.DataFrame
    column: str

    def part_of(self, point: Mapping[str, Any]) -> str:
        """The part of a point that was clicked, as it is written in addresses."""
        return _part_text(point[self.column])

    def records_in(self, records: pd.DataFrame, side: str, part: str) -> pd.DataFrame:
        """The records of a side in a part, by its label and the text of the part."""
        inside = (self.parts["side"] == side) & (self.parts["part"].map(_part_text) == part)
        return records.loc[self.parts.index[inside]]


def _part_text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def margin_distribution(records: pd.DataFrame, labels: Mapping[str, str]) -> Distribution:
    """A histogram of the margins by which candidates are right or wrong.

    The margin is the log-likelihood per token of the true name minus that of the likeliest other name, in nats; the
    metric candidate is right where it is above 0.

    Args:
        records: of `side_records`.
        labels: of `labels_of`.

    Raises:
        UserError: no record has log-likelihoods.
    """
    known = _with_logliks(records)
    margins = _per_token(known, "true") - _per_token(known, "other")
    edges = _edges(margins)
    numbers = np.clip(np.searchsorted(edges, margins, side="right") - 1, 0, len(edges) - 2)
    middle = (edges[:-1] + edges[1:]) / 2
    parts = pd.DataFrame({"side": known[LETTER].map(labels), "part": middle[numbers]}, index=known.index)
    rows, table = [], []
    for side in labels.values():
        of_side = parts["side"] == side
        if not of_side.any():
            continue
        counts = np.bincount(numbers[of_side.to_numpy()], minlength=len(middle))
        for low, high, center, n in zip(edges[:-1], edges[1:], middle, counts, strict=True):
            row = {"side": side, "low": low, "high": high, "middle": center, "n": int(n)}
            rows.append({**row, "share": n / counts.sum()})
        table.append({"side": side, "answers": int(counts.sum()), **_quartiles(margins[of_side])})
    title = "Margins of candidates"
    figure = figures.histogram_figure(
        pd.DataFrame(rows),
        title,
        x_title="Margin of the true name (nats per token); above 0, the answer is right",
        group="side",
        group_title="Side",
        names=list(labels.values()),
        guide=0.0,
        metric="candidate",
    )
    statements = [
        Statement(
            "{side}: the true name is the likeliest in {share:.1%} of {n:,} answers; median margin {median:.2f}.",
            {"side": row["side"], "share": row["above 0"], "n": row["answers"], "median": row["median"]},
            "candidate",
        )
        for row in table
    ]
    caption = "Margins in nats per token; the outermost bins have all that is beyond them"
    tables = [Table.from_rows(caption, table, metric="candidate")]
    return Distribution(Findings(title, [Section(title, statements, figure, "margins", tables)]), parts, "middle")


def calibration_distribution(records: pd.DataFrame, labels: Mapping[str, str], place: str, seed: int) -> Distribution:
    """A reliability diagram of the choices between two candidates, and calibration errors.

    Args:
        records: of `side_records`.
        labels: of `labels_of`.
        place: the condition in words.
        seed: of the intervals.

    Raises:
        UserError: no record has log-likelihoods, a query has more than two candidates, or there is one concept pair.
    """
    known = _with_logliks(records)
    probability = pd.Series(analysis.true_probability(known), index=known.index)
    confidence = probability.clip(lower=1 - probability)
    named = known.assign(model=known[LETTER].map(labels))
    section = calibration_section(named, list(labels.values()), seed, place)
    if section is None:
        raise UserError("calibration needs answers of at least two concept pairs")
    means = []
    for _, values in confidence.groupby(named["model"], sort=False):
        means.append(values.groupby(analysis.confidence_bins(values)).transform("mean"))
    parts = pd.DataFrame({"side": named["model"], "part": pd.concat(means)}, index=known.index)
    return Distribution(Findings(section.heading, [section]), parts, "confidence")


def name_distribution(records: pd.DataFrame, labels: Mapping[str, str], metric: str) -> Distribution:
    """Which other name was given, or found more likely, for which true name, and how often.

    Args:
        records: of `side_records`.
        labels: of `labels_of`.
        metric: ``"open-ended"`` reads the answers, ``"candidate"`` compares log-likelihoods.

    Raises:
        UserError: no record has a value of the metric.
    """
    known = records[records[analysis.METRICS[metric]].notna()]
    if known.empty:
        raise UserError(f"no answer has a value of {metric}")
    chosen = _named(known) if metric == "open-ended" else _likeliest(known)
    confusion = known["true_name"] + " → " + chosen
    parts = pd.DataFrame({"side": known[LETTER].map(labels), "part": confusion})
    frame = (
        parts.assign(true_name=known["true_name"], chosen=chosen)
        .groupby(["side", "part", "true_name", "chosen"], sort=False)
        .size()
        .rename("n")
        .reset_index()
        .rename(columns={"part": "confusion"})
    )
    frame["estimate"] = frame["n"] / frame.groupby(["side", "true_name"])["n"].transform("sum")
    frame.insert(0, "metric", metric)
    wrong = frame[frame["true_name"] != frame["chosen"]]
    if wrong.empty:
        raise UserError(f"by {metric}, every answer is right: no name was taken for another")
    largest = wrong.groupby("confusion")["n"].sum().sort_values(ascending=False, kind="stable")
    title = "Names that are taken for others"
    statements = [_say_errors(str(side), rows, metric) for side, rows in frame.groupby("side", sort=False)]
    if max(frame["true_name"].nunique(), frame["chosen"].nunique()) <= _MOST_NAMES:
        figure = _confusion_matrix(frame, known, title, metric)
    else:
        drawn = largest.index[:_MOST_DRAWN]
        figure = figures.ranked_figure(
            wrong.set_index("confusion").loc[drawn].reset_index(),
            "confusion",
            title,
            x_title=_SHARE,
            group="side",
            group_title="Side",
            names=list(labels.values()),
        )
        template = "The figure shows the {drawn} most frequent of {count} confusions; the table has all."
        if len(largest) > len(drawn):
            statements.append(Statement(template, {"drawn": len(drawn), "count": len(largest)}, metric))
    listed = wrong.set_index("confusion").loc[largest.index].reset_index()
    names = {"true_name": "true name", "estimate": "share of the answers to the true name"}
    table = Table("Names that were taken for others, the most frequent first", listed.rename(columns=names))
    return Distribution(Findings(title, [Section(title, statements, figure, "names", [table])]), parts, "confusion")


def _confusion_matrix(frame: pd.DataFrame, records: pd.DataFrame, title: str, metric: str) -> Figure:
    """The share of the answers to each true name that have each name, with the names of a concept pair together."""
    sides = [records[["pair", name]].set_axis(["pair", "name"], axis="columns") for name in ("true_name", "other_name")]
    of_pairs = pd.concat(sides).sort_values(["pair", "name"])["name"].unique().tolist()
    order = list(dict.fromkeys([*of_pairs, *sorted(set(frame["chosen"]))]))
    true_names, chosen = set(frame["true_name"]), set(frame["chosen"])
    rows = frame.assign(
        true_name=pd.Categorical(frame["true_name"], [name for name in order if name in true_names]),
        chosen=pd.Categorical(frame["chosen"], [name for name in order if name in chosen | true_names]),
    )
    return figures.heat_map_figure(
        rows,
        "chosen",
        "true_name",
        title,
        value_title=_SHARE,
        x_title="Name of the answer",
        y_title="True name",
        panel="side",
        metric=metric,
        signed=False,
        clickable=True,
        most_with_numbers=_MOST_NUMBERS,
    )


def _say_errors(side: str, rows: pd.DataFrame, metric: str) -> Statement:
    wrong = rows[rows["true_name"] != rows["chosen"]]
    template = "{metric}: {side} is wrong in {wrong:,} of {n:,} answers."
    neither = int(wrong.loc[wrong["chosen"] == _NEITHER, "n"].sum())
    if neither:
        template = (
            "{metric}: {side} is wrong in {wrong:,} of {n:,} answers; {neither:,} of these say no name of the query."
        )
    counts = {"wrong": int(wrong["n"].sum()), "n": int(rows["n"].sum()), "neither": neither}
    return Statement(template, {"side": side, **counts}, metric)


def _named(records: pd.DataFrame) -> pd.Series:
    """The name that an answer says: the true one if it counts as right, else the first other name in it.

    A question without other names, such as one of mini-VQA, has its answer instead.
    """
    rows = zip(records["correct_open"], records["true_name"], _others(records), records["answer"], strict=True)
    names = [true if right else _first_in(answer, others) for right, true, others, answer in rows]
    return pd.Series(names, index=records.index, dtype=object)


def _first_in(answer: str, names: Sequence[str]) -> str:
    if not names:
        return answer.strip()[:_MOST_LETTERS] or _NO_ANSWER
    return next((name for name in names if name.casefold() in answer.casefold()), _NEITHER)


def _likeliest(records: pd.DataFrame) -> pd.Series:
    """The name with the highest log-likelihood per token."""
    likeliest = records["true_name"].where(records["correct_candidate"].astype(bool), records["other_name"])
    if analysis.has_several_names(records):
        wrong = records[~records["correct_candidate"].astype(bool) & records["other_names"].notna()]
        rows = zip(wrong["other_names"], wrong["loglik_others"], wrong["tokens_others"], strict=True)
        likeliest.loc[wrong.index] = [
            names[int((np.asarray(logliks, float) / np.asarray(tokens, float)).argmax())]
            for names, logliks, tokens in rows
        ]
    return likeliest


def _others(records: pd.DataFrame) -> list[list[str]]:
    """The wrong candidates of each query."""
    one = [[name] if name else [] for name in records["other_name"]]
    if not analysis.has_several_names(records):
        return one
    several = zip(one, records["other_names"], strict=True)
    return [list(names) if isinstance(names, list | np.ndarray) else alone for alone, names in several]


def _with_logliks(records: pd.DataFrame) -> pd.DataFrame:
    known = records[records["loglik_true"].notna() & records["loglik_other"].notna()]
    if known.empty:
        raise UserError("no answer has log-likelihoods of names under this condition")
    return known


def _per_token(records: pd.DataFrame, side: str) -> pd.Series:
    return records[f"loglik_{side}"].astype(float) / records[f"tokens_{side}"].astype(float)


def _edges(values: pd.Series) -> NDArray[np.float64]:
    """Edges of bins of one width, of which 0 is one; they hold 98 % of the values or more."""
    low, high = (min(0.0, float(values.quantile(0.01))), max(0.0, float(values.quantile(0.99))))
    width = (high - low) / _BINS or 1.0
    first, last = np.floor(low / width), np.ceil(high / width)
    return width * np.arange(first, max(last, first + 1) + 1)


def _quartiles(margins: pd.Series) -> dict[str, float]:
    first, median, third = margins.quantile([0.25, 0.5, 0.75])
    return {"above 0": float((margins > 0).mean()), "first quartile": first, "median": median, "third quartile": third}
