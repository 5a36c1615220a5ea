from __future__ import annotations

import logging
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.models import find_checkpoint, load_model
from lcl_lab.prompts import Prompt, chat
from tests.models.factories import build
from tests.models.scoring_server import sglang_server, vllm_server
from tests.served import answering
from tests.servers import serving

WORLD = load_dataset("world-100")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("llava", tmp_path_factory.mktemp("scoring"))


@pytest.fixture(scope="module")
def starting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose tokenizer and chat template both write the token that starts a text."""
    folder = build("llava", tmp_path_factory.mktemp("starting"))
    template = folder / "chat_template.jinja"
    template.write_text("<s>" + template.read_text())
    file = folder / "tokenizer.json"
    words = Tokenizer.from_file(str(file))
    words.post_processor = TemplateProcessing("<s> $A", special_tokens=[("<s>", words.token_to_id("<s>"))])
    words.save(str(file))
    return folder


@pytest.fixture(scope="module")
def thinking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose model thinks before it answers, unless an option of its template turns that off."""
    folder = build("llava", tmp_path_factory.mktemp("thinking"))
    template = folder / "chat_template.jinja"
    opening = "{{ '<think></think>' if add_generation_prompt and not (enable_thinking | default(true)) }}"
    last = "{{ '<think></think>' if message.role == 'assistant' and loop.last }}"
    written = template.read_text().replace("{% for part in", last + "{% for part in")
    template.write_text(written + opening)
    return folder


def prompts() -> list[Prompt]:
    return [chat(draw_episode(WORLD, 0, query, shots)) for query in range(2) for shots in (0, 2)]


def check_scores(folder: Path, url: str) -> None:
    """Log-likelihoods of a server equal those of the checkpoint that it serves."""
    served = load_model(find_checkpoint("openai:it", base_url=url), 2)
    found = list(served.answer(prompts(), WORLD.image))
    expected = list(load_model(str(folder)).answer(prompts(), WORLD.image))
    for one, other in zip(found, expected, strict=True):
        assert len(one.logliks) == 2
        assert [loglik.tokens for loglik in one.logliks] == [loglik.tokens for loglik in other.logliks]
        totals = [[loglik.total for loglik in answer.logliks] for answer in (one, other)]
        assert totals[0] == pytest.approx(totals[1], abs=1e-4)
        for loglik, local in zip(one.logliks, other.logliks, strict=True):
            assert loglik.token_logliks == pytest.approx(local.token_logliks, abs=1e-4)
            assert "".join(loglik.token_texts).split() == "".join(local.token_texts).split()


SERVERS = {"vLLM": vllm_server, "SGLang": sglang_server, "older SGLang": partial(sglang_server, old=True)}


@pytest.mark.parametrize("checkpoint", ["folder", "starting", "thinking"])
@pytest.mark.parametrize("server", SERVERS)
def test_candidates_have_the_log_likelihoods_of_the_local_model(
    server: str,
    checkpoint: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    path = request.getfixturevalue(checkpoint)
    with SERVERS[server](path) as url:
        check_scores(path, url)
    assert "openai:it: metrics: open-ended and candidate" in caplog.text


@pytest.mark.slow
def test_sglang_is_scored_by_a_process_that_has_not_imported_transformers(folder: Path, tmp_path: Path) -> None:
    with sglang_server(folder) as url:
        program = (
            "import sys; from lcl_lab.models import find_checkpoint, load_model\n"
            f"checkpoint = find_checkpoint('openai:it', base_url='{url}')\n"
            "assert 'transformers' not in sys.modules\n"
            "load_model(checkpoint)"
        )
        process = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "LCL_LAB_CACHE": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
    assert "openai:it: metrics: open-ended and candidate" in process.stderr


def test_sglang_with_another_chat_template_is_not_scored(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    with sglang_server(folder, template="You are helpful.") as url:
        load_model(find_checkpoint("openai:it", base_url=url), 2)
    reason = f"it does not write conversations with the chat template of {folder}"
    assert f"openai:it: metrics: open-ended only; {reason}" in caplog.text


def test_an_unreadable_template_of_sglang_is_reported(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    described = {"model_path": "it", "tokenizer_path": str(tmp_path / "elsewhere")}
    completion = {"message": {"role": "assistant", "content": "a cactus"}, "finish_reason": "stop"}
    reply = {"object": "chat.completion", "model": "it", "choices": [completion]}
    with serving(lambda _: reply, {"/get_model_info": lambda _: described}) as address:
        load_model(find_checkpoint("openai:it", base_url=address), 2)
    reason = f"the chat template of {tmp_path / 'elsewhere'} cannot be read here"
    assert f"openai:it: metrics: open-ended only; {reason}" in caplog.text


def test_a_server_that_scores_nothing_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    with answering("a cactus.") as address, caplog.at_level(logging.WARNING):
        served = load_model(find_checkpoint("openai:it", base_url=f"{address}/v1"), 2)
        assert [answer.logliks for answer in served.answer(prompts()[:1], WORLD.image)] == [()]
    assert "openai:it: metrics: open-ended only; it scores no given text" in caplog.text
