"""Estimates to Altair charts, for a study's report and for the dashboard alike."""

from __future__ import annotations

from lcl_lab.figures.false_ratio import false_ratio_chart
from lcl_lab.figures.theme import save
from lcl_lab.figures.training import training_chart

__all__ = ["false_ratio_chart", "save", "training_chart"]
