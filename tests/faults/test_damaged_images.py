"""Bytes of image files in all formats, changed at random: an image, or one line that says why there is none."""

from __future__ import annotations

import io
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lcl_lab.concepts.image_reader import UnreadableImageError, decode_image

pytestmark = pytest.mark.attack
FORMATS = ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "AVIF")
BOUNDED = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_MOST_PIXELS = 1 << 26


@cache
def content(kind: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    image, written = Image.fromarray(pixels), io.BytesIO()
    image.getexif()[274] = 6  # the orientation
    image.save(written, kind, **({} if kind in ("GIF", "BMP") else {"exif": image.getexif()}))
    return written.getvalue()


CHANGES = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=12)


def check(file: Path, body: bytes) -> None:
    file.write_bytes(body)
    with warnings.catch_warnings(action="ignore"):
        try:
            image = decode_image(file)
        except UnreadableImageError as error:
            assert len(str(error).splitlines()) == 1
            return
    assert image.mode == "RGB"
    assert 0 < image.width * image.height < _MOST_PIXELS * 4
    assert len(image.tobytes()) == 3 * image.width * image.height


@pytest.mark.parametrize("kind", FORMATS)
@BOUNDED
@given(changes=CHANGES, head=st.booleans())
def test_changed_bytes_are_an_image_or_one_line(
    kind: str, changes: list[tuple[int, int]], head: bool, tmp_path: Path
) -> None:
    body = bytearray(content(kind))
    for place, value in changes:
        body[place % (64 if head else len(body))] = value
    check(tmp_path / "image", bytes(body))


@pytest.mark.parametrize("kind", FORMATS)
@BOUNDED
@given(length=st.integers(0, 5000), tail=st.binary(max_size=20))
def test_cut_files_are_an_image_or_one_line(kind: str, length: int, tail: bytes, tmp_path: Path) -> None:
    check(tmp_path / "image", content(kind)[:length] + tail)


@BOUNDED
@given(body=st.binary(max_size=300))
def test_any_bytes_are_an_image_or_one_line(body: bytes, tmp_path: Path) -> None:
    check(tmp_path / "image", body)
