"""Models behind a server that implements OpenAI's chat completions: vLLM, SGLang, `transformers serve`, or a vendor's.

vLLM and SGLang score given text. Models behind servers that do not have no candidate log-likelihoods and are evaluated
open-ended only.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from hashlib import sha256
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

import openai
from PIL.Image import Image

from lcl_lab.concepts import ImageRef
from lcl_lab.control_characters import escape_controls
from lcl_lab.disk_cache import DiskCache
from lcl_lab.errors import UserError
from lcl_lab.models.checkpoint import Checkpoint
from lcl_lab.models.credentials import redact
from lcl_lab.models.interface import NEW_TOKENS, Answer, Loglik
from lcl_lab.models.openai_client import error_reason, open_client
from lcl_lab.models.server_messages import as_messages
from lcl_lab.models.server_reply import CannotScoreError, MalformedReplyError, Reply, parse_reply
from lcl_lab.models.server_scoring import Scorer, find_scorer
from lcl_lab.prompts import Prompt
from lcl_lab.source_code import source_digest

__all__ = ["ServerModel"]

_log = logging.getLogger(__name__)
_RETRIES = 6
_ATTEMPTS = 3  # at a request whose reply is malformed
_LARGEST = 8 << 20  # bytes of a reply
_CACHE_BYTES = 1 << 30


class ServerModel:
    """A `Model` that sends prompts to a server and caches its answers on disk.

    The key of an answer is the whole request, what the server shows of its model (see
    `lcl_lab.models.openai_client.ServedModel`), and the code that reads replies. Only answers with status "ok" are
    cached.

    Args:
        checkpoint: a checkpoint with a `base_url`.
        batch_size: number of concurrent requests.
        fresh: send every request again and replace the cached answers.
        use_cache: whether answers are read from the cache and stored there; False overrides `fresh`.

    Attributes:
        requests: number of requests for answers sent so far.
    """

    device = "server"

    def __init__(self, checkpoint: Checkpoint, batch_size: int, fresh: bool = False, use_cache: bool = True) -> None:
        assert checkpoint.base_url is not None
        self.name, self.fingerprint = checkpoint.name, checkpoint.fingerprint
        self._behaviour = checkpoint.behaviour
        self.batch_size = batch_size
        self.requests = 0
        self._fresh, self._settings = fresh, checkpoint.settings
        self._base_url = checkpoint.base_url
        self._model = str(checkpoint.path)
        self._client = open_client(self._base_url, _RETRIES)
        self._scorer = self._find_scorer()
        self._cache = DiskCache("responses", _CACHE_BYTES) if use_cache else None

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
        messages = as_messages(prompt.turns, image)
        request: dict[str, Any] = {
            "model": self._model,
            "messages": messages,
            "max_tokens": self._answer_limit(prompt),
            "temperature": 0,
        }
        extra = dict(self._settings.extra_body)
        scored = prompt.candidates if self._scorer else None
        code = source_digest("models/server*.py", "models/*_scoring.py")
        content = [self._base_url, self.fingerprint, self._behaviour, request, extra, scored, code]
        key = sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        stored = None if self._cache is None or self._fresh else self._cache.get(key)
        if stored is None:
            reply = self._send(request, extra)
            logliks = self._logliks(prompt, messages) if reply.status != "error" else ()
            if logliks is None:
                reply, logliks = replace(reply, status="error"), ()
            if reply.status == "ok" and self._cache is not None:
                answered = [vars(reply), [vars(loglik) for loglik in logliks]]
                self._cache.set(key, json.dumps(answered).encode())
        else:
            fields, values = json.loads(stored)
            reply, logliks = Reply(**fields), tuple(_stored_loglik(**one) for one in values)
        seconds = time.perf_counter() - started
        return Answer(reply.text, logliks, seconds, reply.status, reply.status == "truncated", reply.thinking)

    def _answer_limit(self, prompt: Prompt) -> int:
        """The maximum number of tokens. By default all candidates fit, since no token is shorter than a byte."""
        longest = max((len(candidate.encode()) for candidate in prompt.candidates), default=0)
        return self._settings.max_new_tokens or max(NEW_TOKENS, longest + 1)

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

    def _find_scorer(self) -> Scorer | None:
        """What scores candidates on the server, if anything; one line says which metrics there are."""
        try:
            scorer = find_scorer(self._client, self._model)
        except CannotScoreError as error:
            _log.warning("%s: metrics: open-ended only; %s", escape_controls(self.name), escape_controls(str(error)))
            return None
        _log.warning("%s: metrics: open-ended and candidate", escape_controls(self.name))
        return scorer

    def _logliks(self, prompt: Prompt, messages: list[dict[str, Any]]) -> tuple[Loglik, ...] | None:
        """The candidates' log-likelihoods, if the server scores any; None if its replies stay malformed."""
        if self._scorer is None or not prompt.candidates:
            return ()
        for _ in range(_ATTEMPTS):
            try:
                return self._scorer(prompt, messages)
            except MalformedReplyError as error:
                _log.debug("%s: %s", self.name, error)
            except openai.OpenAIError as error:
                raise self._user_error(error) from error
        return None

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


def _stored_loglik(total: float, tokens: int, token_logliks: list[float], token_texts: list[str]) -> Loglik:
    """A log-likelihood from the cache, where its tuples are lists."""
    return Loglik(total, tokens, tuple(token_logliks), tuple(token_texts))
