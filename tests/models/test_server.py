"""Against `transformers serve`, a real server of OpenAI's protocol, with a model that the test builds."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from PIL.Image import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.errors import UserError
from lcl_lab.models import Checkpoint, find_checkpoint, load_model
from lcl_lab.models.server import ServerModel
from lcl_lab.models.transformers_model import HFModel
from lcl_lab.prompts import Prompt, chat
from tests.models.factories import build
from tests.served import answering

WORLD = load_dataset("world-100")


def prompts() -> list[Prompt]:
    return [chat(draw_episode(WORLD, 0, query, shots)) for query in range(2) for shots in (0, 2)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("llava", tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def url(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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


def test_a_server_says_what_the_model_says_here(served: ServerModel, folder: Path) -> None:
    here = HFModel(
        "here", AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder), ""
    )
    expected = [answer.text for answer in here.answer(prompts(), WORLD.image)]
    answers = list(served.answer(prompts(), WORLD.image))
    assert [answer.text for answer in answers] == expected
    assert all(answer.logliks == () for answer in answers)


def test_an_answer_is_asked_for_once_but_again_when_a_pixel_differs(served: ServerModel) -> None:
    first = [answer.text for answer in served.answer(prompts(), WORLD.image)]
    assert served.asked == len(prompts())
    assert [answer.text for answer in served.answer(prompts(), WORLD.image)] == first
    assert served.asked == len(prompts())

    def other(ref: ImageRef) -> Image:
        image = WORLD.image(ref).copy()
        image.putpixel((0, 0), (1, 2, 3))
        return image

    list(served.answer(prompts(), other))
    assert served.asked == 2 * len(prompts())


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(UserError, match=r"--base-url http://127.0.0.1:9/v1: no server there"):
        find_checkpoint("openai:any", base_url="http://127.0.0.1:9/v1")


def test_a_server_must_be_named() -> None:
    with pytest.raises(UserError, match="give its server as --base-url"):
        find_checkpoint("openai:any")


def test_what_a_server_refuses_is_one_line(url: str, folder: Path) -> None:
    with pytest.raises(UserError, match=r"--base-url|--model openai"):
        find_checkpoint("openai:any", base_url=url.replace("/v1", "/v0"))


def test_a_server_that_fails_for_a_while_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    with answering(" a cactus. ", failures=2) as address:
        model = ServerModel(Checkpoint("openai:it", Path(), "", f"{address}/v1"), 1)
        assert [answer.text for answer in model.answer(prompts()[:1], WORLD.image)] == ["a cactus."]
