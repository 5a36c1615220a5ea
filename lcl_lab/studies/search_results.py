"""What a search over options found: its best trial, the options that matter, and how the metric depends on each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lcl_lab import analysis, figures, reporting
from lcl_lab.atomic import read_json
from lcl_lab.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import SearchedOption
    from lcl_lab.reporting import Section, Statement

__all__ = ["SEARCH_FILE", "SearchResults", "read_search", "search_sections"]

SEARCH_FILE = "search.json"
"""Name of the file in the folder of a sweep that says what it searches."""
_MARKS = "trials"
_KINDS: Mapping[str, Literal["list", "real", "integer"]] = {
    **dict.fromkeys(("grid", "choice"), "list"),
    **dict.fromkeys(("uniform", "loguniform"), "real"),
    **dict.fromkeys(("randint", "lograndint"), "integer"),
}
_LOGARITHMIC = ("loguniform", "lograndint")
_COLUMNS = ("trial", "status", "value")
_METRICS = {"held_out_accuracy": "held-out accuracy", "link_score": "link score"}


class _Stored(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Option(_Stored):
    name: str
    kind: Literal["grid", "choice", "uniform", "loguniform", "randint", "lograndint"]
    values: list[Any] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        is_list = _KINDS[self.kind] == "list"
        if not is_list and not (len(self.values) == 2 and all(map(_is_number, self.values))):
            raise ValueError("an interval has two ends")
        if not is_list and not self.values[0] < self.values[1]:
            raise ValueError("an interval is not empty")
        if self.kind in _LOGARITHMIC and self.values[0] <= 0:
            raise ValueError("a logarithmic interval is above 0")
        return self


class _Search(_Stored):
    metric: str
    mode: Literal["max", "min"]
    options: list[_Option] = Field(min_length=1)
    trials: list[str]

    @model_validator(mode="after")
    def _check(self) -> Self:
        columns = [*_COLUMNS, *(option.name for option in self.options)]
        if len(set(columns)) < len(columns):
            raise ValueError("columns have different names")
        return self


class _Mark(_Stored):
    setting: dict[str, Any]
    metric: str | None = None
    value: float | None = None
    stopped: dict[str, Any] | None = None


@dataclass(frozen=True)
class SearchResults:
    """The finished trials of a search.

    Attributes:
        metric: name of the metric, as people read it.
        mode: whether a large or a small value is good.
        options: the options that have ranges.
        settings: of each trial, the value of each option by its name.
        trials: one row per trial, the best first and those without a value last: trial, status and value.
        count: the number of trials so far, with those that have not finished.
    """

    metric: str
    mode: Literal["max", "min"]
    options: tuple[SearchedOption, ...]
    settings: Mapping[str, Mapping[str, Any]]
    trials: pd.DataFrame
    count: int

    @property
    def best(self) -> Sequence[str]:
        """The trials with the best value; several if they share it."""
        known = self.trials.dropna(subset="value")
        best: list[str] = known.loc[known["value"] == known["value"].iloc[0], "trial"].tolist() if len(known) else []
        return best


def read_search(folder: Path) -> SearchResults | None:
    """The search of a sweep so far; None if the sweep searches nothing, or its files are damaged.

    Args:
        folder: the folder of the sweep.
    """
    try:
        search = _Search.model_validate(read_json(folder / SEARCH_FILE))
        options = tuple(map(_searched, search.options))
    except ValidationError:
        return None
    rows, settings = [], {}
    for trial in dict.fromkeys(Path(name).name for name in search.trials):
        mark = _mark(folder / _MARKS / f"{trial}.json")
        if mark is None or any(not _is_valid(option, mark.setting) for option in options):
            continue
        settings[trial] = {option.name: mark.setting[option.name] for option in options}
        value = mark.value if mark.metric == search.metric and mark.stopped is None else None
        rows.append({"trial": trial, "status": "stopped early" if mark.stopped else "finished", "value": value})
    frame = reporting.Table.from_rows("", rows).frame
    if rows:
        frame = frame.astype({"value": float})
        frame = frame.sort_values("value", ascending=search.mode == "min", kind="stable", na_position="last")
    metric = _METRICS.get(search.metric, search.metric)
    return SearchResults(metric, search.mode, options, settings, frame.reset_index(drop=True), len(search.trials))


def search_sections(results: SearchResults) -> Iterator[Section]:
    """The best trial with all others, and what the options matter; nothing before a trial has finished with a value."""
    known = results.trials.dropna(subset="value") if len(results.trials) else results.trials
    if known.empty:
        return
    values = reporting.Table.from_rows(
        "",
        [
            {"trial": trial, "value": value, **results.settings[trial]}
            for trial, value in zip(known["trial"], known["value"], strict=True)
        ],
    ).frame
    table = reporting.Table(f"Trials by {results.metric}, the best first", _with_settings(results))
    title = f"Options and {results.metric} of each trial"
    figure = figures.parallel_figure(values, results.options, results.metric, title)
    yield reporting.Section("Search", list(_best(results, known)), figure, "search", [table])
    shares = analysis.parameter_importance(
        results.options,
        [results.settings[trial] for trial in known["trial"]],
        _centred(known),
        results.mode,
    )
    rows = [{"option": name, "importance": share} for name, share in (shares or {}).items()]
    tables = [reporting.Table.from_rows("Importance of each option; all sum to 1", rows)] if rows else []
    figure = figures.slice_figure(values, results.options, results.metric, f"Each option and {results.metric}")
    yield reporting.Section("Which options matter", [_importance(shares, len(known))], figure, "slices", tables)


def _best(results: SearchResults, known: pd.DataFrame) -> Iterator[Statement]:
    """The best trial, and why its value is too good."""
    best = results.best
    values = {
        "metric": results.metric,
        "value": float(known["value"].iloc[0]),
        "trials": len(known),
        "direction": "largest" if results.mode == "max" else "smallest",
    }
    if len(best) == 1:
        setting = reporting.format_condition(results.settings[best[0]])
        template = "{trial} has the {direction} {metric} of {trials} trials, {value:.3f}: {setting}."
        yield reporting.Statement(template, {**values, "trial": best[0], "setting": setting})
    else:
        template = "{ties} of {trials} trials share the {direction} {metric}, {value:.3f}."
        yield reporting.Statement(template, {**values, "ties": len(best)})
    if len(best) < len(known):
        yield reporting.Statement(
            "The best of {trials} trials was chosen by the data that it is measured on, so that its {metric} is biased "
            "in its favour; evaluate it on other data before you report it.",
            values,
        )


def _centred(known: pd.DataFrame) -> list[float]:
    """The values minus the mean of the same strategy or model and seed, which are in the names of trials."""
    combination = known["trial"].str.rpartition("-")[0]
    values: list[float] = (known["value"] - known.groupby(combination)["value"].transform("mean")).round(12).tolist()
    return values


def _importance(shares: Mapping[str, float] | None, trials: int) -> Statement:
    if shares is None:
        reason = "Importance is not estimated: it needs 8 trials whose values differ."
        return reporting.Statement(reason)
    first, share = next(iter(shares.items()))
    template = "{option} distinguishes the best quarter of the {trials} trials most, with an importance of {share:.2f}"
    values = {"option": first, "trials": trials, "share": share, "few": analysis.FEW_TRIALS}
    if trials < analysis.FEW_TRIALS:
        return reporting.Statement(template + "; with fewer than {few} trials this may be due to chance.", values)
    return reporting.Statement(template + ".", values)


def _with_settings(results: SearchResults) -> pd.DataFrame:
    """The trials with their settings as text: a learning rate has more decimals than an accuracy."""
    rows = []
    for row in results.trials.to_dict("records"):
        shown = {name: reporting.format_value(value) for name, value in results.settings[row["trial"]].items()}
        rows.append({"trial": row["trial"], results.metric: row["value"], **shown, "status": row["status"]})
    return reporting.Table.from_rows("", rows).frame


def _searched(option: _Option) -> SearchedOption:
    kind = _KINDS[option.kind]
    values = tuple(option.values)
    return analysis.SearchedOption(option.name, kind, values, option.kind in _LOGARITHMIC)


def _mark(file: Path) -> _Mark | None:
    try:
        return _Mark.model_validate(read_json(file))
    except (ValidationError, UserError):
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_valid(option: SearchedOption, setting: Mapping[str, Any]) -> bool:
    """Whether a setting has a value of the range: marks of an earlier search may have others."""
    if option.name not in setting:
        return False
    value = setting[option.name]
    if option.kind == "list":
        return value in option.values
    return _is_number(value) and bool(option.values[0] <= value <= option.values[1])
