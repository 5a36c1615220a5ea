from __future__ import annotations

import io
import zipfile
from dataclasses import replace

from PIL import Image

from lcl_lab.figures import radar_figure
from lcl_lab.reporting import Section, figure_archive, figure_caption, paper_figures

from .factories import findings


def test_a_caption_names_panels_intervals_and_numbers_of_queries() -> None:
    (section,) = findings().sections
    assert figure_caption(section) == (
        "Accuracy. Panels: candidate, open-ended. Accuracy. n = 9 queries of 3 concept pairs per estimate."
    )
    table = section.tables[0]
    frame = table.frame.assign(n=[9, 1200, 9, 9], clusters=4)
    tables = [replace(table, caption="Accuracy, with 95 % intervals over support draws", frame=frame)]
    rows = frame.assign(category=["a", "b"] * 2)[["model", "metric", "category", "estimate"]]
    radar = replace(section, tables=tables, figure=radar_figure(rows, "category", "Any"))
    assert "n = 9 to 1,200 queries of 4 support draws per estimate" in figure_caption(radar)
    bare = Section("A\x1b[2Jb.", figure=radar.figure, tables=[])
    assert figure_caption(bare) == "A[2Jb. Panels: candidate, open-ended."


def test_the_archive_has_both_widths_in_both_formats_and_the_caption() -> None:
    (section,) = findings().sections
    with zipfile.ZipFile(io.BytesIO(figure_archive(section))) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert {name: content[:4] for name, content in contents.items() if "caption" not in name} == {
        "figure-column.svg": b"<svg",
        "figure-column.pdf": b"%PDF",
        "figure-wide.svg": b"<svg",
        "figure-wide.pdf": b"%PDF",
    }
    assert contents["figure-caption.txt"].decode() == f"{figure_caption(section)}\n"


def test_a_picture_or_no_figure_has_no_files() -> None:
    assert paper_figures(Section("One", figure=Image.new("RGB", (4, 4)))) == {}
    assert paper_figures(Section("One", tables=[])) == {}
    assert figure_caption(Section("One", figure=Image.new("RGB", (4, 4)))) == "One."
