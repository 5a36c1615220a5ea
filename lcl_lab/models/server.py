"""Models behind a server that speaks OpenAI's protocol: vLLM, SGLang, `transformers serve` or a vendor's.

Servers tell no likelihood of a text that they did not say, so such a model is judged open-ended alone.
"""

from __future__ import annotations

import base64
import io
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import openai
from diskcache import Cache
from PIL.Image import Image

from lcl_lab.cache_dir import cache_folder
from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError, nearest
from lcl_lab.models.checkpoint import Checkpoint
from lcl_lab.models.interface import NEW_TOKENS, Answer
from lcl_lab.prompts import Prompt, Turn

__all__ = ["ServerModel", "check_server"]

_RETRIES = 6  # of a request that failed for a while: the waits double, half a second first
_SECONDS = 600.0  # for one answer
_CACHE_BYTES = 1 << 30


def check_server(name: str, base_url: str) -> None:
    """Whether the server is there and answers with that model: one word is asked for.

    Raises:
        UserError: it is not, or does not.
    """
    client = openai.OpenAI(base_url=base_url, api_key=_key(), max_retries=0, timeout=_SECONDS)
    try:
        client.chat.completions.create(model=name, messages=[{"role": "user", "content": "?"}], max_tokens=1)
    except openai.APIConnectionError as error:
        raise UserError(f"--base-url {base_url}: no server there: {_reason(error)}") from error
    except openai.OpenAIError as error:
        raise UserError(f"--model openai:{name}: {base_url}: {_reason(error)}{_hint(client, name)}") from error


def _hint(client: openai.OpenAI, name: str) -> str:
    """The nearest model that the server tells of, where it tells."""
    try:
        known = [model.id for model in client.models.list()]
    except openai.OpenAIError:
        return ""
    return f"; {nearest(name, known)}" if known and name not in known else ""


class ServerModel:
    """A `Model` that sends `batch_size` prompts at a time to a server. Answers are kept on disk by all of a request."""

    device = "server"

    def __init__(self, checkpoint: Checkpoint, batch_size: int) -> None:
        assert checkpoint.base_url is not None
        self.name, self.fingerprint = checkpoint.name, checkpoint.fingerprint
        self.batch_size = batch_size
        self._base_url = checkpoint.base_url
        self._model = str(checkpoint.path)
        self._client = openai.OpenAI(base_url=self._base_url, api_key=_key(), max_retries=_RETRIES, timeout=_SECONDS)
        self._kept = Cache(str(cache_folder() / "responses"), size_limit=_CACHE_BYTES)
        self.asked = 0  # requests that went to the server

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        """One answer a prompt, in order, as they come.

        Raises:
            UserError: the server refuses a request, or cannot be reached for minutes.
        """
        pool = ThreadPoolExecutor(self.batch_size)
        try:
            yield from pool.map(lambda prompt: self._answer(prompt, image), prompts)
        finally:
            pool.shutdown(cancel_futures=True)

    def _answer(self, prompt: Prompt, image: Callable[[ImageRef], Image]) -> Answer:
        started = time.perf_counter()
        request = {
            "model": self._model,
            "messages": [_message(turn, image) for turn in prompt.turns],
            "max_tokens": NEW_TOKENS,
            "temperature": 0,
        }
        key = sha256(json.dumps([self._base_url, request], sort_keys=True).encode()).hexdigest()
        text = self._kept.get(key)
        if text is None:
            text = self._ask(request)
            self._kept.set(key, text)
        return Answer(text, (), time.perf_counter() - started)

    def _ask(self, request: dict[str, Any]) -> str:
        self.asked += 1
        try:
            answer = self._client.chat.completions.create(**request)
        except openai.OpenAIError as error:
            raise UserError(f"--model {self.name}: {self._base_url}: {_reason(error)}") from error
        return (answer.choices[0].message.content or "").strip()


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


def _key() -> str:
    return os.environ.get("OPENAI_API_KEY", "none")


def _reason(error: Exception) -> str:
    cause = error.__cause__ or error
    return " ".join(str(cause).split()) or type(cause).__name__
