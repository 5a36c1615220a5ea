"""The numbers printed in the paper (Tai et al., CVPR 2024, arXiv 2308.07891), part of the package."""

from __future__ import annotations

from importlib.resources import files

import pandas as pd

from lcl_lab.errors import UserError, nearest

__all__ = ["published", "published_false_ratio"]


def published(
    *, table: str | None = None, dataset: str | None = None, method: str | None = None, metric: str | None = None
) -> pd.DataFrame:
    """Numbers of the paper, selected by the given values.

    Args:
        table: such as ``"Table 2"`` or ``"Figure 7"``.
        dataset: as the paper names it.
        method: as the paper names it, such as ``"LCL [mix]"``.
        metric: ``"accuracy"``, or ``"accuracy@false_ratio=0.25"`` for a point of Figure 7.

    Returns:
        The columns table, dataset, method, shots (all images of the support), metric and value (0 to 1). Accuracies
        are open-ended.

    Raises:
        UserError: no row has one of the values, or their combination.
    """
    with files("lcl_lab").joinpath("data/baselines.csv").open("r", encoding="utf-8") as file:
        rows = pd.read_csv(file)
    for column, value in {"table": table, "dataset": dataset, "method": method, "metric": metric}.items():
        if value is None:
            continue
        known = rows[column].unique().tolist()
        if value not in known:
            raise UserError(f"not among the published results: {nearest(value, known)}", option=column, value=value)
        rows = rows[rows[column] == value]
    return rows.reset_index(drop=True)


def published_false_ratio() -> pd.DataFrame:
    """The points printed in Figure 7: the columns method, shots, false_ratio (0 to 1) and accuracy."""
    rows = published(table="Figure 7")
    ratio = rows["metric"].str.extract(r"^accuracy@false_ratio=([0-9.]+)$", expand=False).astype(float)
    return pd.DataFrame(
        {"method": rows["method"], "shots": rows["shots"], "false_ratio": ratio, "accuracy": rows["value"]}
    )
