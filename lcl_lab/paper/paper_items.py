"""The tables and figures of the paper that can be run, and the study and data that each needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from lcl_lab import analysis

__all__ = ["ITEMS", "PaperData", "PaperItem"]


@dataclass(frozen=True)
class PaperData:
    """A dataset of the paper.

    Attributes:
        name: what the paper calls it.
        reader: how its file is read, the prefix of a dataset's name.
        file: its place in the folder.
        stand_in: the embedded dataset that takes its place.
        obtain: how to get it; `{path}` is where it is expected.
    """

    name: str
    reader: str
    file: str
    stand_in: str
    obtain: str


_ISEKAI_10, _ISEKAI_PAIR = (
    PaperData(
        name,
        "isekai",
        f"{name}/{name}.json",
        "isekai-mini",
        f"hf download ISEKAI-Portal/{name} --repo-type dataset --local-dir {{folder}}/{name}",
    )
    for name in ("ISEKAI-10", "ISEKAI-pair")
)
_IMAGENET_100 = PaperData(
    "ImageNet-100",
    "imagenet",
    "imagenet/test100_pairs.jsonl",
    "world-100",
    "put docs/test100_pairs.jsonl of the release and ImageNet's train and val into {folder}/imagenet",
)


@dataclass(frozen=True)
class PaperItem:
    """A table or figure.

    Attributes:
        title: what the paper calls it.
        study: the study that measures the same.
        column: the condition column of its numbers.
        datasets: the datasets that it reports.
        published: a function that returns the printed numbers, with the columns dataset, method, value and `column`.
        options: options of the study.
        methods: the systems, where no numbers are printed.
        outcome: the column of the records that is averaged.
        unavailable: datasets with printed numbers that cannot be run, and why.
    """

    title: str
    study: str
    column: str
    datasets: Sequence[PaperData]
    published: Callable[[], pd.DataFrame]
    options: Mapping[str, Any] = field(default_factory=dict)
    methods: Sequence[str] = ()
    outcome: str = "correct_open"
    unavailable: Mapping[str, str] = field(default_factory=dict)


_SERVER = (
    "the answers of this split are not public; lcl study zero_shot evaluates val2014 with --vqa-questions, "
    "--vqa-annotations and --vqa-images"
)
_LCL = ("LCL [2-way]", "LCL [2-way-random]", "LCL [2-way-weight]", "LCL [mix]")


def _shots(table: str) -> Callable[[], pd.DataFrame]:
    return lambda: analysis.published(table=table)


def _naming() -> pd.DataFrame:
    rows = analysis.published(table="Table 3", dataset="ImageNet-100")
    return rows.assign(task="naming")


def _false_ratio() -> pd.DataFrame:
    """The paper does not say which of its strategies Figure 7 shows, so its points are those of all."""
    rows = analysis.published_false_ratio().rename(columns={"accuracy": "value"}).assign(dataset="ImageNet-100")
    ours = rows[rows["method"] == "LCL"].drop(columns="method")
    return pd.concat([rows[rows["method"] != "LCL"], *(ours.assign(method=method) for method in _LCL)])


def _none(column: str) -> Callable[[], pd.DataFrame]:
    return lambda: analysis.published().iloc[:0].assign(**{column: 0})


ITEMS: Mapping[str, PaperItem] = {
    "table1": PaperItem(
        "Table 1",
        "shots",
        "shots",
        (_ISEKAI_10, _ISEKAI_PAIR),
        _shots("Table 1"),
        {"shots": (2, 4, 6, 8, 10, 12, 14, 16)},
    ),
    "table2": PaperItem(
        "Table 2", "shots", "shots", (_IMAGENET_100,), _shots("Table 2"), {"shots": tuple(range(0, 17, 2))}
    ),
    "table3": PaperItem(
        "Table 3",
        "zero_shot",
        "task",
        (_IMAGENET_100,),
        _naming,
        {"questions": 0},
        outcome="score",
        unavailable=dict.fromkeys(("VQAv2-dev", "VQAv2-std"), _SERVER),
    ),
    "figure6": PaperItem("Figure 6", "shots", "shots", (_IMAGENET_100,), _none("shots"), methods=_LCL),
    "figure7": PaperItem("Figure 7", "false_ratio", "false_ratio", (_IMAGENET_100,), _false_ratio),
    "figure8": PaperItem("Figure 8", "label_position", "position", (_IMAGENET_100,), _none("position"), methods=_LCL),
}
"""By the name of the command's argument."""
