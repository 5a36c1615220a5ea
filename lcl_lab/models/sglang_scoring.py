"""Candidate log-likelihoods from SGLang, whose `/generate` returns the log-probabilities of a text with images.

SGLang's chat completions score no prompts (they ask for log-probabilities from the end of the prompt on), and its
completions take no images. Conversations are therefore rendered here, with the chat template of the tokenizer that the
server names, after a check that the server renders them in the same way. The reply lists ``[log-probability, id,
text]`` for every token from `logprob_start_len` on, counted after images are expanded, and the first entry has no
log-probability. See ``entrypoints/http_server.py``, ``managers/io_struct.py`` and
``managers/scheduler_components/logprob_result_processor.py`` of SGLang 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import openai

from lcl_lab.models import engine
from lcl_lab.models.interface import Loglik
from lcl_lab.models.server_messages import image_urls, probe
from lcl_lab.models.server_reply import CannotScoreError, MalformedReplyError, as_loglik, reading_reply
from lcl_lab.prompts import Prompt

__all__ = ["SGLangScorer"]

_DESCRIPTIONS = ("model_info", "get_model_info")  # the second one in older versions


class SGLangScorer:
    """Scores candidates by the `input_token_logprobs` of SGLang's `/generate`.

    Args:
        client: a client for the server.
        model: the model's name on the server.

    Raises:
        openai.OpenAIError, MalformedReplyError: the server is not SGLang's.
        CannotScoreError: the tokenizer that it names cannot be read here.
    """

    def __init__(self, client: openai.OpenAI, model: str) -> None:
        self._client, self._model = client, model
        self._root = str(client.base_url).rstrip("/").removesuffix("/v1")
        self._path = self._tokenizer_path()
        try:
            self._encoder = engine.load_prompt_encoder(self._path)
        except Exception as error:  # a tokenizer and its template may raise anything
            reason = " ".join(str(error).split())[:200]
            raise CannotScoreError(f"the chat template of {self._path} cannot be read here: {reason}") from error

    def check(self) -> None:
        """Check that the server writes conversations as the template of its tokenizer does; see `Scorer`."""
        prompt, messages = probe()
        images, template, question = image_urls(messages), self._encoder.template, self._question(prompt)
        tokens = self._scored(question, images, 0)
        # The server's chat leaves thinking open.
        count, ids = self._prompt(question.removesuffix(template.answer_format(prompt.turns).closing), images)
        served_count, served_ids = self._served_prompt(messages)
        # Where a template writes the token that starts a text, older versions let the tokenizer write it once more.
        added = served_count - count
        is_same = not (ids and served_ids) or served_ids[added:] == ids
        if not self._surround_image(tokens) or added not in (0, int(self._encoder.start != "")) or not is_same:
            raise CannotScoreError(f"it does not write conversations with the chat template of {self._path}")
        self(prompt, messages)

    def __call__(self, prompt: Prompt, messages: Sequence[Mapping[str, Any]]) -> tuple[Loglik, ...]:
        """The log-likelihood of each candidate; see `Scorer`."""
        images = image_urls(messages)
        question, surroundings = self._question(prompt), self._encoder.template.answer_format(prompt.turns)
        start, _ = self._prompt(question, images)
        logliks = []
        for candidate, ids in zip(prompt.candidates, self._encoder(prompt).candidates, strict=True):
            text = f"{question}{surroundings.before}{candidate}{surroundings.after}"
            logliks.append(self._loglik(text, images, start, ids))
        return tuple(logliks)

    def _loglik(self, text: str, images: Sequence[str], start: int, ids: Sequence[int]) -> Loglik:
        """The log-likelihood of the tokens `ids`, with which a text ends after its first `start` tokens."""
        # From the last token of the question on, so that the server reuses what it has computed of the question.
        _, *answer = self._scored(text, images, start - 1)
        tokens = [token for _, token in answer]
        if not self._are(tokens, ids):
            raise MalformedReplyError(f"the log-probabilities are those of the tokens {tokens[:20]} instead of {ids}")
        return as_loglik([logprob for logprob, _ in answer], self._encoder.token_texts(ids))

    def _scored(self, text: str, images: Sequence[str], start: int) -> list[tuple[Any, Any]]:
        """The log-probability and id of every token of a text from the `start`-th on; the first has no probability."""
        reply = self._generate(text, images, return_logprob=True, logprob_start_len=start)
        with reading_reply():
            tokens = [(entry[0], entry[1]) for entry in reply["meta_info"]["input_token_logprobs"]]
            count = reply["meta_info"]["prompt_tokens"]
        if not tokens or len(tokens) != count - start:
            raise MalformedReplyError(f"{len(tokens)} log-probabilities for {count} tokens from {start} on")
        return tokens

    def _are(self, tokens: Sequence[Any], ids: Sequence[int]) -> bool:
        """Whether a reply names these tokens; the server writes 0 for the last one of the vocabulary."""
        named = [0 if token == self._encoder.tokens - 1 else token for token in ids]
        return list(tokens) in (list(ids), named)

    def _surround_image(self, tokens: Sequence[tuple[Any, Any]]) -> bool:
        """Whether the tokens of the probe before and after its image are those of the template."""
        encoded, placeholder = self._encoder(probe()[0]).prefix, self._encoder.placeholder
        place = encoded.index(placeholder)
        before, after = encoded[:place], encoded[place + 1 :]
        ids = [token for _, token in tokens]
        return self._are(ids[: len(before)], before) and self._are(ids[len(ids) - len(after) :], after)

    def _question(self, prompt: Prompt) -> str:
        """A prompt without the token that starts a text, which the server's tokenizer writes."""
        return self._encoder.render(prompt).removeprefix(self._encoder.start)

    def _prompt(self, text: str, images: Sequence[str]) -> tuple[int, list[int]]:
        """The number of tokens of a text, and their ids where the server returns them."""
        reply = self._generate(text, images, return_prompt_token_ids=True)
        with reading_reply():
            return int(reply["meta_info"]["prompt_tokens"]), list(reply.get("prompt_token_ids") or ())

    def _served_prompt(self, messages: Sequence[Mapping[str, Any]]) -> tuple[int, list[int]]:
        """The number of tokens of a conversation that the server writes, and their ids where it returns them."""
        with reading_reply():
            reply = self._client.chat.completions.create(
                model=self._model,
                messages=list(messages),  # type: ignore[arg-type]
                max_tokens=1,
                temperature=0,
                extra_body={"return_prompt_token_ids": True, "chat_template_kwargs": self._encoder.template.switches},
            ).model_dump()
            return int(reply["usage"]["prompt_tokens"]), list(reply["choices"][0].get("prompt_token_ids") or ())

    def _tokenizer_path(self) -> str:
        asking = self._client.with_options(max_retries=0)  # most servers refuse it
        for name in _DESCRIPTIONS:
            with reading_reply():
                try:
                    described: Any = asking.get(f"{self._root}/{name}", cast_to=object)
                except openai.APIStatusError:
                    continue
                return str(described["tokenizer_path"])
        raise MalformedReplyError("not a server of SGLang")

    def _generate(self, text: str, images: Sequence[str], **options: Any) -> dict[str, Any]:
        """The reply to a text; one token is generated, since older versions need it."""
        request = {"text": text, "sampling_params": {"temperature": 0, "max_new_tokens": 1}, **options}
        if images:
            request["image_data"] = list(images)
        with reading_reply():
            reply: Any = self._client.post(f"{self._root}/generate", cast_to=object, body=request)
            return dict(reply)
