"""Converted releases answer episodes with the prompts of the release; shared prefixes change no log-likelihood."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode, falsify
from lcl_lab.errors import UserError
from lcl_lab.models import TransformersModel, check_requirements, find_checkpoint, load_transformers_model
from lcl_lab.models.convert import ConvertConfig, convert_release
from lcl_lab.models.engine.cross_attention_engine import CrossAttentionEngine
from lcl_lab.models.engine.prompt_encoder import PromptEncoder
from lcl_lab.models.engine.reference_engine import ReferenceEngine
from lcl_lab.models.interface import NEW_TOKENS
from lcl_lab.prompts import Prompt, Turn, chat
from tests.models.flamingo.factories import write_openflamingo, write_otter

WORLD = load_dataset("world-100")
END = "<|endofchunk|>"


@pytest.fixture(scope="module", params=["openflamingo-llama", "openflamingo-gpt_neox", "openflamingo-opt", "otter-mpt"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    kind, family = request.param.split("-")
    release = (write_openflamingo if kind == "openflamingo" else write_otter)(folder, family)
    return convert_release(
        ConvertConfig(
            source=release.source,
            target=folder / kind,
            language_model=str(release.language_model),
            vision_tower=str(release.tower),
        )
    )


@pytest.fixture(scope="module")
def loaded(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TransformersModel:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LCL_LAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        return load_transformers_model(find_checkpoint(str(folder)), 4, "float32")


def prompts() -> list[Prompt]:
    """Prompts that share prefixes or images, with 0, 1, 3 and 5 images, and two images in a row."""
    one, two, three = (draw_episode(WORLD, 0, query, 0).query for query in range(3))
    assert one and two and three
    shot = (Turn("user", (one, two, "Which one?")), Turn("assistant", ("wug",)))
    return [
        *(
            chat(falsify(draw_episode(WORLD, 0, query, shots), ratio))
            for query in range(2)
            for shots, ratio in ((0, 0.0), (2, 0.0), (4, 0.0), (4, 0.5), (4, 1.0))
        ),
        Prompt((*shot, Turn("user", ("And now?", two, three))), ("dax", "wug")),
        Prompt((*shot, Turn("user", ("Are you sure?",))), ("dax", "wug")),
        Prompt((Turn("user", ("Hello?",)),), ("dax", "wug")),
    ]


def test_answers_are_those_of_whole_prompts(loaded: TransformersModel) -> None:
    assert isinstance(loaded.engine, CrossAttentionEngine)
    answers = list(loaded.answer(prompts(), WORLD.image))
    whole = ReferenceEngine(loaded.network, loaded.processor, loaded.encoder, 1, NEW_TOKENS)
    expected = {number: (text, logliks) for number, text, logliks in whole.answer(prompts(), WORLD.image)}
    for number, answer in enumerate(answers):
        generated, logliks = expected[number]
        assert answer.text == generated.text
        totals = [loglik.total for loglik in logliks]
        assert [loglik.total for loglik in answer.logliks] == pytest.approx(totals, abs=1e-4)


def test_each_image_is_encoded_once(loaded: TransformersModel) -> None:
    fresh = TransformersModel("it", loaded.network, loaded.processor, "", 4)
    list(fresh.answer(prompts(), WORLD.image))
    assert fresh.engine.images_encoded == len({ref for prompt in prompts() for ref in prompt.images})


def test_prompts_are_those_of_the_release(loaded: TransformersModel, folder: Path) -> None:
    episode = draw_episode(WORLD, 0, 0, 2)
    first, second = (example.label for example in episode.support)
    query = Turn("user", ("Which colour?", episode.query)) if episode.query else None
    assert query
    rendered = loaded.encoder.render(chat(episode))
    question = loaded.encoder.render(Prompt((query,), ()))
    if folder.name == "openflamingo":
        start = loaded.processor.tokenizer.bos_token if "llama" in str(folder) else ""
        assert rendered.startswith(start)
        rendered, question = rendered.removeprefix(start), question.removeprefix(start)
        assert rendered == f"<image>Output:{first}{END}<image>Output:{second}{END}<image>Output:"
        assert question == "<image>Question:Which colour? Short answer:"
    else:
        asked = "<image>User: What is in the image? GPT:<answer>"
        assert rendered == f"{asked} {first}{END}{asked} {second}{END}{asked}"
        assert question == "<image>User: Which colour? GPT:<answer>"
    space = "" if folder.name == "openflamingo" else " "
    written = [loaded.processor.tokenizer.decode(ids) for ids in loaded.encoder(chat(episode)).candidates]
    assert written == [f"{space}{name}{END}" for name in (episode.true_name, episode.other_name)]
    (candidate, _) = loaded.encoder(chat(episode)).candidates
    assert loaded.encoder.parse(candidate).text == episode.true_name


def test_prompts_that_are_too_long_are_refused_before_loading(folder: Path) -> None:
    prompt = chat(draw_episode(WORLD, 0, 0, 4))
    requirements = check_requirements(find_checkpoint(str(folder)), "float32", prompt, WORLD.image)
    assert (requirements.per_image, requirements.dtype) == (1, torch.float32)
    assert requirements.context
    long = Prompt((Turn("user", ("a" * 2 * requirements.context,)), *prompt.turns), prompt.candidates)
    with pytest.raises(UserError, match=r"4 shots take .* tokens, but its context is"):
        check_requirements(find_checkpoint(str(folder)), "float32", long, WORLD.image)


def test_a_template_needs_no_question(loaded: TransformersModel) -> None:
    episode = draw_episode(WORLD, 0, 0, 0)
    assert episode.query
    text = PromptEncoder(loaded.processor).render(Prompt((Turn("user", (episode.query,)),), ()))
    assert text.removeprefix("<s>") in ("<image>Output:", "<image>User:  GPT:<answer>")
