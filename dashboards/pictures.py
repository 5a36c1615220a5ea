"""The images of episodes, from sets of concepts that may be shown: records cannot name a file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import streamlit as st
from PIL import Image

from dashboards.text import plain
from lcl_lab.concepts import DATASETS, Dataset, ImageRef, load_dataset
from lcl_lab.episodes import Episode, Example, episode_image
from lcl_lab.errors import UserError

__all__ = ["show_picture", "strip_of"]

_UNKNOWN = ImageRef("", "", 0)


def show_picture(allowed: tuple[str, ...], name: str, width: int) -> None:
    """An image, or its name where that is in no set that may be shown."""
    image = _image(_ref(name), allowed)
    if image is None:
        st.text(f"[{name}]")
    else:
        st.image(image, width=width)


def strip_of(row: Mapping[str, Any], allowed: tuple[str, ...]) -> Image.Image:
    """A record's support and query as one picture; an image that may not be shown is grey."""
    support = [Example(_ref(shot["image"]), shot["label"], shot["true_label"]) for shot in row["support"] or []]
    episode = Episode(
        data=row["data"],
        seed=row["seed"],
        query_id=row["query_id"],
        support_id=row["support_id"],
        pair=row["pair"],
        support=tuple(support),
        query=_ref(row["query_image"]),
        true_name=row["true_name"],
        other_name=row["other_name"],
    )
    grey = Image.new("RGB", (64, 64), "#AAAAAA")
    return episode_image(episode, lambda ref: _image(ref, allowed) or grey)


def _ref(name: str) -> ImageRef:
    """What a record calls an image, as `world-100:017:5`."""
    try:
        data, concept, number = name.rsplit(":", 2)
        return ImageRef(data, concept, int(number))
    except ValueError:
        return _UNKNOWN


@lru_cache(maxsize=2048)
def _image(ref: ImageRef, allowed: tuple[str, ...]) -> Image.Image | None:
    """An image of an embedded set, or of one that whoever started the dashboard allows; None for any other."""
    concepts = _sets(allowed).get(ref.data)
    try:
        return concepts.image(ref) if concepts else None
    except (KeyError, IndexError, OSError):
        return None


@lru_cache(maxsize=4)
def _sets(allowed: tuple[str, ...]) -> dict[str, Dataset]:
    found = {}
    for name in (*DATASETS, *allowed):
        try:
            concepts = load_dataset(name)
        except UserError as error:
            st.warning(plain(str(error)))
            continue
        found[concepts.name] = concepts
    return found
