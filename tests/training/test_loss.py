from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.models import find_checkpoint, load_model
from lcl_lab.prompts import Prompt, Turn, chat
from lcl_lab.training.feature_bank import FeatureBank
from lcl_lab.training.frozen_vision import FrozenVision
from lcl_lab.training.loop import MicroBatch
from lcl_lab.training.loss import AnswerLoss, FeatureBatchBuilder

DEV = load_dataset("world-dev")
PROMPTS = [chat(draw_episode(DEV, 0, query, 4)) for query in range(6)]
RNG = np.random.default_rng(0)


@pytest.fixture(params=["untrained", "stock"])
def folder(request: pytest.FixtureRequest) -> Path:
    """An embedded model and one of `transformers`."""
    return Path(request.getfixturevalue(request.param))


def open_model(folder: Path) -> tuple[AnswerLoss, FeatureBank, object]:
    model, processor = AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    vision = FrozenVision(model, processor)
    return AnswerLoss(model).eval(), FeatureBank(vision, DEV.image), processor


def build(builder: FeatureBatchBuilder, prompts: Sequence[Prompt], candidate: int = 0) -> MicroBatch:
    ((numbers, batch),) = builder.batches([(prompt, RNG) for prompt in prompts], candidate)
    assert list(numbers) == list(range(len(prompts)))
    return batch


def losses(module: AnswerLoss, builder: FeatureBatchBuilder, candidate: int = 0) -> Tensor:
    with torch.no_grad():
        return module(**build(builder, PROMPTS, candidate).inputs)


def test_the_loss_of_an_answer_is_its_negative_log_likelihood_in_evaluation(folder: Path) -> None:
    module, bank, processor = open_model(folder)
    answers = list(load_model(find_checkpoint(str(folder)), 6).answer(PROMPTS, DEV.image))
    builder = FeatureBatchBuilder(processor, bank)
    for candidate in (0, 1):
        evaluated = torch.tensor([-answer.logliks[candidate].total for answer in answers])
        torch.testing.assert_close(losses(module, builder, candidate), evaluated, atol=1e-3, rtol=1e-4)


def test_the_loss_on_every_answer_adds_those_of_the_support(untrained: Path) -> None:
    module, bank, processor = open_model(untrained)
    last, every = FeatureBatchBuilder(processor, bank), FeatureBatchBuilder(processor, bank, every_answer=True)
    prompt = PROMPTS[0]
    part = build(every, [prompt])
    answered = [turn for turn in prompt.turns if turn.role == "assistant"]
    tokens = processor.tokenizer
    expected = [str(turn.parts[0]) for turn in answered] + [prompt.candidates[0]]
    labels = part.inputs["labels"][0]
    texts = tokens.decode(labels[labels != -100]).split(tokens.eos_token)
    assert [text.strip() for text in texts[:-1]] == expected
    assert part.weight > build(last, [prompt]).weight
    assert (losses(module, every) > losses(module, last)).all()


def test_a_part_counts_its_tokens(untrained: Path) -> None:
    _, bank, processor = open_model(untrained)
    part = build(FeatureBatchBuilder(processor, bank), PROMPTS)
    assert part.weight == int((part.inputs["labels"] != -100).sum())
    assert part.tokens == int(part.inputs["mask"].sum())
    assert len(part.inputs["features"]) == sum(len(prompt.images) for prompt in PROMPTS)


def test_an_image_is_encoded_once(untrained: Path) -> None:
    opened: list[ImageRef] = []

    def image(ref: ImageRef) -> object:
        opened.append(ref)
        return DEV.image(ref)

    model, processor = (
        AutoModelForImageTextToText.from_pretrained(untrained),
        AutoProcessor.from_pretrained(untrained),
    )
    bank = FeatureBank(FrozenVision(model, processor), image)
    refs: Sequence[ImageRef] = PROMPTS[0].images
    first, again = bank(refs, RNG), bank(refs[::-1], RNG)
    assert torch.equal(first, again.flip(0))
    assert sorted(opened) == sorted(refs)


def test_a_prompt_without_images_has_the_loss_that_it_has_in_evaluation(folder: Path) -> None:
    module, bank, processor = open_model(folder)
    text_only = Prompt((Turn("user", ("what is it?",)),), ("walnut",))
    (answer,) = load_model(find_checkpoint(str(folder)), 1).answer([text_only], DEV.image)
    builder = FeatureBatchBuilder(processor, bank, joined=True)
    loss = module(**build(builder, [text_only]).inputs)
    assert float(loss.detach()) == pytest.approx(-answer.logliks[0].total, abs=1e-3)
    loss.sum().backward()
    assert all(p.grad is not None for p in module.parameters() if p.requires_grad)  # other processes wait for them
    mixed = build(builder, [text_only, PROMPTS[0]]).inputs
    with torch.no_grad():
        torch.testing.assert_close(module(**mixed)[0], loss[0].detach(), atol=1e-3, rtol=1e-4)
