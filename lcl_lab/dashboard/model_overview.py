"""Every model at a glance: its accuracy, how far it follows the labels, and what link training did to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from lcl_lab import analysis, figures
from lcl_lab.dashboard.record_loading import load_records
from lcl_lab.dashboard.run_index import Source
from lcl_lab.errors import UserError
from lcl_lab.reporting import Findings, Section, Statement, Table

__all__ = ["ALL_FALSE", "MEASURES", "ZERO_SHOT_CHANGE", "overview_findings"]

ACCURACY, LINK_SCORE, ALL_FALSE, ZERO_SHOT_CHANGE = "accuracy", "link score", "all labels false", "zero-shot change"
MEASURES = {
    ACCURACY: "with the largest support, all labels true",
    LINK_SCORE: "accuracy with true labels minus that with false ones; 0: ignores the labels, 1: follows all",
    ALL_FALSE: "accuracy with every label false; near 0 for a model that follows the link",
    ZERO_SHOT_CHANGE: "change in answers without a support, against the first model of the zero-shot study",
}
"""The measures, with their explanation."""
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
    published = _published()
    title = "All models at a glance"
    tables = [
        Table(
            "Measured here, with 95 % intervals over concept pairs", frame, across="measure", decimals=3, in_order=True
        ),
        Table("Published, other data (Tai et al., CVPR 2024): open-ended", published, metric="open-ended"),
    ]
    figure = figures.overview_figure(frame, published, title)
    return Findings(title, [Section("Overview", list(_explanations(frame)), figure, "overview", tables)])


def _explanations(frame: pd.DataFrame) -> Iterator[Statement]:
    for measure in frame["measure"].unique():
        metrics = set(frame[frame["measure"] == measure]["metric"])
        metric = metrics.pop() if len(metrics) == 1 else None
        values = {"measure": measure, "meaning": MEASURES[measure]}
        yield Statement("**{measure}**: {meaning}.", values, metric)


def _link_rows(records: pd.DataFrame, sources: Sequence[Source], metric: str) -> Iterator[dict[str, Any]]:
    column = analysis.METRICS[metric]
    for source in sources:
        rows = records[(records["model"] == source.model) & records[column].notna()]
        for measure, ratio in ((ACCURACY, 0.0), (ALL_FALSE, 1.0)):
            cells = analysis.accuracy(rows[rows["false_ratio"] == ratio], [], source.seed, {metric: column})
            for cell in cells.to_dict(orient="records"):
                yield {"model": source.model, "measure": measure, **{str(name): value for name, value in cell.items()}}
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
    }


def _published() -> pd.DataFrame:
    """The paper's numbers that come closest to these measures: columns measure, method, data, value, source."""
    rows = []
    for table, data in (("Table 2", "ImageNet-100"), ("Table 1", "ISEKAI-pair")):
        printed = analysis.published(table=table, dataset=data)
        for _, row in printed[printed["shots"] == 16].iterrows():
            rows.append((ACCURACY, row["method"], data, row["value"], table))
    ends = analysis.published(table="Figure 7")
    with_true = analysis.published(table="Table 2", dataset="ImageNet-100")
    for _, row in ends[ends["metric"] == "accuracy@false_ratio=1"].iterrows():
        rows.append((ALL_FALSE, row["method"], row["dataset"], row["value"], "Figure 7"))
        # Figure 7 prints LCL's accuracy with true labels; OpenFlamingo's is in Table 2, at the same shots.
        same_figure = ends[(ends["method"] == row["method"]) & (ends["metric"] == "accuracy@false_ratio=0")]["value"]
        table_2 = with_true[(with_true["method"] == row["method"]) & (with_true["shots"] == row["shots"])]["value"]
        start = same_figure if len(same_figure) else table_2
        if len(start):
            rows.append((LINK_SCORE, row["method"], row["dataset"], max(0.0, start.iloc[0] - row["value"]), "Figure 7"))
    zero = analysis.published(table="Table 3", dataset="VQAv2-dev").set_index("method")["value"]
    rows.append((ZERO_SHOT_CHANGE, "LCL-7B [mix]", "VQAv2-dev", zero["LCL-7B [mix]"] - zero["Shikra-13B"], "Table 3"))
    return pd.DataFrame(rows, columns=["measure", "method", "data", "value", "source"])
