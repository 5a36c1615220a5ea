"""Models behind a server that implements OpenAI's chat completions: vLLM, SGLang, `transformers serve`, or a vendor's.

Servers do not score given text, so these models have no candidate log-likelihoods and are evaluated open-ended only.
"""

from __future__ import annotations

import base64
import io
import json
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
from lcl_lab.errors import UserError
from lcl_lab.models.checkpoint import Checkpoint
from lcl_lab.models.interface import Answer
from lcl_lab.models.openai_client import error_reason, open_client
from lcl_lab.prompts import Prompt, Turn

__all__ = ["ServerModel"]

_RETRIES = 6
_CACHE_BYTES = 1 << 30


class ServerModel:
    """A `Model` that sends prompts to a server and caches its answers on disk, keyed by the whole request.

    Args:
        checkpoint: a checkpoint with a `base_url`.
        batch_size: number of concurrent requests.
        fresh: send every request again and replace the cached answers.

    Attributes:
        requests: number of requests sent so far.
    """

    device = "server"

    def __init__(self, checkpoint: Checkpoint, batch_size: int, fresh: bool = False) -> None:
        assert checkpoint.base_url is not None
        self.name, self.fingerprint = checkpoint.name, checkpoint.fingerprint
        self.batch_size = batch_size
        self.requests = 0
        self._fresh, self._settings = fresh, checkpoint.settings
        self._base_url = checkpoint.base_url
        self._model = str(checkpoint.path)
        self._client = open_client(self._base_url, _RETRIES)
        self._cache = Cache(str(cache_folder() / "responses"), size_limit=_CACHE_BYTES)

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        """Answer prompts; see `Model.answer`.

        Raises:
            UserError: the server refuses a request, or stays unreachable after all retries.
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
            "max_tokens": self._settings.max_new_tokens,
            "temperature": 0,
            **self._settings.extra_body,
        }
        key = sha256(json.dumps([self._base_url, request], sort_keys=True).encode()).hexdigest()
        text = None if self._fresh else self._cache.get(key)
        if text is None:
            text = self._send(request)
            self._cache.set(key, text)
        return Answer(text, (), time.perf_counter() - started)

    def _send(self, request: dict[str, Any]) -> str:
        self.requests += 1
        try:
            answer = self._client.chat.completions.create(**request)
        except openai.OpenAIError as error:
            reason = f"{self._base_url}: {error_reason(error)}"
            raise UserError(reason, option="model", value=self.name) from error
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
