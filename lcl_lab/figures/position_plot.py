"""The position ablation (the paper's Figure 8, at every place): what one false label costs, by where it stands."""

from __future__ import annotations

import altair as alt
import pandas as pd

from lcl_lab.figures.encodings import dodge, estimates_of, looks, models_in
from lcl_lab.figures.theme import GREY

__all__ = ["position_chart"]


def position_chart(drops: pd.DataFrame, title: str) -> alt.VConcatChart:
    """`drops` have the columns model, design, position (1 = first), drop, low, high: a row a model, a colour a design.

    Raises:
        UserError: nothing to draw.
    """
    designs = models_in(drops, "design")
    last = int(drops["position"].max())
    placed = drops.assign(x=drops["position"] + dodge(drops, designs, 0.22, "design"), estimate=drops["drop"])
    x = alt.X(
        "x:Q",
        title="Place of the false label in the support (1 = first)",
        scale=alt.Scale(domain=[0.5, last + 0.5], nice=False),
        axis=alt.Axis(values=list(range(1, last + 1)), format="d", grid=False),
    )
    scale = alt.Scale(domain=[min(0.0, drops["low"].min()), max(0.0, drops["high"].max())], nice=True)
    y = alt.Y("estimate:Q", title="Drop in accuracy", axis=alt.Axis(format="+.2f"), scale=scale)
    look = looks(designs, "Design, with 95 % intervals that hold for all places at once", "design")
    zero = (
        alt.Chart(pd.DataFrame({"zero": [0]}))
        .mark_rule(color=GREY, strokeDash=[3, 3])
        .encode(y=alt.Y("zero:Q", scale=scale))
    )
    tooltip = [alt.Tooltip("model:N"), alt.Tooltip("position:Q"), alt.Tooltip("design:N")]
    panels = [
        alt.layer(zero, *estimates_of(placed[placed["model"] == model], x, y, look, tooltip, line=False)).properties(
            title=alt.Title(model, fontSize=16), width=760, height=220
        )
        for model in drops["model"].drop_duplicates().tolist()
    ]
    return alt.vconcat(*panels, spacing=24).resolve_scale(y="shared").properties(title=alt.Title(title, offset=14))
