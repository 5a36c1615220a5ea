from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from lcl_lab.concepts import load_dataset
from lcl_lab.models import find_checkpoint, load_model
from lcl_lab.prompts import Prompt
from lcl_lab.training.feature_bank import FeatureBank
from lcl_lab.training.frozen_vision import FrozenVision
from lcl_lab.training.held_out import LossModel, held_out_accuracy, held_out_design, held_out_loss
from lcl_lab.training.loss import IGNORED, AnswerLoss, BatchBuilder, FeatureBatchBuilder

CPU = torch.device("cpu")
WORLD = load_dataset("world-dev")
DESIGN = held_out_design(WORLD, 12)


def open_model(folder: Path) -> tuple[AnswerLoss, BatchBuilder]:
    model, processor = AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    bank = FeatureBank(FrozenVision(model, processor), load_dataset("world-dev").image)
    return AnswerLoss(model).eval(), FeatureBatchBuilder(processor, bank)


def prompts(count: int) -> list[Prompt]:
    return [DESIGN.conditions[0].item(query).prompt for query in range(count)]


@pytest.mark.parametrize("name", ["untrained", "stock"])
def test_log_likelihoods_are_those_of_the_loaded_model(name: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(name)
    in_training = LossModel(*open_model(folder), CPU, batch_size=4)
    expected = load_model(find_checkpoint(str(folder)), 4).answer(prompts(6), DESIGN.image)
    for answer, other in zip(in_training.answer(prompts(6), DESIGN.image), expected, strict=True):
        assert [loglik.tokens for loglik in answer.logliks] == [loglik.tokens for loglik in other.logliks]
        totals = [loglik.total for loglik in other.logliks]
        assert [loglik.total for loglik in answer.logliks] == pytest.approx(totals, abs=1e-3)


def test_accuracy_is_the_share_of_smaller_losses_per_token(untrained: Path) -> None:
    """The accuracy that trainings have always logged: the first candidate has the smaller loss per token."""
    loss, builder = open_model(untrained)
    per_token = []
    for candidate in (0, 1):
        drawn = [(prompt, np.random.default_rng(0)) for prompt in prompts(12)]
        ((_, batch),) = builder.batches(drawn, candidate)
        inputs = batch.inputs
        with torch.no_grad():
            per_token.append(loss(**inputs) / (inputs["labels"] != IGNORED).sum(1))
    expected = float((per_token[0] < per_token[1]).float().mean())
    assert held_out_accuracy(LossModel(loss, builder, CPU), DESIGN) == pytest.approx(expected, abs=1e-6)


def test_a_tie_is_wrong_and_prompts_may_have_one_candidate(untrained: Path) -> None:
    _, builder = open_model(untrained)

    def tie(labels: Tensor, **_: Tensor) -> Tensor:
        return 2.0 * (labels != IGNORED).sum(1)

    model = LossModel(tie, builder, CPU, batch_size=5)
    assert held_out_accuracy(model, DESIGN) == 0
    one, two = prompts(2)
    answers = list(model.answer([Prompt(one.turns, one.candidates[:1]), two], DESIGN.image))
    assert [len(answer.logliks) for answer in answers] == [1, 2]
    assert {loglik.per_token for answer in answers for loglik in answer.logliks} == {-2.0}


def test_the_design_is_the_same_for_every_training() -> None:
    assert prompts(12) == [held_out_design(WORLD, 12).conditions[0].item(query).prompt for query in range(12)]


def test_held_out_episodes_have_the_ways_of_the_training() -> None:
    for ways, shots in ((2, 8), (3, 6), (5, 5), (9, 9)):
        prompt = held_out_design(WORLD, 2, ways).conditions[0].item(0).prompt
        assert (len(prompt.candidates), len(prompt.images)) == (ways, shots + 1)


def test_the_loss_is_the_mean_over_the_tokens_of_all_answers(untrained: Path) -> None:
    loss, builder = open_model(untrained)
    ((_, batch),) = builder.batches([(prompt, np.random.default_rng(0)) for prompt in prompts(6)])
    inputs = batch.inputs
    with torch.no_grad():
        expected = float(loss(**inputs).sum() / (inputs["labels"] != IGNORED).sum())
    assert held_out_loss(LossModel(loss, builder, CPU, batch_size=4), prompts(6)) == pytest.approx(expected, rel=1e-4)
