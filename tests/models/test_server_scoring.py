from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.models import find_checkpoint, load_model
from lcl_lab.prompts import Prompt, chat
from tests.models.factories import build
from tests.models.scoring_server import scoring_server
from tests.served import answering

WORLD = load_dataset("world-100")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("llava", tmp_path_factory.mktemp("scoring"))


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with scoring_server(folder) as address:
        yield address


def prompts() -> list[Prompt]:
    return [chat(draw_episode(WORLD, 0, query, shots)) for query in range(2) for shots in (0, 2)]


def test_candidates_have_the_log_likelihoods_of_the_local_model(
    folder: Path, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    served = load_model(find_checkpoint("openai:it", base_url=url), 2)
    assert "openai:it: metrics: open-ended and candidate" in caplog.text
    found = list(served.answer(prompts(), WORLD.image))
    expected = list(load_model(str(folder)).answer(prompts(), WORLD.image))
    for one, other in zip(found, expected, strict=True):
        assert [loglik.tokens for loglik in one.logliks] == [loglik.tokens for loglik in other.logliks]
        assert [loglik.total for loglik in one.logliks] == pytest.approx(
            [loglik.total for loglik in other.logliks], abs=1e-4
        )
        assert one.text == other.text


def test_a_server_that_scores_nothing_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    with answering("a cactus.") as address, caplog.at_level(logging.WARNING):
        served = load_model(find_checkpoint("openai:it", base_url=f"{address}/v1"), 2)
        assert [answer.logliks for answer in served.answer(prompts()[:1], WORLD.image)] == [()]
    assert "openai:it: metrics: open-ended only" in caplog.text
