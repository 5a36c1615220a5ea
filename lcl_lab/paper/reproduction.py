"""Runs the systems of a table or figure of the paper that are at hand, and compares with the published numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lcl_lab import analysis, episodes, studies
from lcl_lab.paper.paper_items import ITEMS, PaperItem
from lcl_lab.paper.paper_systems import System, find_systems

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.paper.paper_config import PaperConfig

__all__ = ["PaperComparison", "PaperReport", "compare_with_paper"]

_ROUNDING = 0.005  # of the published numbers


@dataclass(frozen=True)
class PaperComparison:
    """A published number next to what was measured here.

    Attributes:
        dataset: what the paper calls the dataset.
        protocol: how episodes were chosen.
        method: what the paper calls the system.
        model: the model that was evaluated.
        condition: the value of the item's condition column.
        value: open-ended accuracy.
        low: lower end of its 95 % interval over concept pairs.
        high: upper end.
        published: the published accuracy; None if the paper prints none.
        verdict: "same" if the published number, as it was rounded, may lie in the interval.
    """

    dataset: str
    protocol: str
    method: str
    model: str
    condition: Any
    value: float
    low: float
    high: float
    published: float | None
    verdict: Literal["same", "differs", "cannot compare"]


@dataclass(frozen=True)
class PaperReport:
    """A table or figure of the paper, run again.

    Attributes:
        item: the table or figure.
        comparisons: what was measured.
        notes: why numbers cannot be compared, and how to get what is missing.
    """

    item: PaperItem
    comparisons: Sequence[PaperComparison]
    notes: Sequence[str]


def compare_with_paper(config: PaperConfig, *, verbose: bool = False) -> PaperReport:
    """Run a table or figure of the paper.

    Systems and data are looked up in the folder. Systems that are there are evaluated on data that are there, by the
    release's protocol and by random episodes. Without any, embedded models and datasets stand in, whose numbers are not
    comparable.

    Args:
        config: which item, and where systems and data are.
        verbose: print progress and findings of each study.

    Raises:
        UserError: a system or a dataset cannot be read.
    """
    item = ITEMS[config.item]
    comparisons: list[PaperComparison] = []
    notes: dict[str, None] = {}
    for data in item.datasets:
        published = item.published()
        published = published[published["dataset"] == data.name]
        present, missing = find_systems([*published["method"], *item.methods], config.folder)
        file = config.folder / data.file
        if present and file.is_file():
            models = {system.folder: system for system in present}
            paths = [f"{name}={config.folder / name}" for name in models]
            for protocol in ("release", "lcl"):
                points = _points(config, item, f"{data.reader}:{file}", paths, protocol, verbose)
                comparisons += _compare(item, data.name, published, points, models, protocol, stands_in=False)
        else:
            models = {system.stand_in: system for system in (*present, *missing) if system.stand_in}
            points = _points(config, item, data.stand_in, list(models), "lcl", verbose)
            comparisons += _compare(item, data.name, published, points, models, "lcl", stands_in=True)
            notes[f"{data.name}: embedded models on {data.stand_in} stand in, so the numbers cannot be compared."] = (
                None
            )
        if not file.is_file():
            notes[f"{data.name} is missing ({file}): {data.obtain.format(folder=config.folder)}."] = None
        for system in missing:
            needed = system.obtain.format(path=config.folder / system.folder)
            notes[f"{system.methods[0]} is missing: {needed}."] = None
    notes |= dict.fromkeys(_unavailable(item))
    return PaperReport(item, comparisons, list(notes))


def _unavailable(item: PaperItem) -> Iterator[str]:
    for dataset, reason in item.unavailable.items():
        printed = analysis.published(table=item.title, dataset=dataset)[["method", "value"]]
        numbers = ", ".join(f"{method} {value:.3f}" for method, value in printed.itertuples(index=False))
        yield f"{dataset} (published: {numbers}) cannot be compared: {reason}."


def _points(
    config: PaperConfig, item: PaperItem, data: str, models: Sequence[str], protocol: str, verbose: bool
) -> pd.DataFrame:
    """Open-ended accuracy of each model under each condition, with its interval."""
    options: dict[str, Any] = {**item.options, "data": data, "model": tuple(models), "protocol": protocol}
    if item.study == "shots":
        options["fixed"] = ()
    if config.preset == "tiny" and "shots" in item.options:
        options["shots"] = item.options["shots"][:3]
    wanted = config.queries or studies.find_study(item.study).config.PRESETS[config.preset].get("queries")
    if protocol == "release":
        most = len(episodes.ReleaseEpisodes(data).queries)
        options["queries"] = min(wanted or most, most)
    elif config.queries:
        options["queries"] = config.queries
    shared = {key: getattr(config, key) for key in ("seed", "batch_size", "dtype", "results")}
    result = studies.run_study(item.study, preset=config.preset, verbose=verbose, **options, **shared)
    return analysis.accuracy(result.records, ["model", item.column], config.seed, {"open-ended": item.outcome})


def _compare(
    item: PaperItem,
    dataset: str,
    published: pd.DataFrame,
    points: pd.DataFrame,
    models: dict[str, System],
    protocol: str,
    stands_in: bool,
) -> Iterator[PaperComparison]:
    for point in points.to_dict(orient="records"):
        system = models.get(point["model"])
        if system is None:  # the reference classifier
            continue
        method = next((name for name in system.methods if (published["method"] == name).any()), system.methods[0])
        numbers = published[(published["method"] == method) & (published[item.column] == point[item.column])]
        number = float(numbers["value"].iloc[0]) if len(numbers) else None
        yield PaperComparison(
            dataset,
            protocol,
            method,
            point["model"],
            point[item.column],
            point["estimate"],
            point["low"],
            point["high"],
            number,
            "cannot compare" if stands_in else _verdict(number, point["low"], point["high"]),
        )


def _verdict(published: float | None, low: float, high: float) -> Literal["same", "differs", "cannot compare"]:
    if published is None:
        return "cannot compare"
    return "same" if low - _ROUNDING <= published <= high + _ROUNDING else "differs"
