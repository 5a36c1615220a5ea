"""Against `transformers serve`, a real server, with a model that the test builds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from PIL.Image import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

import lcl_lab as lcl
from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.errors import UserError
from lcl_lab.models import Checkpoint, ModelSettings, find_checkpoint, load_model
from lcl_lab.models.openai_client import check_server
from lcl_lab.models.server import ServerModel
from lcl_lab.models.transformers_model import TransformersModel
from lcl_lab.prompts import Prompt, chat
from tests.models.factories import build
from tests.served import answering, change_text
from tests.servers import free_port, serving

WORLD = load_dataset("world-100")


def prompts() -> list[Prompt]:
    return [chat(draw_episode(WORLD, 0, query, shots)) for query in range(2) for shots in (0, 2)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("llava", tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def url(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path_factory.mktemp("hub")), "OMP_NUM_THREADS": "1"}
    command = [
        str(Path(sys.executable).with_name("transformers")),
        "serve",
        str(folder),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--device",
        "cpu",
    ]
    log = (tmp_path_factory.mktemp("log") / "log").open("w")
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/health", server)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill()
        server.wait()


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None, "the server ended"
        try:
            urlopen(address, timeout=1).read()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(address)


@pytest.fixture
def served(folder: Path, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServerModel:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    model = load_model(find_checkpoint(f"openai:{folder}", base_url=url), 2)
    assert isinstance(model, ServerModel)
    return model


def test_a_server_gives_the_same_answers_as_the_local_model(served: ServerModel, folder: Path) -> None:
    local = TransformersModel(
        "local", AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder), ""
    )
    expected = [answer.text for answer in local.answer(prompts(), WORLD.image)]
    answers = list(served.answer(prompts(), WORLD.image))
    assert [answer.text for answer in answers] == expected
    assert all(answer.logliks == () for answer in answers)


def test_answers_are_cached_by_the_content_of_the_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))

    def other(ref: ImageRef) -> Image:
        image = WORLD.image(ref).copy()
        image.putpixel((0, 0), (1, 2, 3))
        return image

    with answering("a cactus.") as address:
        served = ServerModel(Checkpoint("openai:it", Path("it"), "", f"{address}/v1"), 2)
        first = [answer.text for answer in served.answer(prompts(), WORLD.image)]
        assert served.requests == len(prompts())
        assert [answer.text for answer in served.answer(prompts(), WORLD.image)] == first
        assert served.requests == len(prompts())
        list(served.answer(prompts(), other))
        assert served.requests == 2 * len(prompts())


def test_answers_that_were_cut_off_are_truncated_and_not_cached(served: ServerModel) -> None:
    """The model is random, and never ends an answer."""
    answers = list(served.answer(prompts(), WORLD.image))
    assert {answer.status for answer in answers} == {"truncated"}
    list(served.answer(prompts(), WORLD.image))
    assert served.requests == 2 * len(prompts())


def test_a_server_that_cannot_be_reached_is_an_error() -> None:
    with pytest.raises(UserError, match=r"^base_url http://127.0.0.1:9/v1: cannot reach the server"):
        find_checkpoint("openai:any", base_url="http://127.0.0.1:9/v1")


def test_a_served_model_needs_the_address_of_its_server() -> None:
    with pytest.raises(UserError, match=r"^model openai:any: needs base_url"):
        find_checkpoint("openai:any")


def test_a_refused_request_is_an_error(url: str, folder: Path) -> None:
    with pytest.raises(UserError, match=r"^base_url|^model openai:any"):
        find_checkpoint("openai:any", base_url=url.replace("/v1", "/v0"))


def test_failed_requests_are_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    with answering(" a cactus. ", failures=2) as address:
        model = ServerModel(Checkpoint("openai:it", Path(), "", f"{address}/v1"), 1)
        assert [answer.text for answer in model.answer(prompts()[:1], WORLD.image)] == ["a cactus."]


def test_fresh_answers_replace_cached_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    with answering("before") as address:
        checkpoint = find_checkpoint("openai:it", base_url=f"{address}/v1")

        def texts(fresh: bool) -> list[str]:
            model = load_model(checkpoint, 2, fresh=fresh)
            return [answer.text for answer in model.answer(prompts(), WORLD.image)]

        assert set(texts(fresh=False)) == {"before"}
        change_text(address, "after")
        assert set(texts(fresh=False)) == {"before"}
        assert set(texts(fresh=True)) == {"after"}
        assert set(texts(fresh=False)) == {"after"}


def test_answers_of_other_weights_under_the_same_description_are_not_cached_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    with answering("before") as address:

        def answered() -> tuple[str, set[str]]:
            checkpoint = find_checkpoint("openai:it", base_url=f"{address}/v1")
            model = load_model(checkpoint, 2)
            return checkpoint.fingerprint, {answer.text for answer in model.answer(prompts(), WORLD.image)}

        fingerprint, texts = answered()
        assert texts == {"before"}
        change_text(address, "after")
        assert answered() == (fingerprint, {"after"})  # the run is the same: servers are not deterministic to the bit


@pytest.mark.parametrize(
    "change", [{"system_fingerprint": "fp_2"}, {"text": "b"}, {"created": 2, "id": "chatcmpl-2"}], ids=str
)
def test_the_behaviour_of_a_server_is_its_answer_and_its_own_fingerprint(change: dict[str, Any]) -> None:
    state = {"system_fingerprint": "fp_1", "text": "a", "created": 1, "id": "chatcmpl-1"}

    def reply(_: dict[str, Any]) -> dict[str, Any]:
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": state["text"]}}
        return {"object": "chat.completion", "model": "it", "choices": [choice], **state}

    with serving(reply) as address:
        before = check_server("it", address)
        assert check_server("it", address) == before
        state |= change
        after = check_server("it", address)
    assert after.description == before.description
    assert (after.behaviour != before.behaviour) == ("id" not in change)


def test_without_a_cache_answers_are_neither_read_nor_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    with answering("before") as address:
        checkpoint = find_checkpoint("openai:it", base_url=f"{address}/v1")

        def texts(use_cache: bool) -> set[str]:
            model = load_model(checkpoint, 2, use_cache=use_cache)
            return {answer.text for answer in model.answer(prompts(), WORLD.image)}

        assert texts(use_cache=False) == {"before"}
        assert not (tmp_path / "responses").exists()
        assert texts(use_cache=True) == {"before"}
        change_text(address, "after")
        assert texts(use_cache=False) == {"after"}
        assert texts(use_cache=True) == {"before"}


@pytest.mark.slow
def test_a_study_without_a_cache_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path / "cache"))
    with answering("a cactus") as address:
        options = {"model": "openai:it", "base_url": f"{address}/v1", "queries": 2, "results": tmp_path / "results"}
        lcl.run_study("false_ratio", preset="tiny", no_cache=True, **options)
        assert not (tmp_path / "cache" / "responses").exists()
        lcl.run_study("false_ratio", preset="tiny", fresh=True, **options)
        assert (tmp_path / "cache" / "responses").exists()


def test_a_server_may_write_as_many_tokens_as_the_longest_candidate_has_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    limits: list[int] = []

    def reply(request: dict[str, Any]) -> Any:
        limits.append(request["max_tokens"])
        return {"choices": [{"message": {"content": "it"}, "finish_reason": "stop"}]}

    with serving(reply, {"/v1/models": lambda _: {"data": [{"id": "it"}]}}) as address:
        for settings in (ModelSettings(), ModelSettings(max_new_tokens=5)):
            model = load_model(find_checkpoint("openai:it", base_url=address, settings=settings), 1, use_cache=False)
            for name in ("dax", "\u7ea2\u718a\u732b\u5c71\u5c71\u5c71"):
                prompt = replace(chat(draw_episode(WORLD, 0, 0, 2)), candidates=(name, "wug"))
                limits.clear()
                list(model.answer([prompt], WORLD.image))
                expected = settings.max_new_tokens or max(16, len(name.encode()) + 1)
                assert limits == [expected]


def test_the_identity_of_a_served_model_has_its_generation_settings() -> None:
    checkpoint = Checkpoint("openai:it", Path("it"), "1", "http://127.0.0.1:9/v1")
    settings = {"temperature": 0, "max_new_tokens": None}
    assert checkpoint.identity() == {"name": "openai:it", "fingerprint": "1", "generation": settings}
