"""Figures as panels that know their metric, so that a report or a page selects panels by field, not by title."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

import altair as alt
import numpy as np
import pandas as pd

from lcl_lab.atomic import write_atomic
from lcl_lab.control_characters import remove_controls
from lcl_lab.errors import UserError
from lcl_lab.figures.converter import RENDERERS
from lcl_lab.figures.formats import Format
from lcl_lab.figures.legends import arrange_legends
from lcl_lab.figures.paper_size import PaperFormat, paper_svg, svg_to_pdf
from lcl_lab.figures.theme import themed

__all__ = ["PANEL_TITLE_SIZE", "Figure", "Panel", "Resolve", "groups", "layered"]

Resolve = Mapping[str, Literal["shared", "independent"]]
PANEL_TITLE_SIZE = 16
_SAVED: tuple[Format, ...] = ("html", "png", "svg")


@dataclass(frozen=True, eq=False)
class Panel:
    """One view of a figure, with its own data and legends.

    Attributes:
        chart: the layers, without configuration and title.
        metric: the metric of the estimates that the panel shows; None if it shows several or none.
        title: shown above the panel when it is part of a figure.
        published: whether the panel shows only numbers printed in the paper.
    """

    chart: alt.LayerChart = field(repr=False)
    metric: str | None = None
    title: str | None = None
    published: bool = False

    def view(self) -> alt.LayerChart:
        """The chart with its title, without configuration: a part of a larger chart."""
        if self.title is None:
            return self.chart
        return self.chart.properties(title=alt.Title(self.title, fontSize=PANEL_TITLE_SIZE))


@dataclass(frozen=True, eq=False)
class Figure:
    """Panels next to or below one another. Notebooks display it as SVG; `chart()` is the interactive Altair chart.

    Attributes:
        panels: at least one, in the order in which they are drawn.
        title: shown above all panels; empty for none.
        stacked: draw panels below one another instead of side by side.
        spacing: pixels between panels; None for Vega-Lite's default.
        resolve: for an encoding channel such as ``"y"``, whether panels share its scale.
    """

    panels: tuple[Panel, ...]
    title: str = ""
    stacked: bool = False
    spacing: int | None = None
    resolve: Resolve = field(default_factory=dict, repr=False)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics for which a panel shows estimates, in the order of the panels; those printed only excluded."""
        names = (panel.metric for panel in self.panels if not panel.published)
        return tuple(dict.fromkeys(name for name in names if name is not None))

    @property
    def data(self) -> list[pd.DataFrame]:
        """The rows behind the layers of all panels."""
        layers = [layer for panel in self.panels for layer in panel.chart.layer]
        return [layer.data for layer in layers if isinstance(layer.data, pd.DataFrame)]

    def for_metric(self, metric: str) -> Figure:
        """The figure without the panels of other metrics.

        Args:
            metric: such as ``"candidate"``.

        Returns:
            A figure with the panels of that metric and those with none. It may have no panels.
        """
        return replace(self, panels=tuple(panel for panel in self.panels if panel.metric in (metric, None)))

    def chart(self) -> alt.HConcatChart | alt.VConcatChart:
        """The composed and themed Altair chart."""
        spacing = {} if self.spacing is None else {"spacing": self.spacing}
        views = [panel.view() for panel in self.panels]
        chart: alt.HConcatChart | alt.VConcatChart
        chart = alt.vconcat(*views, **spacing) if self.stacked else alt.hconcat(*views, **spacing)
        if self.resolve:
            chart = chart.resolve_scale(**self.resolve)
        if self.title:
            chart = chart.properties(title=alt.Title(self.title, offset=14))
        return themed(chart)

    def render(self, format: Format) -> bytes:
        """The figure as the content of a file.

        Args:
            format: ``"html"`` (interactive, works offline), ``"png"`` (two pixels per point), ``"svg"``, ``"pdf"``, or
                ``"json"`` (the Vega-Lite specification).
        """
        content = RENDERERS[format](self._specification)
        return content.encode() if isinstance(content, str) else content

    def render_for_paper(self, inches: float, format: PaperFormat = "pdf", titled: bool = False) -> bytes:
        """The figure as a file of exactly the given width, whose letters can be read there.

        Panels that do not fit next to each other go below one another, and legends stay within the width.

        Args:
            inches: such as 3.3 for one column of a paper, and 6.9 for two.
            format: ``"pdf"`` or ``"svg"``.
            titled: draw the title, which a paper gives in its caption.
        """
        svg = paper_svg(self._composed, inches, titled)
        return svg_to_pdf(svg) if format == "pdf" else svg.encode()

    @property
    def _width(self) -> int:
        """About the pixels of all plots next to each other."""
        widths = [int(panel.chart.width) for panel in self.panels]
        return max(widths) if self.stacked else sum(widths)

    @cached_property
    def _composed(self) -> dict[str, Any]:
        """The chart in Vega-Lite, which takes longer to build and validate than to draw."""
        specification: dict[str, Any] = _without_controls(self.chart().to_dict())
        return specification

    @cached_property
    def _specification(self) -> dict[str, Any]:
        """The chart in Vega-Lite with legends that fit, as files show it."""
        specification = deepcopy(self._composed)
        arrange_legends(specification, self._width)
        return specification

    def write(self, path: Path) -> None:
        """Write one file, atomically, in the format of its suffix.

        Args:
            path: ends with a `Format`, such as ``.svg``; its folder is created if needed.

        Raises:
            UserError: the suffix is not that of a format, or the file cannot be written.
        """
        format = cast(Format, path.suffix.lower().removeprefix("."))
        if format not in RENDERERS:
            raise UserError(
                f"must end with one of {', '.join(f'.{name}' for name in RENDERERS)}", option="figure", value=path
            )
        write_atomic(path, self.render(format))

    def save(self, directory: Path, name: str) -> dict[str, Path]:
        """Write ``name.html``, ``name.png`` and ``name.svg``, each atomically.

        Args:
            directory: created if needed.
            name: file name without suffix.

        Returns:
            The path of each file by its format.

        Raises:
            UserError: a file cannot be written.
        """
        paths: dict[str, Path] = {format: directory / f"{name}.{format}" for format in _SAVED}
        for format in _SAVED:
            write_atomic(paths[format], self.render(format))
        return paths

    def _repr_html_(self) -> str:
        # Altair's own representation loads scripts from the network, and cannot be part of another object's HTML.
        return self.render("svg").decode()


def _without_controls(value: Any) -> Any:
    """JSON values without control characters in their texts, at which the converter would end the process."""
    match value:
        case str():
            return remove_controls(value)
        case list():
            return [_without_controls(one) for one in value]
        case dict():
            return {remove_controls(key): _without_controls(one) for key, one in value.items()}
        case _:
            return value


def groups(rows: pd.DataFrame, column: str | None = None) -> Iterator[tuple[str | None, str | None, pd.DataFrame]]:
    """Split rows into those of each panel: by metric where rows have several, and by `column`.

    Args:
        rows: estimates, with or without a column `metric`.
        column: a further column with one panel per value; ``"metric"`` gives panels a title even for one metric.

    Yields:
        The panel's metric (None without a column `metric`), its title (None if there is nothing to tell apart),
        and its rows.
    """
    by = [name for name in dict.fromkeys((column, "metric")) if name is not None and name in rows]
    if not by:
        yield None, None, rows
        return
    several = "metric" in rows and rows["metric"].nunique() > 1
    titled = [name for name in by if name == column or (name == "metric" and several)]
    for values in rows[by].drop_duplicates().itertuples(index=False, name=None):
        key = dict(zip(by, values, strict=True))
        title = ", ".join(str(key[name]) for name in titled) or None
        matches = [rows[name].eq(value) for name, value in key.items()]
        yield key.get("metric"), title, rows[np.logical_and.reduce(matches)]


def layered(layers: Sequence[alt.Chart], width: int, height: int) -> alt.LayerChart:
    """Layers of one panel, the first at the bottom; width and height of the plot are in pixels."""
    return alt.LayerChart(layer=list(layers), width=width, height=height)
