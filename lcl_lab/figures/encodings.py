"""What figures of models have in common: which model has which colour and shape, and how an estimate is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from lcl_lab.errors import UserError
from lcl_lab.figures.theme import PALETTE

__all__ = ["PUBLISHED", "SHAPES", "dodge", "estimates_of", "looks", "models_in"]

PUBLISHED = "published, other data"
SHAPES = ("circle", "square", "triangle-up", "triangle-down", "cross", "triangle-right", "triangle-left", "wedge")


def models_in(rows: pd.DataFrame, column: str = "model") -> list[str]:
    """The models of some estimates, in their order.

    Raises:
        UserError: there are none, or more than can be told apart.
    """
    models: list[str] = rows[column].drop_duplicates().tolist()
    if not models:
        raise UserError("there are no estimates to draw")
    if len(models) > len(PALETTE):
        raise UserError(f"{len(models)} models in one chart cannot be told apart: choose {len(PALETTE)} at most")
    return models


def looks(
    models: Sequence[str], title: str = "Model, with 95 % interval", column: str = "model"
) -> tuple[alt.Color, alt.Shape]:
    """The colour and shape of each model, with one legend for both."""
    legend = alt.Legend(title=title, orient="bottom", direction="vertical")
    names, field = list(models), f"{column}:N"
    return (
        alt.Color(field, sort=names, scale=alt.Scale(domain=names, range=list(PALETTE[: len(names)])), legend=legend),
        alt.Shape(field, sort=names, scale=alt.Scale(domain=names, range=list(SHAPES[: len(names)])), legend=legend),
    )


def dodge(rows: pd.DataFrame, models: Sequence[str], spread: float, column: str = "model") -> pd.Series:
    """How far aside each row stands, so that no model's interval hides another's."""
    middle = (len(models) - 1) / 2
    return rows[column].map({model: spread * (number - middle) for number, model in enumerate(models)}).astype(float)


def estimates_of(
    rows: pd.DataFrame,
    x: alt.X,
    y: alt.Y,
    look: tuple[alt.Color, alt.Shape],
    tooltip: Sequence[alt.Tooltip],
    line: bool = True,
    offset: alt.XOffset | None = None,
) -> list[alt.Chart]:
    """Layers of estimates with their intervals (columns estimate, low, high), joined by a line or not."""
    color, shape = look
    told = [
        *tooltip,
        alt.Tooltip("estimate:Q", format=".3f"),
        alt.Tooltip("low:Q", title="interval from", format=".3f"),
        alt.Tooltip("high:Q", title="interval to", format=".3f"),
    ]
    base = alt.Chart(rows).encode(x=x, color=color, tooltip=told)
    if offset is not None:
        base = base.encode(xOffset=offset)
    low = y.copy()
    low.shorthand = "low:Q"
    layers = [base.mark_rule(strokeWidth=1.8, opacity=0.75).encode(y=low, y2="high:Q")]
    if line:
        layers.append(base.mark_line(strokeWidth=2.5).encode(y=y))
    return [*layers, base.mark_point(size=80, filled=True, opacity=1).encode(y=y, shape=shape)]
