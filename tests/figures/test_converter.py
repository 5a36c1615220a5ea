from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import vl_convert

from lcl_lab.figures import converter
from lcl_lab.figures.converter import RENDERERS, VERSION

SPEC: dict[str, Any] = {
    "data": {"values": [{"shots": 2, "accuracy": 0.5}, {"shots": 4, "accuracy": 0.75}]},
    "mark": "line",
    "encoding": {"x": {"field": "shots"}, "y": {"field": "accuracy", "type": "quantitative"}},
}


def without_spaces(page: str) -> str:
    return re.sub(r"\s+", "", page)


def test_files_are_what_the_converter_makes_of_the_specification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    expected = without_spaces(vl_convert.vegalite_to_html(SPEC, vl_version=VERSION, bundle=True))
    for _ in range(2):  # the scripts are bundled, then read from the disk
        converter.vega_scripts.cache_clear()
        assert without_spaces(str(RENDERERS["html"](SPEC))) == expected
    assert RENDERERS["svg"](SPEC) == vl_convert.vegalite_to_svg(SPEC, vl_version=VERSION)
    assert RENDERERS["png"](SPEC) == vl_convert.vegalite_to_png(SPEC, vl_version=VERSION, scale=2)
    assert bytes(RENDERERS["pdf"](SPEC)).startswith(b"%PDF")


def test_scripts_are_bundled_again_where_the_disk_has_damaged_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    converter.vega_scripts.cache_clear()
    bundle = converter.vega_scripts()
    for file in tmp_path.rglob("*"):
        if file.is_file():
            file.write_bytes(b"damaged")
    converter.vega_scripts.cache_clear()
    assert converter.vega_scripts() == bundle
