from __future__ import annotations

import base64
import json
import re
from io import BytesIO

import pandas as pd
import pytest
from PIL import Image

from lcl_lab.figures import attention_figure


def test_the_bars_are_over_the_images_of_the_support() -> None:
    colours = ("red", "green", "blue", "white")
    rows = pd.DataFrame(
        {
            "panel": "mini/2-way, head 1.2",
            "position": range(1, 5),
            "label": ["dax", "wug", "dax", "wug"],
            "own": ["the query's concept", "the other concept"] * 2,
            "attention": [0.5, 0.1, 0.3, 0.05],
            "image": [Image.new("RGB", (400, 300), colour) for colour in colours],
        }
    )
    figure = attention_figure(rows, "Attention", "candidate")
    assert figure.render("png")[:4] == b"\x89PNG"
    (data,) = json.loads(figure.render("json"))["datasets"].values()
    assert [row["attention"] for row in data] == [0.5, 0.1, 0.3, 0.05]
    for row, colour in zip(data, colours, strict=True):
        shown = Image.open(BytesIO(base64.b64decode(row["url"].partition(",")[2])))
        assert shown.getpixel((10, 10)) == Image.new("RGB", (1, 1), colour).getpixel((0, 0))
        assert max(shown.size) <= 144


@pytest.mark.parametrize("largest", [0.38, 0.08, 0.95])
def test_no_two_ticks_have_the_same_label(largest: float) -> None:
    rows = pd.DataFrame(
        {
            "panel": "mini/2-way, head 1.2",
            "position": [1, 2],
            "label": ["dax", "wug"],
            "own": ["the query's concept", "the other concept"],
            "attention": [largest, 0.02],
            "image": [Image.new("RGB", (8, 8))] * 2,
        }
    )
    svg = attention_figure(rows, "Attention", "candidate").render("svg").decode()
    labels = re.findall(r">(\d\.\d+|0)</text>", svg)
    assert len(labels) > 2
    assert len(set(labels)) == len(labels)
