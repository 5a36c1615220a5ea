"""Logits and generation of converted releases, compared with the formulas of the papers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText

import lcl_lab.models.preflight  # noqa: F401 - registers the architecture
from lcl_lab.models.convert import convert_openflamingo
from tests.models.flamingo.factories import Release, write_openflamingo
from tests.models.flamingo.formulas import expected_logits

TOLERANCE = 1e-4
COUNTS = (0, 1, 2, 3, 5, 8)  # images of a prompt


@dataclass
class Case:
    """A converted release, with prompts of 0 to 8 images."""

    release: Release
    model: Any
    prompts: list[list[int]]
    images: list[Tensor]

    def expected(self, number: int, more: tuple[int, ...] = ()) -> Tensor:
        """Logits of a prompt followed by more tokens."""
        ids = self.prompts[number]
        places = [place for place, token in enumerate(ids) if token == self.model.config.image_token_id]
        images = dict(zip(places, self.images[number], strict=True))
        return expected_logits(self.release, self.tower, [*ids, *more], images)

    @property
    def tower(self) -> dict[str, Tensor]:
        state = self.model.vision_tower.state_dict()
        return {key.removeprefix("vision_model."): tensor for key, tensor in state.items()}

    def inputs(self, numbers: list[int]) -> dict[str, Tensor]:
        """A batch that is padded on the left, with images of noise after the last one of each row."""
        length = max(len(self.prompts[number]) for number in numbers)
        rows = [[0] * (length - len(self.prompts[n])) + self.prompts[n] for n in numbers]
        mask = [[0] * (length - len(self.prompts[n])) + [1] * len(self.prompts[n]) for n in numbers]
        most = max(len(self.images[number]) for number in numbers)
        pixels = torch.randn(len(numbers), most, 3, 28, 28)
        for row, number in enumerate(numbers):
            pixels[row, : len(self.images[number])] = self.images[number]
        return {
            "input_ids": torch.tensor(rows),
            "attention_mask": torch.tensor(mask),
            **({"pixel_values": pixels} if most else {}),
        }


@pytest.fixture(scope="module", params=["llama", "mpt", "mosaic_gpt"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder: Path = tmp_path_factory.mktemp(request.param)
    release = write_openflamingo(folder, request.param)
    target = folder / "converted"
    convert_openflamingo(release.source / "checkpoint.pt", target, str(release.language_model), str(release.tower))
    model = AutoModelForImageTextToText.from_pretrained(target, dtype=torch.float32).eval()
    image = model.config.image_token_id
    generator = torch.Generator().manual_seed(1)
    prompts = []
    for count in COUNTS:
        parts = [torch.randint(5, 200, (length,), generator=generator).tolist() for length in range(2, count + 3)]
        prompts.append([*parts[0], *(token for part in parts[1:] for token in (image, *part))])
    images = [torch.randn(count, 3, 28, 28, generator=generator) for count in COUNTS]
    return Case(release, model, prompts, images)


@pytest.mark.parametrize("number", range(len(COUNTS)), ids=lambda number: f"{COUNTS[number]} images")
def test_logits_are_those_of_the_formulas(case: Case, number: int) -> None:
    with torch.inference_mode():
        logits = case.model(**case.inputs([number])).logits[0]
    expected = case.expected(number)
    assert expected.std() > 0.1
    assert (logits - expected).abs().max() < TOLERANCE


def test_a_padded_batch_has_the_logits_of_its_rows(case: Case) -> None:
    for numbers in ([0, 2, 5], [1, 3, 4]):
        with torch.inference_mode():
            logits = case.model(**case.inputs(numbers)).logits
        for row, number in enumerate(numbers):
            length = len(case.prompts[number])
            assert (logits[row, -length:] - case.expected(number)).abs().max() < TOLERANCE


@pytest.mark.parametrize("numbers", [[0], [4], [0, 2, 5]], ids=["no image", "one row", "padded"])
def test_generation_is_that_of_the_formulas_with_and_without_a_cache(case: Case, numbers: list[int]) -> None:
    texts = []
    for use_cache in (True, False):
        output = case.model.generate(
            **case.inputs(numbers),
            max_new_tokens=6,
            do_sample=False,
            use_cache=use_cache,
            eos_token_id=None,
            output_logits=True,
            return_dict_in_generate=True,
        )
        new = output.sequences[:, -6:]
        texts.append(new.tolist())
        logits = torch.stack(output.logits, dim=1)
        for row, number in enumerate(numbers):
            expected = case.expected(number, tuple(new[row, :-1].tolist()))[-6:]
            assert (logits[row] - expected).abs().max() < TOLERANCE
            assert expected.argmax(-1).tolist() == new[row].tolist()
    assert texts[0] == texts[1]


@pytest.mark.parametrize("use_cache", [True, False])
def test_a_generated_image_token_is_text_after_the_last_image(case: Case, use_cache: bool) -> None:
    numbers, image = [1, 3], case.model.config.image_token_id
    inputs = case.inputs(numbers)
    start = inputs["input_ids"].shape[1]
    answer = [7, image, 9, 11]
    output = case.model.generate(
        **inputs,
        max_new_tokens=len(answer),
        do_sample=False,
        use_cache=use_cache,
        prefix_allowed_tokens_fn=lambda _, ids: [answer[len(ids) - start]],
        output_logits=True,
        return_dict_in_generate=True,
    )
    assert output.sequences[:, start:].tolist() == [answer, answer]
    logits = torch.stack(output.logits, dim=1)
    for row, number in enumerate(numbers):
        assert (logits[row] - case.expected(number, tuple(answer[:-1]))[-4:]).abs().max() < TOLERANCE


def test_the_image_matters(case: Case) -> None:
    inputs = case.inputs([2])
    with torch.inference_mode():
        logits = case.model(**inputs).logits
        changed = case.model(**{**inputs, "pixel_values": inputs["pixel_values"].flip(1)}).logits
    before = case.prompts[2].index(case.model.config.image_token_id)
    assert torch.equal(logits[:, :before], changed[:, :before])
    assert (logits - changed)[:, before:].abs().max() > 0.01


def test_a_wrong_number_of_images_is_an_error(case: Case) -> None:
    inputs = case.inputs([2])
    with pytest.raises(ValueError, match="2 image tokens, but 1 images"):
        case.model(**{**inputs, "pixel_values": inputs["pixel_values"][:, :1]})
    cache = case.model(**inputs, use_cache=True).past_key_values
    with pytest.raises(ValueError, match="image_index is required"):
        case.model(torch.tensor([[5]]), past_key_values=cache)
