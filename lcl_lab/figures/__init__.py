"""Estimates to Altair charts, for a study's report and for the dashboard alike."""

from __future__ import annotations

from lcl_lab.figures.curves import curves_chart
from lcl_lab.figures.dots import dots_chart
from lcl_lab.figures.false_ratio import false_ratio_chart
from lcl_lab.figures.overview import overview_chart
from lcl_lab.figures.position import position_chart
from lcl_lab.figures.radar import radar_chart
from lcl_lab.figures.theme import Chart, save
from lcl_lab.figures.training import training_chart, trials_chart

__all__ = [
    "Chart",
    "curves_chart",
    "dots_chart",
    "false_ratio_chart",
    "overview_chart",
    "position_chart",
    "radar_chart",
    "save",
    "training_chart",
    "trials_chart",
]
