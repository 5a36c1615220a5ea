"""Replies with log-probabilities are right, asked for again, left out as errors, or one line; never a wrong number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.errors import UserError
from lcl_lab.models import Answer, Checkpoint, ModelSettings
from lcl_lab.models.server import ServerModel
from lcl_lab.prompts import Prompt, chat
from tests.models.factories import build
from tests.models.scoring_server import sglang_server, vllm_server
from tests.servers import RefusedError

WORLD = load_dataset("world-100")
PROMPT, OTHER = (chat(draw_episode(WORLD, 0, query, 0)) for query in range(2))

# What a server sends instead of the log-probabilities of a prompt, changed from the right ones.
Scores = list[Any]


def with_last(value: Any) -> Callable[[Scores], Scores]:
    return lambda scores: [*scores[:-1], value]


GENERATED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no log-probabilities": lambda reply: {"text": "", "meta_info": {"prompt_tokens": 9}},
    "aborted": lambda reply: {"text": "", "meta_info": {"finish_reason": {"type": "abort"}}},
    "no meta_info": lambda reply: {"text": ""},
    "a list": lambda reply: [reply],
    "null": lambda reply: None,
    "HTML": lambda reply: b"<html></html>",
    "one token more in the prompt": lambda reply: changed(reply, "prompt_tokens", lambda count: count + 1),
    "log-probabilities null": lambda reply: scored(reply, lambda scores: None),
    "log-probabilities empty": lambda reply: scored(reply, lambda scores: []),
    "one too few": lambda reply: scored(reply, lambda scores: scores[:-1]),
    "one too many": lambda reply: scored(reply, lambda scores: [*scores, scores[-1]]),
    "without the first": lambda reply: scored(reply, lambda scores: scores[1:]),
    "all shifted": lambda reply: scored(reply, lambda scores: [*scores[1:], scores[-1]]),
    "one null": lambda reply: scored(reply, lambda scores: with_last([None, *scores[-1][1:]])(scores)),
    "one NaN": lambda reply: scored(reply, lambda scores: with_last([float("nan"), *scores[-1][1:]])(scores)),
    "one infinite": lambda reply: scored(reply, lambda scores: with_last([-float("inf"), *scores[-1][1:]])(scores)),
    "one positive": lambda reply: scored(reply, lambda scores: with_last([0.5, *scores[-1][1:]])(scores)),
    "one a text": lambda reply: scored(reply, lambda scores: with_last(["-1.5", *scores[-1][1:]])(scores)),
    "one true": lambda reply: scored(reply, lambda scores: with_last([True, *scores[-1][1:]])(scores)),
    "another token": lambda reply: scored(reply, lambda scores: with_last([-1.5, 7, None])(scores)),
    "a token without id": lambda reply: scored(reply, lambda scores: with_last([-1.5])(scores)),
    "an entry a number": lambda reply: scored(reply, with_last(-1.5)),
}  # fmt: skip
COMPLETED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no log-probabilities": lambda reply: {key: value for key, value in reply.items() if key != "prompt_logprobs"},
    "no ids": lambda reply: {key: value for key, value in reply.items() if key != "prompt_token_ids"},
    "a list": lambda reply: [reply],
    "null": lambda reply: None,
    "HTML": lambda reply: b"<html></html>",
    "log-probabilities null": lambda reply: reply | {"prompt_logprobs": None},
    "one too few": lambda reply: reply | {"prompt_logprobs": reply["prompt_logprobs"][:-1]},
    "one too many": lambda reply: reply | {"prompt_logprobs": [*reply["prompt_logprobs"], {}]},
    "all shifted": lambda reply: reply | {"prompt_logprobs": [*reply["prompt_logprobs"][1:], {}]},
    "no tokens": lambda reply: reply | {"prompt_logprobs": [], "prompt_token_ids": []},
    "only the prompt": lambda reply: reply | {key: reply[key][:9] for key in ("prompt_logprobs", "prompt_token_ids")},
    "one null": lambda reply: reply | {"prompt_logprobs": with_last(None)(reply["prompt_logprobs"])},
    "log-probability null": lambda reply: chosen(reply, logprob=None),
    "log-probability NaN": lambda reply: chosen(reply, logprob=float("nan")),
    "log-probability infinite": lambda reply: chosen(reply, logprob=-float("inf")),
    "log-probability positive": lambda reply: chosen(reply, logprob=0.5),
    "log-probability a text": lambda reply: chosen(reply, logprob="-1.5"),
    "texts null": lambda reply: chosen(reply, decoded_token=None),
    "other texts": lambda reply: chosen(reply, decoded_token="x"),
    "other ids": lambda reply: reply | {"prompt_token_ids": [1 + token for token in reply["prompt_token_ids"]]},
}  # fmt: skip


def changed(reply: dict[str, Any], key: str, change: Callable[[Any], Any]) -> dict[str, Any]:
    """A reply of `/generate` with another value in its `meta_info`."""
    return reply | {"meta_info": reply["meta_info"] | {key: change(reply["meta_info"][key])}}


def scored(reply: dict[str, Any], change: Callable[[Scores], Any]) -> dict[str, Any]:
    return changed(reply, "input_token_logprobs", change)


def chosen(reply: dict[str, Any], **values: Any) -> dict[str, Any]:
    """A reply of vLLM with other values for every token."""
    first, *others = reply["prompt_logprobs"]
    return reply | {"prompt_logprobs": [first, *({key: one | values for key, one in o.items()} for o in others)]}


class Scoring:
    """A model on a server whose replies with log-probabilities can be changed.

    Attributes:
        change: changes such a reply.
        times: number of replies that it changes.
        checkpoint: the model on the server.
        model: the model, which caches nothing.
    """

    def __init__(self, serve: Any, folder: Path) -> None:
        self.change: Callable[[dict[str, Any]], Any] = lambda reply: reply
        self.times = 0
        self._context = serve(folder, change=self._reply)
        settings = ModelSettings(max_new_tokens=2)
        self.checkpoint = Checkpoint("openai:it", Path("it"), "", self._context.__enter__(), settings=settings)
        self.model = ServerModel(self.checkpoint, 1, fresh=True)
        assert self.model._scorer is not None

    def close(self) -> None:
        self._context.__exit__(None, None, None)

    def _reply(self, reply: dict[str, Any]) -> Any:
        if reply.get("choices"):
            reply["choices"][0]["finish_reason"] = "stop"
        is_scored = "prompt_logprobs" in reply or "input_token_logprobs" in reply.get("meta_info", {})
        if not is_scored or self.times == 0:
            return reply
        self.times -= 1
        return self.change(reply)


def answer(model: ServerModel, prompt: Prompt = PROMPT) -> Answer:
    (scored,) = model.answer([prompt], WORLD.image)
    return scored


@pytest.fixture(scope="module")
def scoring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scoring]]:
    """Models on servers that score as vLLM and SGLang do."""
    folder = build("llava", tmp_path_factory.mktemp("scoring"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LCL_LAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("lcl_lab.models.server._RETRIES", 0)
        patch.setattr("lcl_lab.models.server._ATTEMPTS", 2)
        servers = {"vLLM": Scoring(vllm_server, folder), "SGLang": Scoring(sglang_server, folder)}
        yield servers
        for server in servers.values():
            server.close()


MALFORMED = [("vLLM", kind) for kind in COMPLETED] + [("SGLang", kind) for kind in GENERATED]


@pytest.mark.parametrize(("server", "kind"), MALFORMED)
def test_malformed_log_probabilities_are_an_error_and_not_a_number(
    server: str, kind: str, scoring: dict[str, Scoring]
) -> None:
    served = scoring[server]
    served.change, served.times = {"vLLM": COMPLETED, "SGLang": GENERATED}[server][kind], 1000
    scored = answer(served.model)
    assert (scored.status, scored.logliks) == ("error", ())


@pytest.mark.parametrize("server", ["vLLM", "SGLang"])
def test_log_probabilities_are_requested_again_after_a_malformed_reply(
    server: str, scoring: dict[str, Scoring]
) -> None:
    served = scoring[server]
    served.change, served.times = lambda reply: {}, 1
    scored = answer(served.model)
    assert (scored.status, len(scored.logliks), served.times) == ("ok", 2, 0)
    assert all(loglik.total < 0 for loglik in scored.logliks)


def test_answers_without_their_log_probabilities_are_not_cached(scoring: dict[str, Scoring]) -> None:
    served = scoring["SGLang"]
    model = ServerModel(served.checkpoint, 1)
    served.change = lambda reply: {}
    statuses = []
    for served.times in (1000, 0, 1000):
        scored = answer(model, OTHER)
        statuses.append((scored.status, len(scored.logliks)))
    assert statuses == [("error", 0), ("ok", 2), ("ok", 2)]
    assert model.requests == 2


@pytest.mark.parametrize("code", [400, 500])
@pytest.mark.parametrize("server", ["vLLM", "SGLang"])
def test_a_refused_request_for_log_probabilities_is_one_line(
    server: str, code: int, scoring: dict[str, Scoring]
) -> None:
    def refuse(reply: dict[str, Any]) -> Any:
        raise RefusedError(code)

    served = scoring[server]
    served.change, served.times = refuse, 1000
    with pytest.raises(UserError, match=str(code)) as caught:
        answer(served.model)
    assert "\n" not in str(caught.value)
