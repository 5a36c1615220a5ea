"""The loss of any image-text model, compared with the log-likelihoods that its evaluation stores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL.Image import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.errors import UserError
from lcl_lab.models import find_checkpoint, load_model
from lcl_lab.models.convert import ConvertConfig, convert_release
from lcl_lab.prompts import Prompt, chat
from lcl_lab.training import TrainConfig, check_training
from lcl_lab.training.loss import IGNORED
from lcl_lab.training.network import Network
from lcl_lab.training.trainable_parts import train_only
from lcl_lab.training.whole_prompts import PromptLoss, WholePromptBuilder, check_loss
from tests.models.flamingo.factories import write_openflamingo
from tests.training.families import FAMILIES, folder_of

DEV = load_dataset("world-dev")
PROMPTS = [chat(draw_episode(DEV, 0, query, shots)) for query, shots in enumerate((2, 4, 0, 2))]
RNG = np.random.default_rng(0)
QUICK = ("qwen2_5_vl", "mllama")


def open_model(family: str) -> tuple[PromptLoss, WholePromptBuilder, object]:
    folder = folder_of(family)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(folder)
    return PromptLoss(model).eval(), WholePromptBuilder(model, processor, DEV.image), processor


def losses(module: PromptLoss, builder: WholePromptBuilder, prompts: list[Prompt], candidate: int = 0) -> list[float]:
    by_number = {}
    for numbers, batch in builder.batches([(prompt, RNG) for prompt in prompts], candidate):
        with torch.no_grad():
            by_number |= dict(zip(numbers, module(**batch.inputs).tolist(), strict=True))
    return [by_number[number] for number in range(len(prompts))]


@pytest.mark.parametrize(
    "family", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES]
)
def test_the_loss_of_an_answer_is_minus_its_stored_log_likelihood(family: str) -> None:
    """Whatever the other prompts of its micro-batch are."""
    module, builder, _ = open_model(family)
    stored = list(load_model(find_checkpoint(str(folder_of(family))), 4).answer(PROMPTS, DEV.image))
    for candidate in (0, 1):
        expected = [-answer.logliks[candidate].total for answer in stored]
        tokens = [answer.logliks[candidate].tokens for answer in stored]
        for found, total, count in zip(losses(module, builder, PROMPTS, candidate), expected, tokens, strict=True):
            assert found == pytest.approx(total, abs=1e-4 * count)


def test_prompts_of_similar_length_share_a_micro_batch() -> None:
    _, builder, _ = open_model("qwen2_5_vl")
    groups = [sorted(numbers) for numbers, _ in builder.batches([(prompt, RNG) for prompt in PROMPTS])]
    assert sorted(groups) == [[0, 3], [1], [2]]


def test_parts_of_a_batch_have_as_many_micro_batches_as_is_asked_for() -> None:
    module, one, processor = open_model("qwen2_5_vl")
    uniform = WholePromptBuilder(module.network, processor, DEV.image, prompts=6)
    batches = list(uniform.batches([(prompt, RNG) for prompt in PROMPTS]))
    assert sorted(number for numbers, _ in batches for number in numbers) == [0, 1, 2, 3]
    assert [len(batch.inputs["labels"]) for _, batch in batches] == [1] * 6
    assert [batch.weight for _, batch in batches[4:]] == [0, 0]
    total = sum(float(module(**batch.inputs).sum().detach()) for _, batch in batches)
    assert total == pytest.approx(sum(losses(module, one, PROMPTS)), abs=1e-3)
    module(**batches[-1][1].inputs).sum().backward()
    assert all(not parameter.grad.any() for parameter in module.parameters() if parameter.grad is not None)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "mllama"])
def test_tokens_are_counted_with_images_that_are_processed_once(family: str) -> None:
    module, _, processor = open_model(family)
    opened: list[ImageRef] = []

    def image(ref: ImageRef) -> Image:
        opened.append(ref)
        return DEV.image(ref)

    builder = WholePromptBuilder(module.network, processor, image)
    counts = [builder.tokens(prompt) for prompt in PROMPTS]
    list(builder.batches([(prompt, RNG) for prompt in PROMPTS]))
    assert opened == [ref for prompt in PROMPTS for ref in prompt.images]
    stored = load_model(find_checkpoint(str(folder_of(family))), 4).answer(PROMPTS, DEV.image)
    assert counts == [answer.prompt_tokens + answer.logliks[0].tokens for answer in stored]


def test_the_loss_on_every_answer_adds_those_of_the_support() -> None:
    module, last, processor = open_model("smolvlm")
    every = WholePromptBuilder(module.network, processor, DEV.image, every_answer=True)
    prompt = PROMPTS[1]
    numbered = [(n, str(turn.parts[0])) for n, turn in enumerate(prompt.turns) if turn.role == "assistant"]
    parts = [Prompt(prompt.turns[:number], (answer,)) for number, answer in numbered]
    assert len(parts) == 4
    expected = sum(losses(module, last, [*parts, prompt]))
    assert losses(module, every, [prompt])[0] == pytest.approx(expected, abs=1e-3)


def test_tokens_with_loss_are_those_of_the_answer_and_its_end() -> None:
    _, builder, processor = open_model("internvl")
    ((_, batch),) = builder.batches([(PROMPTS[0], RNG)])
    labels = batch.inputs["labels"][0]
    text = processor.tokenizer.decode(labels[labels != IGNORED], skip_special_tokens=True).strip()
    assert text == PROMPTS[0].candidates[0]
    assert batch.weight == int((labels != IGNORED).sum())
    assert batch.tokens == batch.inputs["input_ids"].numel()


def test_frozen_modules_have_no_dropout_in_training() -> None:
    module, _, _ = open_model("gemma3")
    train_only(module.network, ("language",))
    module.train()
    assert module.network.model.language_model.training
    assert not module.network.model.vision_tower.training
    assert not module.network.model.multi_modal_projector.training


def test_a_model_whose_loss_is_not_that_of_its_evaluation_is_refused() -> None:
    """PaliGemma has bidirectional attention over the whole input unless the answer's tokens are marked."""
    module, _, processor = open_model("paligemma")
    with pytest.raises(UserError, match="start name: its architecture, paligemma, cannot be trained: the loss of an"):
        check_loss("name", module, processor)


def test_a_model_that_computes_no_loss_is_refused() -> None:
    module, _, processor = open_model("ernie4_5_vl_moe")
    with pytest.raises(UserError, match="start name: its architecture, ernie4_5_vl_moe, computes no loss: IndexError"):
        check_loss("name", module, processor)


@pytest.mark.slow
def test_a_converted_openflamingo_is_trained_in_the_layers_of_its_authors(tmp_path: Path) -> None:
    release = write_openflamingo(tmp_path, "mpt")
    config = ConvertConfig(
        source=release.source,
        target=tmp_path / "converted",
        language_model=str(release.language_model),
        vision_tower=str(release.tower),
    )
    folder = convert_release(config)
    options = {
        "strategy": "2-way",
        "start": str(folder),
        "out": tmp_path,
        "train": ("projector", "*.cross_attention"),
    }
    network = Network(check_training(TrainConfig.create("tiny", **options)))
    network.check()
    trained = {name for name, parameter in network.module.named_parameters() if parameter.requires_grad}
    assert all("resampler." in name or ".cross_attention." in name for name in trained)
    assert any("resampler." in name for name in trained)
    assert any(".cross_attention." in name for name in trained)


def test_an_exact_model_passes() -> None:
    module, _, processor = open_model("qwen2_5_vl")
    check_loss("name", module, processor)
