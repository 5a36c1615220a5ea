"""A picture of an episode: its images in a row with the labels shown, false ones in red."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from lcl_lab.concepts import ImageRef
from lcl_lab.episodes.episode import Episode

__all__ = ["episode_image", "save_strip", "stacked"]

_TILE, _LABEL, _GAP, _LINE = 112, 34, 8, 20
_PLAIN, _FALSE, _QUERY = "#222222", "#D55E00", "#0072B2"


def episode_image(
    episode: Episode,
    image: Callable[[ImageRef], Image.Image],
    per_row: int = 8,
    answers: Sequence[tuple[str, str, bool]] = (),
) -> Image.Image:
    """The support in reading order and the query last; a false label is red over the true name.

    `answers` are lines below: who answered, what, and whether it was right.
    """
    tiles = [
        _tile(image(e.image), e.label, f"is {e.true_label}" if e.false else "", _FALSE if e.false else _PLAIN)
        for e in episode.support
    ]
    tiles.append(_tile(image(episode.query), "?", f"is {episode.true_name}", _QUERY))
    columns = min(per_row, len(tiles))
    rows = -(-len(tiles) // columns)
    below = rows * (_TILE + _LABEL + _GAP) + _GAP
    strip = Image.new("RGB", (columns * (_TILE + _GAP) + _GAP, below + len(answers) * _LINE), "white")
    for k, tile in enumerate(tiles):
        strip.paste(tile, (_GAP + k % columns * (_TILE + _GAP), _GAP + k // columns * (_TILE + _LABEL + _GAP)))
    draw = ImageDraw.Draw(strip)
    for line, (who, said, right) in enumerate(answers):
        text = f"{who}: {said or '(nothing)'}  ({'right' if right else 'wrong'})"
        place, colour = (_GAP, below + line * _LINE), _PLAIN if right else _FALSE
        draw.text(place, text, fill=colour, font=ImageFont.load_default(14))
    return strip


def stacked(strips: Sequence[Image.Image]) -> Image.Image:
    """Strips under one another."""
    sheet = Image.new("RGB", (max(s.width for s in strips), sum(s.height + _LINE for s in strips)), "white")
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height + _LINE
    return sheet


def save_strip(episode: Episode, image: Callable[[ImageRef], Image.Image], path: Path) -> Path:
    """Write the picture strip; the format follows the ending of `path`."""
    episode_image(episode, image).save(path)
    return path


def _tile(image: Image.Image, label: str, note: str, colour: str) -> Image.Image:
    tile = Image.new("RGB", (_TILE, _TILE + _LABEL), "white")
    tile.paste(ImageOps.pad(image.convert("RGB"), (_TILE, _TILE)), (0, 0))
    draw = ImageDraw.Draw(tile)
    if colour != _PLAIN:
        draw.rectangle((0, 0, _TILE - 1, _TILE - 1), outline=colour, width=3)
    draw.text((_TILE / 2, _TILE + 9), label, fill=colour, anchor="mm", font=ImageFont.load_default(13))
    draw.text((_TILE / 2, _TILE + 25), note, fill="#777777", anchor="mm", font=ImageFont.load_default(11))
    return tile
