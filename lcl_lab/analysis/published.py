"""The numbers that the paper prints (Tai et al., CVPR 2024, arXiv 2308.07891), shipped with the package."""

from __future__ import annotations

from importlib.resources import files

import pandas as pd

from lcl_lab.errors import UserError, nearest

__all__ = ["published", "published_false_ratio"]


def published(
    *, table: str | None = None, dataset: str | None = None, method: str | None = None, metric: str | None = None
) -> pd.DataFrame:
    """The paper's rows that have the given values: columns table, dataset, method, shots, metric, value (0 to 1).

    `shots` counts all images of the support. Accuracies are of the open-ended kind.

    Raises UserError on a value that no row has (or none together with the others).
    """
    with files("lcl_lab").joinpath("data/baselines.csv").open("r", encoding="utf-8") as file:
        rows = pd.read_csv(file)
    for column, value in {"table": table, "dataset": dataset, "method": method, "metric": metric}.items():
        if value is None:
            continue
        known = rows[column].unique().tolist()
        if value not in known:
            raise UserError(f"the paper has no {column} {value!r} here: {nearest(value, known)}")
        rows = rows[rows[column] == value]
    return rows.reset_index(drop=True)


def published_false_ratio() -> pd.DataFrame:
    """The points of Figure 7 that the paper prints: columns method, shots, false_ratio (0 to 1), accuracy."""
    rows = published(table="Figure 7")
    ratio = rows["metric"].str.extract(r"^accuracy@false_ratio=([0-9.]+)$", expand=False).astype(float)
    return pd.DataFrame(
        {"method": rows["method"], "shots": rows["shots"], "false_ratio": ratio, "accuracy": rows["value"]}
    )
