"""Every model at a glance: its accuracy, how far it follows the labels, and what link training did to it.

What the paper printed appears only next to measurements by the same metric, and with its protocol.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from typing import Any

import pandas as pd

from lcl_lab import analysis, figures, studies
from lcl_lab.dashboard.record_loading import load_records
from lcl_lab.dashboard.run_index import Source
from lcl_lab.errors import UserError
from lcl_lab.reporting import Findings, Section, Statement, Table

__all__ = ["ALL_FALSE", "MEASURES", "ZERO_SHOT_CHANGE", "overview_findings"]

ACCURACY, LINK_SCORE, ALL_FALSE, ZERO_SHOT_CHANGE = "accuracy", "link score", "all labels false", "zero-shot change"
MEASURES = {
    ACCURACY: "{setting}, all labels true",
    LINK_SCORE: "accuracy with true labels minus that with false ones, of the same queries; 0: ignores the labels, "
    "1: follows all",
    ALL_FALSE: "accuracy of the same queries with every label false; near 0 for a model that follows the link",
    ZERO_SHOT_CHANGE: "change in accuracy without a support, against {first}; zero-shot study: names of {data}, "
    "questions about images",
}
"""The measures, with their explanation."""
_VERDICTS = {
    "follows": "follows the labels",
    "reverses": "answers against the labels",
    "reads labels only": "reads the labels, but does not link them to the images",
    "ignores": "ignores the labels",
    "at floor": "at floor: not right with true labels either",
    "at chance": "at chance: not right with true labels either",
    "inconclusive": "inconclusive",
}
_MARGIN = 0.10  # of runs that do not say which one they used
_SHOTS = 16  # of the published numbers
_ZERO_SHOT_METRIC = "open-ended"  # its answers have no candidates


def overview_findings(false_ratio: Sequence[Source], zero_shot: Sequence[Source]) -> Findings:
    """The measures of each model, for every metric that its records have.

    Args:
        false_ratio: sources of the false-label study; at least one.
        zero_shot: sources of the zero-shot study, the model that others are compared with first; may be empty.

    Returns:
        One section. Its estimates, panels and statements carry their metric.
    """
    records = load_records(false_ratio)
    rows = [row for metric in analysis.MAIN_METRICS for row in _link_rows(records, false_ratio, metric)]
    rows += _change_rows(zero_shot)
    if not rows:
        return Findings("Overview", [Section("Overview", [Statement("There are no answers yet.")])])
    order = list(MEASURES)
    frame = pd.DataFrame(rows).sort_values("measure", key=lambda names: names.map(order.index), kind="stable")
    settings = _settings(false_ratio, zero_shot)
    published = _published()
    title = f"All models at a glance: {settings['setting']}"
    measured = frame.drop(columns="chance")
    tables = [
        Table(
            "Measured here, with 95 % intervals over concept pairs",
            measured,
            across="measure",
            decimals=3,
            in_order=True,
        ),
        Table("Published, on other data (Tai et al., CVPR 2024): open-ended", published, metric="open-ended"),
    ]
    statements = [*_verdicts(records, false_ratio), *_explanations(frame, settings)]
    figure = figures.overview_figure(frame, published, title)
    return Findings(title, [Section("Overview", statements, figure, "overview", tables)])


def _settings(false_ratio: Sequence[Source], zero_shot: Sequence[Source]) -> dict[str, str]:
    """What the explanations of the measures name."""
    config = false_ratio[0].run.config
    return {
        "setting": f"false-label study, {config.get('shots')} shots of {_data(false_ratio[0])}",
        "first": zero_shot[0].model if zero_shot else "",
        "data": _data(zero_shot[0]) if zero_shot else "",
    }


def _data(source: Source) -> str:
    data = source.run.config.get("data")
    return str(data.get("name")) if isinstance(data, dict) else str(data)


def _explanations(frame: pd.DataFrame, settings: dict[str, str]) -> Iterator[Statement]:
    for measure, rows in frame.groupby("measure", sort=False):
        metrics = set(rows["metric"])
        metric = metrics.pop() if len(metrics) == 1 else None
        yield Statement(f"**{{measure}}**: {MEASURES[str(measure)]}.", {"measure": measure, **settings}, metric)
    for (metric, chance), _ in frame.dropna(subset="chance").groupby(["metric", "chance"]):
        yield Statement("Dashed: guessing among the names, {chance:.2f}.", {"chance": chance}, str(metric))


def _verdicts(records: pd.DataFrame, sources: Sequence[Source]) -> Iterator[Statement]:
    """Whether each model follows the labels, by the rule and the numbers of the false-label study."""
    ends = {"false_ratio": 0.0}, {"false_ratio": 1.0}
    for source in sources:
        rows = records[(records["model"] == source.model) & records["false_ratio"].isin([0.0, 1.0])]
        if rows["false_ratio"].nunique() < len(ends):
            continue
        margin = float(studies.stored_options(source.run).get("margin") or _MARGIN)
        for metric in studies.metrics_in(rows):
            change = studies.change(rows, metric, *ends, source.model)
            intact = studies.accuracy_estimate(rows[rows["false_ratio"] == 0.0], metric, source.seed, source.model)
            answer = analysis.METRICS[metric] if metric == "candidate" else "answer"
            rng = analysis.cell_rng(source.seed, (source.model, "flips", metric))
            flips = analysis.flip_rate(rows, answer, *ends, rng)
            verdict = analysis.link_verdict(
                (intact.low, intact.high),
                (change.low, change.high),
                (flips.low, flips.high),
                margin,
                chance=_chance(rows) if metric == "candidate" else None,
            )
            template = "{model}, {metric}: {conclusion}; change in accuracy from true to false labels {change}."
            values = {"conclusion": _VERDICTS[verdict], "change": change}
            yield Statement(template, values, metric, source.model, verdict)


def _chance(rows: pd.DataFrame) -> float:
    """The accuracy of guessing among the names of each query."""
    counts = [1 + len(others) if isinstance(others, Sized) else 2 for others in rows["other_names"]]
    return sum(1 / count for count in counts) / len(counts)


def _link_rows(records: pd.DataFrame, sources: Sequence[Source], metric: str) -> Iterator[dict[str, Any]]:
    column = analysis.METRICS[metric]
    for source in sources:
        rows = records[(records["model"] == source.model) & records[column].notna()]
        for measure, ratio in ((ACCURACY, 0.0), (ALL_FALSE, 1.0)):
            at_ratio = rows[rows["false_ratio"] == ratio]
            chance = _chance(at_ratio) if metric == "candidate" and len(at_ratio) else None
            cells = analysis.accuracy(at_ratio, [], source.seed, {metric: column})
            for cell in cells.to_dict(orient="records"):
                numbers = {str(name): value for name, value in cell.items()}
                yield {"model": source.model, "measure": measure, **numbers, "chance": chance}
        try:
            score = analysis.link_score(rows, column)
        except UserError:  # no records with all labels true, or none with all false
            continue
        yield _row(source.model, LINK_SCORE, metric, score)


def _change_rows(sources: Sequence[Source]) -> Iterator[dict[str, Any]]:
    names = list(dict.fromkeys(source.model for source in sources))
    if len(names) < 2:
        return
    records = load_records(sources)
    first, *others = names
    for model in others:
        change = analysis.paired_difference(
            records,
            analysis.METRICS[_ZERO_SHOT_METRIC],
            {"model": first},
            {"model": model},
            on=("task", "kind", "query_id"),
        )
        yield _row(model, ZERO_SHOT_CHANGE, _ZERO_SHOT_METRIC, change)


def _row(
    model: str, measure: str, metric: str, result: analysis.LinkScore | analysis.PairedDifference
) -> dict[str, Any]:
    return {
        "model": model,
        "measure": measure,
        "metric": metric,
        "estimate": result.estimate,
        "low": result.low,
        "high": result.high,
        "n": result.n,
        "clusters": result.clusters,
        "chance": None,
    }


def _published() -> pd.DataFrame:
    """The paper's open-ended numbers for these measures: columns measure, method, protocol, value, source."""
    rows = []
    for table, data in (("Table 2", "ImageNet-100"), ("Table 1", "ISEKAI-pair")):
        printed = analysis.published(table=table, dataset=data)
        for _, row in printed[printed["shots"] == _SHOTS].iterrows():
            rows.append((ACCURACY, row["method"], _protocol(data), row["value"], table))
    ends = analysis.published(table="Figure 7")
    with_true = analysis.published(table="Table 2", dataset="ImageNet-100")
    for _, row in ends[ends["metric"] == "accuracy@false_ratio=1"].iterrows():
        protocol = _protocol(row["dataset"])
        rows.append((ALL_FALSE, row["method"], protocol, row["value"], "Figure 7"))
        # Figure 7 prints LCL's accuracy with true labels; OpenFlamingo's is in Table 2, at the same shots.
        same_figure = ends[(ends["method"] == row["method"]) & (ends["metric"] == "accuracy@false_ratio=0")]["value"]
        table_2 = with_true[(with_true["method"] == row["method"]) & (with_true["shots"] == row["shots"])]["value"]
        start = same_figure if len(same_figure) else table_2
        if len(start):
            rows.append((LINK_SCORE, row["method"], protocol, max(0.0, start.iloc[0] - row["value"]), "Figure 7"))
    return pd.DataFrame(rows, columns=["measure", "method", "protocol", "value", "source"])


def _protocol(data: str) -> str:
    return f"{data}, {_SHOTS} shots"
