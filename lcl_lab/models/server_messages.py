"""Conversations as messages of OpenAI's protocol."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import PIL.Image
from PIL.Image import Image

from lcl_lab.concepts import ImageRef
from lcl_lab.prompts import Prompt, Turn

__all__ = ["as_messages", "image_urls", "probe"]

_PROBE_IMAGE = ImageRef("probe", "probe", 0)
_PROBE = Prompt(
    (Turn("user", ("First?",)), Turn("assistant", ("Yes.",)), Turn("user", (_PROBE_IMAGE, "And this?"))), ("no",)
)
_PROBE_SIZE = (224, 224)


def as_messages(turns: Sequence[Turn], image: Callable[[ImageRef], Image]) -> list[dict[str, Any]]:
    """One message per turn; images are data URLs."""
    return [_message(turn, image) for turn in turns]


def image_urls(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The images of messages, in order."""
    parts = [part for message in messages if not isinstance(message["content"], str) for part in message["content"]]
    return [str(part["image_url"]["url"]) for part in parts if part["type"] == "image_url"]


def probe() -> tuple[Prompt, list[dict[str, Any]]]:
    """A short conversation with an earlier answer, one image and one candidate, and its messages."""
    return _PROBE, as_messages(_PROBE.turns, lambda _: PIL.Image.new("RGB", _PROBE_SIZE, "white"))


def _message(turn: Turn, image: Callable[[ImageRef], Image]) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    for part in turn.parts:
        if isinstance(part, ImageRef):
            content = io.BytesIO()
            image(part).save(content, "PNG")
            url = "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
            parts.append({"type": "image_url", "image_url": {"url": url}})
        else:
            parts.append({"type": "text", "text": part})
    return {"role": turn.role, "content": parts if turn.role == "user" else str(turn.parts[0])}
