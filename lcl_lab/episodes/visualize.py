"""Shows an episode as a picture or as HTML: its images with their labels, false ones in orange."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from html import escape
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont, ImageOps

from lcl_lab.concepts import ImageRef
from lcl_lab.episodes.episode import Episode
from lcl_lab.episodes.replaced_images import with_replacements
from lcl_lab.errors import UserError

__all__ = ["episode_html", "episode_image", "stack_images"]

_TILE, _LABEL, _GAP, _LINE = 112, 34, 8, 20  # pixels
_PLAIN, _FALSE, _QUERY, _NOTE = "#222222", "#D55E00", "#0072B2", "#777777"
_INK = "#767676"  # readable on white and on black, since pictures are transparent
_GROUND = "#76767600"


def episode_image(
    episode: Episode,
    image: Callable[[ImageRef], Image.Image] | None = None,
    per_row: int = 8,
    answers: Sequence[tuple[str, str, bool]] = (),
) -> Image.Image:
    """Draw an episode: the support in its order, then the query, and below them any answers.

    The ground is transparent, so that the picture fits light and dark pages. A false label is orange, with the true
    name below it.

    Args:
        episode: the episode.
        image: returns the image of a reference; by default the episode's dataset does.
        per_row: the number of images per row.
        answers: for each model its name, its answer, and whether the answer is correct.

    Raises:
        UserError: no `image` is given, and the episode has no dataset.
    """
    if image is None:
        if episode.dataset is None:
            raise UserError("has no dataset to take images from; create it with draw_episode", option="episode")
        image = episode.dataset.image
    image = with_replacements(image)
    tiles = [
        _tile(image(e.image), e.label, f"is {e.true_label}" if e.false else "", _FALSE if e.false else _INK)
        for e in episode.support
    ]
    tiles.append(_tile(image(episode.query), "?", f"is {episode.true_name}", _QUERY))
    columns = min(per_row, len(tiles))
    rows = -(-len(tiles) // columns)
    top_of_answers = rows * (_TILE + _LABEL + _GAP) + _GAP
    size = (columns * (_TILE + _GAP) + _GAP, top_of_answers + len(answers) * _LINE)
    picture = Image.new("RGBA", size, _GROUND)
    for k, tile in enumerate(tiles):
        picture.paste(tile, (_GAP + k % columns * (_TILE + _GAP), _GAP + k // columns * (_TILE + _LABEL + _GAP)))
    draw = ImageDraw.Draw(picture)
    for line, (model, answer, correct) in enumerate(answers):
        text = f"{model}: {' '.join(answer.split()) or '(nothing)'}  ({'right' if correct else 'wrong'})"
        position = (_GAP, top_of_answers + line * _LINE)
        draw.text(position, text, fill=_INK if correct else _FALSE, font=ImageFont.load_default(14))
    return picture


def stack_images(images: Sequence[Image.Image]) -> Image.Image:
    """Stack images vertically, left-aligned, on a transparent ground."""
    sheet = Image.new("RGBA", (max(s.width for s in images), sum(s.height + _LINE for s in images)), _GROUND)
    top = 0
    for image in images:
        sheet.paste(image, (0, top))
        top += image.height + _LINE
    return sheet


def episode_html(episode: Episode) -> str:
    """Show an episode as self-contained HTML: the support in its order, then the query.

    A false label is orange, with the true name below it. Images are embedded; an episode without a dataset shows their
    references instead.
    """
    tiles = [
        _html_tile(
            episode, e.image, e.label, f"true name: {e.true_label}" if e.false else "", _FALSE if e.false else ""
        )
        for e in episode.support
    ]
    plural = "s" if episode.further_names else ""
    names = f"true name: {episode.true_name}, other name{plural}: {', '.join(episode.other_names)}"
    tiles.append(_html_tile(episode, episode.query, "query", names, _QUERY))
    head = f"{episode.data}, seed {episode.seed}, query {episode.query_id}, {len(episode.support)} shots"
    return (
        f'<div style="background:white;color:{_PLAIN};font:13px sans-serif;padding:8px">'
        f'<div style="margin-bottom:6px">{escape(head)}</div>'
        f'<div style="display:flex;flex-wrap:wrap;gap:{_GAP}px">{"".join(tiles)}</div></div>'
    )


def _html_tile(episode: Episode, ref: ImageRef, label: str, note: str, colour: str) -> str:
    """One image with its label; `colour` frames it and is empty for true labels."""
    box = f"box-sizing:border-box;width:{_TILE}px;height:{_TILE}px;border:3px solid {colour or 'transparent'}"
    if episode.dataset is None:
        picture = f'<div style="{box};overflow-wrap:anywhere;background:#eeeeee">{escape(str(ref))}</div>'
    else:
        source = _data_uri(with_replacements(episode.dataset.image)(ref))
        picture = f'<img src="{source}" alt="{escape(str(ref))}" style="{box};object-fit:contain">'
    return (
        f'<div style="width:{_TILE}px;text-align:center;overflow-wrap:anywhere">{picture}'
        f'<div style="color:{colour or _PLAIN};font-weight:bold">{escape(label)}</div>'
        f'<div style="color:{_NOTE};font-size:11px">{escape(note)}</div></div>'
    )


def _data_uri(image: Image.Image) -> str:
    """A small copy of an image, as JPEG where the original is large."""
    large = max(image.size) > 2 * _TILE
    copy = image.convert("RGB")
    copy.thumbnail((2 * _TILE, 2 * _TILE))
    file = BytesIO()
    copy.save(file, "JPEG" if large else "PNG")
    return f"data:image/{'jpeg' if large else 'png'};base64,{b64encode(file.getvalue()).decode()}"


def _tile(image: Image.Image, label: str, note: str, colour: str) -> Image.Image:
    tile = Image.new("RGBA", (_TILE, _TILE + _LABEL), _GROUND)
    tile.paste(ImageOps.pad(image.convert("RGBA"), (_TILE, _TILE)), (0, 0))
    draw = ImageDraw.Draw(tile)
    if colour != _INK:
        draw.rectangle((0, 0, _TILE - 1, _TILE - 1), outline=colour, width=3)
    draw.text((_TILE / 2, _TILE + 9), label, fill=colour, anchor="mm", font=ImageFont.load_default(13))
    draw.text((_TILE / 2, _TILE + 25), note, fill=_INK, anchor="mm", font=ImageFont.load_default(11))
    return tile
