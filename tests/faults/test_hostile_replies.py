"""Bytes that a server may send in place of a chat completion: an answer with a status, or a malformed reply."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from lcl_lab.concepts import ImageRef
from lcl_lab.models import find_checkpoint, load_model
from lcl_lab.models.interface import Status
from lcl_lab.models.server_reply import MalformedReplyError, as_loglik, parse_reply
from lcl_lab.prompts import Prompt, Turn
from tests.servers import serving

pytestmark = pytest.mark.attack
BOUNDED = settings(derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])

TEXTS = st.one_of(
    st.text(max_size=20), st.sampled_from(["</think>", "<think>", "wug", "\ud800", "a\0b", " ", "<think>a</think>"])
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)
PARTS = st.lists(st.fixed_dictionaries({"type": VALUES}, optional={"text": st.one_of(TEXTS, VALUES)}), max_size=3)
MESSAGES = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {},
        optional={
            "content": st.one_of(TEXTS, PARTS, VALUES),
            "reasoning_content": st.one_of(TEXTS, VALUES),
            "reasoning": VALUES,
            "refusal": st.one_of(st.none(), TEXTS, VALUES),
        },
    ),
)
REASONS = st.one_of(st.sampled_from(["stop", "length", "content_filter"]), VALUES)
CHOICES = st.one_of(VALUES, st.fixed_dictionaries({}, optional={"message": MESSAGES, "finish_reason": REASONS}))
REPLIES = st.one_of(
    VALUES,
    st.fixed_dictionaries({}, optional={"choices": st.one_of(VALUES, st.lists(CHOICES, max_size=2)), "usage": VALUES}),
)


def check(body: bytes) -> None:
    try:
        reply = parse_reply(body)
    except MalformedReplyError as error:
        assert str(error)
        return
    assert reply.status in get_args(Status)
    for text in (reply.text, reply.thinking):
        assert text.encode("utf-8").decode("utf-8") == text
        assert "\0" not in text
    assert reply.status != "ok" or reply.text


@BOUNDED
@given(REPLIES)
@example({"choices": [{"message": {"content": "wug"}, "finish_reason": "stop"}]})
def test_any_json_is_an_answer_or_malformed(reply: Any) -> None:
    check(json.dumps(reply).encode())


@BOUNDED
@given(st.binary(max_size=200))
@example(b"[" * 100_000)
@example(b'{"choices": ' * 50_000)
@example(b'{"choices": [{"message": {"content": ' + b"9" * 5000 + b"}}]}")
@example('{"choices": []}'.encode("utf-16"))
@example(b"\xff\xfe")
def test_any_bytes_are_an_answer_or_malformed(body: bytes) -> None:
    check(body)


@BOUNDED
@given(st.lists(VALUES, max_size=4))
@example([10**400])
@example([-(10**400)])
@example([-1e308, -1e308])
def test_any_log_probabilities_are_a_finite_number_or_malformed(values: list[Any]) -> None:
    try:
        loglik = as_loglik(values, ["a"] * len(values))
    except MalformedReplyError:
        return
    assert loglik.tokens == len(values)
    assert -1e308 * len(values) <= loglik.total <= 1


BODIES: dict[str, Any] = {
    "nothing": b"",
    "text": b"hello",
    "page": b"<html></html>",
    "list": [],
    "no choices": {"choices": []},
    "null choice": {"choices": [None]},
    "message list": {"choices": [{"message": []}]},
    "content number": {"choices": [{"message": {"content": 5}}]},
    "nested": b'{"choices":' * 50_000,
    "binary": bytes(range(256)),
    "large": b" " * (9 << 20),
}


@pytest.mark.parametrize("attack", BODIES)
def test_a_model_answers_with_an_error_status(attack: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    valid = {"id": "1", "object": "chat.completion", "created": 1, "model": "it", "choices": []}
    bodies: list[Any] = [valid]
    with serving(lambda _: bodies[0]) as address:
        model = load_model(find_checkpoint("openai:it", base_url=address), 1)
        bodies[0] = BODIES[attack]
        prompt = Prompt((Turn("user", (ImageRef("a", "b", 0), "What?")),), ("wug", "dax"))
        (answer,) = model.answer([prompt], lambda _: Image.new("RGB", (8, 8)))
    assert (answer.status, answer.text, answer.logliks) == ("error", "", ())
