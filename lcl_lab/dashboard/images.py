"""The images of episodes, from datasets that may be shown: a record cannot name a file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import streamlit as st
from PIL import Image

from lcl_lab import concepts, episodes
from lcl_lab.concepts.dataset import ImageRef
from lcl_lab.concepts.renamed_dataset import name_without_renaming
from lcl_lab.dashboard.escape import escape_markdown
from lcl_lab.episodes.replaced_images import name_without_replacement
from lcl_lab.errors import UserError

__all__ = ["GREY", "find_image", "record_picture", "show_image", "warn_of_missing_datasets"]

_UNKNOWN = ImageRef("", "", 0)
GREY = Image.new("RGB", (64, 64), "#AAAAAA")
"""Stands for an image that may not be shown."""


def find_image(allowed: tuple[str, ...], name: str) -> Image.Image | None:
    """An image by the name that a record has for it; None where it is in no dataset that may be shown."""
    return _image(_parse(name), allowed)


def show_image(allowed: tuple[str, ...], name: str, width: int, caption: str | None = None) -> None:
    """Show an image, or its name where it is in no dataset that may be shown.

    Args:
        allowed: datasets whose images may be shown in addition to the embedded ones.
        name: the image as a record calls it.
        width: in pixels.
        caption: Markdown below the image.
    """
    image = find_image(allowed, name)
    if image is not None:
        st.image(image, width=width, caption=caption, alt=name)
        return
    with st.container(width=width, gap=None):
        st.text(f"[{name}]")
        if caption:
            st.caption(caption)


def record_picture(record: Mapping[str, Any], allowed: tuple[str, ...]) -> Image.Image:
    """A record's support and query as one picture; an image that may not be shown is grey."""
    support = [
        episodes.Example(_parse(example["image"]), example["label"], example["true_label"])
        for example in record["support"] or []
    ]
    episode = episodes.Episode(
        data=record["data"],
        seed=record["seed"],
        query_id=record["query_id"],
        support_id=record["support_id"],
        pair=record["pair"],
        support=tuple(support),
        query=_parse(record["query_image"]),
        true_name=record["true_name"],
        other_name=record["other_name"],
    )
    return episodes.episode_image(episode, lambda ref: _image(ref, allowed) or GREY)


def warn_of_missing_datasets(allowed: tuple[str, ...]) -> None:
    """Say which of the allowed datasets cannot be read."""
    for problem in _load(allowed)[1]:
        st.warning(escape_markdown(problem))


def _parse(name: str) -> ImageRef:
    """The image that a record calls, for example, `world-100:017:5`."""
    try:
        data, concept, number = name.rsplit(":", 2)
        return ImageRef(data, concept, int(number))
    except ValueError:
        return _UNKNOWN


@lru_cache(maxsize=2048)
def _image(ref: ImageRef, allowed: tuple[str, ...]) -> Image.Image | None:
    """An image of an embedded dataset, or of one that whoever started the dashboard allows; None for any other."""
    dataset = _load(allowed)[0].get(name_without_renaming(name_without_replacement(ref.data)))
    try:
        return episodes.with_replacements(dataset.image)(ref) if dataset else None
    except (KeyError, IndexError, OSError, UserError):
        return None


@lru_cache(maxsize=4)
def _load(allowed: tuple[str, ...]) -> tuple[dict[str, concepts.Dataset], list[str]]:
    """The datasets that may be shown, by name, and the problems with those that cannot be read."""
    datasets, problems = {}, []
    for name in (*concepts.DATASETS, *allowed):
        try:
            dataset = concepts.load_dataset(name)
        except UserError as error:
            problems.append(str(error))
            continue
        datasets[dataset.name] = dataset
    return datasets, problems
