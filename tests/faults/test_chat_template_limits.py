"""Chat templates that loop, recurse or write too much, and random ones: a template or one line, within bounds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError
from lcl_lab.models import load_model
from lcl_lab.models.engine import template_trial
from lcl_lab.models.engine.chat_template import ChatTemplate, TemplateError
from lcl_lab.models.engine.template_trial import finishes
from lcl_lab.models.mini.processor import build_processor
from lcl_lab.prompts import Turn
from tests.faults.test_damaged_checkpoints import model  # noqa: F401 - a fixture

pytestmark = [pytest.mark.attack, pytest.mark.timeout(120)]

PROCESSOR = build_processor(64)
LOOPS = {
    "nested ranges": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "long list": "{% for i in range(99999)|list * 1000 %}x{% endfor %}",
    "power": "{{ 10 ** (10 ** 10) }}",
    "power of a power": "{% set ns = namespace(n=7) %}{% for i in range(60) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
    "loop in a generation": "{% generation %}{% for i in range(99999)|list * 9999 %}{% endfor %}{% endgeneration %}",
}
SIZES = {
    "repeated text": "{{ 'x' * 10**9 }}",
    "repeated list": "{{ ([1] * 10**9)|length }}",
    "ljust": "{{ 'x'.ljust(10**9) }}",
    "center": "{{ 'x'|center(10**9) }}",
    "format": "{{ '{:1000000000}'.format(1) }}",
    "percent": "{{ '%2000000000d' % 1 }}",
    "much text": "{% for i in range(99999) %}{{ 'x' * 100000 }}{% endfor %}",
    "doubled": "{% set n = namespace(s='xx') %}{% for i in range(40) %}{% set n.s = n.s + n.s %}{% endfor %}{{ n.s }}",
    "slightly too much": "{{ 'x' * 1000001 }}",
}
FAILURES = {
    "range": "{% for i in range(10**12) %}x{% endfor %}",
    "macro": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "recursive loop": "{% for m in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "growing list": "{% for i in messages %}{% set _ = messages.append(i) %}{% endfor %}",
    "nested": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "deep blocks": "{% if 1 %}" * 5000 + "{% endif %}" * 5000,
    "huge number": "{{ " + "9" * 10_000 + " }}",
    "include": "{% include 'x' %}",
    "system exit": "{{ ''.__class__.__base__.__subclasses__() }}",
}


def refused(source: str) -> str:
    PROCESSOR.chat_template = source
    with pytest.raises(TemplateError) as caught:
        ChatTemplate(PROCESSOR)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert len(line) < 400
    return line


def some_slow(attacks: Mapping[str, str], fast: Sequence[str]) -> list[Any]:
    return [attack if attack in fast else pytest.param(attack, marks=pytest.mark.slow) for attack in attacks]


@pytest.mark.parametrize("attack", some_slow(LOOPS, ["loop in a generation"]))
def test_a_template_that_does_not_end_is_stopped(attack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_trial, "_SECONDS", 1)
    assert "does not finish within" in refused(LOOPS[attack])


@pytest.mark.parametrize("attack", some_slow(SIZES, ["repeated list", "much text", "slightly too much"]))
def test_a_template_that_takes_too_much_memory_is_stopped(attack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_trial, "_SECONDS", 1)
    assert "does not finish within" in refused(SIZES[attack])


@pytest.mark.parametrize("attack", FAILURES)
def test_a_template_that_fails_is_one_line(attack: str) -> None:
    refused(FAILURES[attack])


def test_a_looping_template_of_a_checkpoint_is_one_line(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(template_trial, "_SECONDS", 1)
    (model / "chat_template.jinja").write_text(LOOPS["nested ranges"])
    started = time.monotonic()
    with pytest.raises(UserError, match=r"its chat template does not finish within") as caught:
        load_model(str(model))
    assert len(str(caught.value).splitlines()) == 1
    assert time.monotonic() - started < 60


def test_a_template_finishes_although_it_raises_or_marks_generations() -> None:
    for source in (
        "{{ raise_exception('no') }}",
        "{% generation %}x{% endgeneration %}",
        "{{ strftime_now('%Y') }}",
        "{%",
    ):
        assert finishes(source, [{"messages": []}])


PIECES = st.sampled_from(
    [
        *(
            "{{ message.role }}",
            "{{ message.content }}",
            "{{ message['content'][0].text }}",
            "{{ bos_token }}",
            "\n",
            " ",
        ),
        *("{% for part in message.content %}", "{% endfor %}", "{% for message in messages %}", "{{ part.text }}"),
        *(
            "{{ '<image>' }}",
            "<image>",
            "{% if add_generation_prompt %}",
            "{% else %}",
            "{% endif %}",
            "{{ '<|end|>' }}",
        ),
        *("{% if part.type == 'image' %}", "{{ loop.index }}", "{{ messages[-1] }}", "{{ part | tojson }}", "<think>"),
        *("</think>", "{{ eos_token + 1 }}", "{% set x = 1 %}", "{{ x.y.z }}", "{{- '' -}}", "{# note #}", "\0", "é"),
        *(
            "{{ message.content | trim }}",
            "{{ raise_exception('no') }}",
            "cactihog",
            "{{ enable_thinking }}",
            "assistant:",
        ),
    ]
)


@settings(derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PIECES, max_size=14).map("".join))
def test_any_template_writes_conversations_or_is_refused_in_one_line(source: str) -> None:
    PROCESSOR.chat_template = source
    turns = [
        Turn("user", (ImageRef("a", "b", 0),)),
        Turn("assistant", ("wug",)),
        Turn("user", (ImageRef("a", "b", 1), "?")),
    ]
    try:
        with patch("lcl_lab.models.engine.chat_template.finishes", return_value=True):  # no piece repeats without end
            template = ChatTemplate(PROCESSOR, ("<|end|>",))
            text, form = template.question(turns), template.answer_format(turns)
    except TemplateError as error:
        assert len(str(error).splitlines()) == 1
        return
    assert template.image
    assert isinstance(text, str)
    assert form.after
