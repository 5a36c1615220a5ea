"""Draws the figures of the study pages from the results that come with LCL Lab: `python docs/make_figures.py`."""

from __future__ import annotations

from pathlib import Path

from PIL.Image import Image

from lcl_lab.dashboard import DashboardConfig
from lcl_lab.dashboard.run_index import read_index, shipped_results
from lcl_lab.dashboard.streamlit_logging import quiet_streamlit
from lcl_lab.dashboard.study_page import study_findings
from lcl_lab.studies import find_study, power_curves

FOLDER = Path(__file__).parent / "figures"


@quiet_streamlit()
def main() -> None:
    """Save the first figure of every study, charts as SVG and pictures of episodes as PNG, and power curves."""
    index = read_index(DashboardConfig(results=shipped_results()))
    for name in index.studies:
        study = find_study(name)
        group = index.groups_of(name)[0]
        findings, _ = study_findings(study, group, group.select(group.models, group.seeds))
        figure = next((section.figure for section in findings.sections if section.figure is not None), None)
        if isinstance(figure, Image):
            figure.save(FOLDER / f"{name}.png", optimize=True)
        elif figure is not None:
            figure.write(FOLDER / f"{name}.svg")
    power_curves(difference=0.05).figure.write(FOLDER / "power.svg")


if __name__ == "__main__":
    main()
