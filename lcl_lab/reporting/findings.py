"""What a study found, as typed parts of a results section: statements, figures, tables, and claims of the paper.

Every part carries the metric that it belongs to. Numbers stay numbers here; `lcl_lab.reporting.text` and
`lcl_lab.reporting.tables` turn them into text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from lcl_lab.analysis.detection import SEVERAL_TRAININGS, Detectable, detectable
from lcl_lab.analysis.estimates import Comparison, Estimate
from lcl_lab.analysis.metrics import MAIN_METRICS
from lcl_lab.analysis.multiple_testing import adjust
from lcl_lab.analysis.quantiles import normal_quantile, normal_tail
from lcl_lab.figures.panels import Figure
from lcl_lab.reporting.setting import Setting
from lcl_lab.reporting.text import format_detectable, format_estimate, format_p, render

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "ONE_TRAINING",
    "ONE_TRAINING_EACH",
    "Claim",
    "Findings",
    "Section",
    "Statement",
    "Table",
    "Verdict",
    "assess",
    "holm_levels",
    "is_inconclusive",
    "verdicts_after_holm",
]

Verdict = Literal[
    "holds", "does not hold", "inconclusive", "inconclusive (one training)", "inconclusive (one training each)"
]
ONE_TRAINING: Verdict = "inconclusive (one training)"
"""Of a claim about a strategy of which there is one checkpoint, which may differ from its next training."""
ONE_TRAINING_EACH: Verdict = "inconclusive (one training each)"
"""Of a claim about two strategies of which there is one checkpoint each."""

_SIGNIFICANT = 0.05
_DESCRIPTION = ["estimand", "model", "metric"]
_NUMBERS = ["estimate", "low", "high", "n", "clusters", "p_value", "method"]


@dataclass(frozen=True)
class Statement:
    """One sentence: a template, and the typed values that it mentions.

    Attributes:
        template: the sentence with replacement fields, in the format of `lcl_lab.reporting.text.render`.
        values: estimates, comparisons, numbers and names by field.
        metric: the metric that the sentence is about; None where it is about none in particular.
        model: the model that the sentence is about, if it is a single one.
        verdict: the conclusion as a key, such as ``"follows"``, if the sentence draws one.
        undecided: of an inconclusive sentence, what would have been detected and what would decide it.
        methods: keys of `lcl_lab.reporting.METHODS` of tests and corrections behind numbers that are no estimates.
    """

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    metric: str | None = None
    model: str | None = None
    verdict: str | None = None
    undecided: Detectable | None = None
    methods: Sequence[str] = ()

    @property
    def text(self) -> str:
        """The sentence, with model names in **bold**; if it is inconclusive, also what would decide it."""
        text = render(self.template, {"model": self.model, "metric": self.metric, **self.values})
        if self.undecided is None:
            return text
        return f"{text.removesuffix('.')}; {format_detectable(self.undecided)}{'.' if text.endswith('.') else ''}"

    @property
    def estimates(self) -> list[Estimate]:
        """The estimates that the sentence mentions."""
        return [value for value in self.values.values() if isinstance(value, Estimate)]


@dataclass(frozen=True)
class Table:
    """Rows of numbers and names under a caption.

    Attributes:
        caption: what the table shows.
        frame: one row per cell. Columns `estimate`, `low` and `high` are shown as one, and so are `x`, `x_low` and
            `x_high` of any other `x`; `metric` names the metric of a row.
        across: a column of `frame` whose values become columns; None shows the rows as they are.
        rows: with `across`, the columns that identify a row.
        metric: the metric of all rows, where `frame` has no such column.
        estimand: what `estimate` is, where `frame` has that column.
        method: how the intervals were computed.
        decimals: decimals of estimates.
        signed: whether estimates are differences, shown with their sign.
        interval: the columns of `frame` that are shown as the ends of intervals.
        in_order: whether values of `across` appear in the order of `frame` instead of sorted.
    """

    caption: str
    frame: pd.DataFrame
    across: str | None = None
    rows: tuple[str, ...] = ("model", "metric")
    metric: str | None = None
    estimand: str = ""
    method: str = ""
    decimals: int = 2
    signed: bool = False
    interval: tuple[str, str] = ("low", "high")
    in_order: bool = False

    @classmethod
    def from_rows(cls, caption: str, rows: Sequence[Mapping[str, Any]], /, **options: Any) -> Table:
        """A table of rows that are mappings from column to value."""
        return cls(caption, pd.DataFrame(list(rows)), **options)

    @property
    def metrics(self) -> set[str]:
        """The metrics of its rows."""
        named = set(self.frame["metric"].dropna()) if "metric" in self.frame else set()
        return named | ({self.metric} if self.metric else set())

    def for_metric(self, metric: str) -> Table:
        """The rows of one metric, and those of none."""
        if self.metric not in (None, metric):
            return replace(self, frame=self.frame.iloc[:0])
        if "metric" not in self.frame:
            return self
        return replace(self, frame=self.frame[self.frame["metric"].isna() | (self.frame["metric"] == metric)])


@dataclass(frozen=True)
class Section:
    """One finding: statements, the figure that shows it, and the numbers behind it.

    Attributes:
        heading: the section's title.
        statements: the finding in words.
        figure: a chart whose panels carry their metric, or a picture.
        name: stem of the figure's files.
        tables: the numbers; the first is shown at once, the others on request.
    """

    heading: str
    statements: Sequence[Statement] = ()
    figure: Figure | Image | None = None
    name: str = "figure"
    tables: Sequence[Table] = ()

    @property
    def metrics(self) -> set[str]:
        """The metrics that the section has data for."""
        panels = set(self.figure.metrics) if isinstance(self.figure, Figure) else set()
        named = {statement.metric for statement in self.statements if statement.metric}
        return set(panels | named).union(*(table.metrics for table in self.tables))

    def for_metric(self, metric: str) -> Section | None:
        """What belongs to one metric or to none; None where nothing is left."""
        if self.metrics and metric not in self.metrics:
            return None
        figure = self.figure.for_metric(metric) if isinstance(self.figure, Figure) else self.figure
        tables = [table.for_metric(metric) for table in self.tables]
        return replace(
            self,
            statements=[statement for statement in self.statements if statement.metric in (None, metric)],
            figure=None if isinstance(figure, Figure) and not figure.panels else figure,
            tables=[table for table in tables if len(table.frame)],
        )


@dataclass(frozen=True)
class Claim:
    """A claim of the paper next to what was measured here.

    Attributes:
        source: table or figure of the paper.
        claim: the claim in words.
        subject: what was measured here, such as ``"mini/2-way, change"``.
        verdict: whether the claim holds here.
        estimate: the measurement; None where only a test was made.
        p_value: of the test behind the verdict; None if there is none.
        metric: the metric of the measurement.
        bounds: what the estimate was compared with.
        undecided: what would have been detected, and what would decide the claim, where only a test was made; else it
            follows from estimate and bounds.
        method: key of `lcl_lab.reporting.METHODS` of the test, where only a test was made.
    """

    source: str
    claim: str
    subject: str
    verdict: Verdict
    estimate: Estimate | None = None
    p_value: float | None = None
    metric: str | None = None
    bounds: Sequence[float] = ()
    undecided: Detectable | None = None
    method: str = ""

    @property
    def measured(self) -> str:
        """Subject and measurement as text; if it is inconclusive, also what would have been detected."""
        if self.estimate is None:
            text = self.subject if self.p_value is None else f"{self.subject}, {format_p(self.p_value)}"
        else:
            text = f"{self.subject} {format_estimate(self.estimate)}"
        undecided = self.detectable() if is_inconclusive(self.verdict) else None
        return f"{text}; {format_detectable(undecided)}" if undecided else text

    def detectable(self, level: float = _SIGNIFICANT) -> Detectable | None:
        """What would have been detected, and what would decide the claim; None if it was not compared with anything.

        Args:
            level: significance level of the test, such as the one that Holm's correction leaves it.
        """
        if self.verdict in (ONE_TRAINING, ONE_TRAINING_EACH):
            return SEVERAL_TRAININGS
        if self.estimate is None or not self.bounds:
            return self.undecided
        return detectable(self.estimate, self.bounds, level, "clusters")


def assess(
    source: str,
    claim: str,
    subject: str,
    estimate: Estimate,
    above: float | None = None,
    below: float | None = None,
) -> Claim:
    """Assess the claim that an estimand lies above `above` and below `below`.

    The claim holds if the whole interval lies inside the bounds, does not hold if the whole interval lies beyond one
    of them, and is inconclusive otherwise. Its p-value is that of the test which the interval implies (Altman and Bland
    2011), so that p < 0.05 exactly if the interval decides.
    """
    inside = (above is None or estimate.low > above) and (below is None or estimate.high < below)
    outside = (above is not None and estimate.high < above) or (below is not None and estimate.low > below)
    verdict: Verdict = "holds" if inside else "does not hold" if outside else "inconclusive"
    bounds = [bound for bound in (above, below) if bound is not None]
    tests = [_implied_p(estimate, bound) for bound in bounds]
    p_value = min(tests) if outside else max(tests)  # inside, both bounds must be excluded
    return Claim(source, claim, subject, verdict, estimate, p_value, estimate.metric, bounds)


def _implied_p(estimate: Estimate, bound: float) -> float:
    """The two-sided p-value of a bound, from the arm of the interval that points at it."""
    arm = estimate.value - estimate.low if bound < estimate.value else estimate.high - estimate.value
    distance = abs(estimate.value - bound) / max(arm, 1e-9)
    return float(2 * normal_tail(distance * normal_quantile((1 + estimate.confidence) / 2)))


def is_inconclusive(verdict: str | None) -> bool:
    """Whether a verdict leaves its question open, for whatever reason."""
    return verdict is not None and verdict.startswith("inconclusive")


def holm_levels(claims: Sequence[Claim], looks: int = 1) -> list[float]:
    """The significance level that Holm's correction (1979) leaves each of some claims, in their order.

    0.05 divided by the number of looks and by the factor by which its p-value grows; a claim without a p-value does
    not count.
    """
    adjusted = adjust([claim.p_value for claim in claims])
    factors = (adjusted["holm"] / adjusted["p"]).where(adjusted["p"] > 0).fillna(1.0)
    return [_SIGNIFICANT / looks / max(1.0, factor) for factor in factors]


def verdicts_after_holm(claims: Sequence[Claim], looks: int = 1) -> list[Verdict]:
    """The verdicts of claims that are made together: one whose p-value does not pass Holm's (1979) is inconclusive.

    Args:
        claims: the claims.
        looks: how often they were tested, each time on another sample; the level is divided by it (Bonferroni).
    """
    holm = adjust([claim.p_value for claim in claims])["holm"]
    return [
        claim.verdict if pd.isna(p_value) or p_value < _SIGNIFICANT / looks else "inconclusive"
        for claim, p_value in zip(claims, holm, strict=True)
    ]


@dataclass(frozen=True)
class Findings:
    """What a study found.

    Attributes:
        title: title of the report.
        sections: the findings in order.
        claims: claims of the paper, assessed.
        setting: what was evaluated, for the methods paragraph; None where it is not known.
        looks: how often the same question was analysed, with this time.
    """

    title: str
    sections: Sequence[Section]
    claims: Sequence[Claim] = ()
    setting: Setting | None = None
    looks: int = 1

    @property
    def metrics(self) -> list[str]:
        """The main metrics that there is data for."""
        known = set[str]().union(*(section.metrics for section in self.sections))
        return [metric for metric in MAIN_METRICS if metric in known]

    def for_metric(self, metric: str) -> Findings:
        """Only what belongs to one metric, and what belongs to none."""
        sections = [section.for_metric(metric) for section in self.sections]
        return replace(
            self,
            sections=[section for section in sections if section is not None],
            claims=[claim for claim in self.claims if claim.metric in (None, metric)],
        )

    @property
    def estimates(self) -> pd.DataFrame:
        """Every estimate as one row.

        Columns: estimand, model, metric, one per condition column, estimate, low, high, n, clusters, p_value, method,
        and for comparisons the values that select the sides `a` and `b`.
        """
        rows = [row for section in self.sections for row in _rows(section)]
        rows += [_row(claim.estimate) for claim in self.claims if claim.estimate]
        frame = pd.DataFrame(rows)
        if frame.empty:
            return pd.DataFrame(columns=[*_DESCRIPTION, *_NUMBERS])
        sides = [column for column in ("a", "b") if column in frame]
        fixed = [*_DESCRIPTION, *_NUMBERS, *sides]
        conditions = [column for column in frame.columns if column not in fixed]
        ordered = frame.reindex(columns=[*_DESCRIPTION, *conditions, *_NUMBERS, *sides])
        repeated = ordered.astype(str).duplicated()  # an estimate that a sentence and a claim both mention
        return ordered[~repeated].reset_index(drop=True)


def _rows(section: Section) -> Iterator[dict[str, Any]]:
    for table in section.tables:
        if table.estimand:
            yield from _table_rows(table)
    for statement in section.statements:
        yield from map(_row, statement.estimates)


def _table_rows(table: Table) -> Iterator[dict[str, Any]]:
    low, high = table.interval
    numbers = {"estimate", "low", "high", "n", "clusters", "p_value", "method", "wilson_low", "wilson_high"}
    for record in table.frame.to_dict(orient="records"):
        row: dict[str, Any] = {str(key): value for key, value in record.items() if key not in numbers}
        yield {
            "metric": table.metric,
            **row,
            "estimand": table.estimand,
            "estimate": record["estimate"],
            "low": record[low],
            "high": record[high],
            "n": record.get("n"),
            "clusters": record.get("clusters"),
            "p_value": record.get("p_value"),
            "method": record.get("method", table.method),
        }


def _row(estimate: Estimate) -> dict[str, Any]:
    row: dict[str, Any] = {
        **{name: getattr(estimate, name) for name in _DESCRIPTION},
        **estimate.condition,
        "estimate": estimate.value,
        **{name: getattr(estimate, name) for name in _NUMBERS[1:]},
    }
    if isinstance(estimate, Comparison):
        row |= {"a": dict(estimate.a), "b": dict(estimate.b)}
    return row
