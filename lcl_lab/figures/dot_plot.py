"""Estimates by kind: dots with intervals side by side, a colour and shape a model. Reads better than a radar."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from lcl_lab.figures.encodings import estimates_of, looks, models_in
from lcl_lab.figures.theme import GREY

__all__ = ["dots_chart"]

_LETTER = 9  # pixels of a label's letter, and its share of the gap to the next


def dots_chart(
    rows: pd.DataFrame,
    kind: str,
    title: str,
    y_title: str = "Accuracy",
    group: str = "model",
    group_title: str = "Model, with 95 % interval",
    domain: Sequence[float] | None = (0.0, 1.0),
    guide: float | None = None,
    panel: str | None = None,
    width: int = 420,
) -> alt.HConcatChart:
    """`rows` have the columns `kind`, `group`, estimate, low, high, and `panel` where there are several.

    `guide` is drawn as a dashed line: chance, or no change. Without a `domain` the axis begins at 0.

    Raises:
        UserError: nothing to draw, or more groups than can be told apart.
    """
    groups, kinds = models_in(rows, group), rows[kind].drop_duplicates().tolist()
    tight = len(kinds) * max(len(str(name)) for name in kinds) * _LETTER > width
    x = alt.X(f"{kind}:N", sort=kinds, title=None, axis=alt.Axis(labelAngle=-40 if tight else 0))
    scale = alt.Scale(domain=list(domain), nice=False, padding=8) if domain else alt.Scale(zero=True)
    y = alt.Y("estimate:Q", title=y_title, scale=scale)
    tooltip = [alt.Tooltip(f"{kind}:N"), alt.Tooltip(f"{group}:N")]
    offset = alt.XOffset(f"{group}:N", sort=groups, scale=alt.Scale(paddingOuter=1))
    panels = []
    for name in rows[panel].drop_duplicates().tolist() if panel else [None]:
        own = rows[rows[panel] == name] if panel else rows
        layers = estimates_of(own, x, y, looks(groups, group_title, group), tooltip, line=False, offset=offset)
        if guide is not None:
            rule = alt.Chart(pd.DataFrame({"guide": [guide]})).mark_rule(color=GREY, strokeDash=[3, 3])
            layers.insert(0, rule.encode(y=alt.Y("guide:Q", title=y_title, scale=scale)))
        named = {"title": alt.Title(str(name), fontSize=16)} if name is not None else {}
        panels.append(alt.layer(*layers).properties(width=width, height=300, **named))
    return alt.hconcat(*panels, spacing=30).properties(title=alt.Title(title, offset=14))
