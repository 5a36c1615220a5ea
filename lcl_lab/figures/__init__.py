"""Estimates to Altair charts, for a study's report and for the dashboard alike."""

from __future__ import annotations

from lcl_lab.figures.dot_plot import dots_chart
from lcl_lab.figures.false_ratio_plot import false_ratio_chart
from lcl_lab.figures.line_plot import curves_chart
from lcl_lab.figures.overview_plot import overview_chart
from lcl_lab.figures.position_plot import position_chart
from lcl_lab.figures.radar_plot import radar_chart
from lcl_lab.figures.theme import Chart, save
from lcl_lab.figures.training_plot import training_chart, trials_chart

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
