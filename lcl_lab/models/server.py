"""Models behind a server that implements OpenAI's chat completions: vLLM, SGLang, `transformers serve`, or a vendor's.

Most servers do not score given text; their models have no candidate log-likelihoods and are evaluated open-ended only.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from hashlib import sha256
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

import openai
from diskcache import Cache
from PIL.Image import Image

from lcl_lab.cache_dir import cache_folder
from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError
from lcl_lab.models.checkpoint import Checkpoint
from lcl_lab.models.interface import Answer, Loglik
from lcl_lab.models.openai_client import error_reason, open_client, redact
from lcl_lab.models.server_reply import MalformedReplyError, Reply, parse_reply
from lcl_lab.models.server_scoring import scores_candidates, server_logliks
from lcl_lab.prompts import Prompt, Turn

__all__ = ["ServerModel"]

_log = logging.getLogger(__name__)
_RETRIES = 6
_ATTEMPTS = 3  # at a request whose reply is malformed
_LARGEST = 8 << 20  # bytes of a reply
_CACHE_BYTES = 1 << 30


class ServerModel:
    """A `Model` that sends prompts to a server and caches its answers on disk, keyed by the whole request.

    Only answers with status "ok" are cached.

    Args:
        checkpoint: a checkpoint with a `base_url`.
        batch_size: number of concurrent requests.
        fresh: send every request again and replace the cached answers.

    Attributes:
        requests: number of requests for answers sent so far.
        scores_candidates: whether the server returns log-probabilities of prompts, so that candidates have
            log-likelihoods.
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
        self.scores_candidates = scores_candidates(self._client.with_options(max_retries=2), self._model)
        metrics = "open-ended and candidate" if self.scores_candidates else "open-ended only; it scores no given text"
        _log.warning("%s: metrics: %s", self.name, metrics)
        self._cache = Cache(str(cache_folder() / "responses"), size_limit=_CACHE_BYTES)

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        """Answer prompts; see `Model.answer`.

        Raises:
            UserError: the server refuses a request, or stays unreachable after all retries.
        """
        answers: list[Future[Answer]] = [Future() for _ in prompts]
        waiting: SimpleQueue[int] = SimpleQueue()
        for number in range(len(prompts)):
            waiting.put(number)
        stopped = Event()

        def work() -> None:
            while not stopped.is_set():
                try:
                    number = waiting.get_nowait()
                except Empty:
                    return
                try:
                    answers[number].set_result(self._answer(prompts[number], image))
                except Exception as error:
                    answers[number].set_exception(error)

        # Daemon threads do not delay the end of an interrupted process until their requests are answered.
        for _ in range(min(self.batch_size, len(prompts))):
            Thread(target=work, daemon=True).start()
        try:
            for answer in answers:
                yield answer.result()
        finally:
            stopped.set()

    def _answer(self, prompt: Prompt, image: Callable[[ImageRef], Image]) -> Answer:
        started = time.perf_counter()
        messages = [_message(turn, image) for turn in prompt.turns]
        request: dict[str, Any] = {
            "model": self._model,
            "messages": messages,
            "max_tokens": self._settings.max_new_tokens,
            "temperature": 0,
        }
        extra = dict(self._settings.extra_body)
        content = [self._base_url, self.fingerprint, request, extra, prompt.candidates]
        key = sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        stored = None if self._fresh else self._cache.get(key)
        if stored is None:
            reply, logliks = self._send(request, extra), self._logliks(messages, prompt.candidates)
            if reply.status == "ok":
                self._cache.set(key, (vars(reply), logliks))
        else:
            reply, logliks = Reply(**stored[0]), stored[1]
        seconds = time.perf_counter() - started
        return Answer(reply.text, logliks, seconds, reply.status, reply.status == "truncated", reply.thinking)

    def _send(self, request: dict[str, Any], extra: dict[str, Any]) -> Reply:
        """Send a request until its reply is a chat completion, a few times."""
        for _ in range(_ATTEMPTS):
            self.requests += 1
            try:
                return parse_reply(self._body(request, extra))
            except MalformedReplyError as error:
                _log.debug("%s: %s", self.name, error)
            except openai.OpenAIError as error:
                raise self._user_error(error) from error
        return Reply("error")

    def _logliks(self, messages: list[dict[str, Any]], candidates: Sequence[str]) -> tuple[Loglik, ...]:
        if not self.scores_candidates:
            return ()
        try:
            return server_logliks(self._client, self._model, messages, candidates)
        except openai.OpenAIError as error:
            raise self._user_error(error) from error
        except (LookupError, TypeError, ValueError, AttributeError):  # a malformed reply
            return ()

    def _user_error(self, error: openai.OpenAIError) -> UserError:
        reason = f"{redact(self._base_url)}: {error_reason(error, self._base_url)}"
        return UserError(reason, option="model", value=self.name)

    def _body(self, request: dict[str, Any], extra: dict[str, Any]) -> bytes:
        """The body of a reply; one that is too large, or that breaks off, is malformed."""
        body = b""
        create = self._client.chat.completions.with_streaming_response.create
        with create(**request, extra_body=extra) as response:
            try:
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > _LARGEST:
                        break
            except Exception as error:  # of the client's HTTP library, which depends on the version
                raise MalformedReplyError(f"the reply breaks off: {error}") from error
        if len(body) > _LARGEST:
            raise MalformedReplyError(f"more than {_LARGEST} bytes")
        return body


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
