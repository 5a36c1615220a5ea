"""On a tiny checkpoint in the layout of the release, compared with a reimplementation of the release."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    CLIPImageProcessorPil,
    CLIPVisionModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.errors import UserError
from lcl_lab.models import find_checkpoint, load_model
from lcl_lab.models.convert import convert_shikra
from lcl_lab.models.engine.prompt_encoder import PromptEncoder
from lcl_lab.models.engine.reference_engine import process_prompts
from lcl_lab.prompts import chat
from tests.models.convert.factories import WORDS

WORLD = load_dataset("world-100")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lcl_lab.models.convert_shikra", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def converted(released: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("converted") / "lcl"
    done = run(released[0], target, "--vision-tower", released[1])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(target)
    return target


def test_logits_are_those_of_the_release(released: tuple[Path, Path], converted: Path) -> None:
    processor = AutoProcessor.from_pretrained(converted)
    model = AutoModelForImageTextToText.from_pretrained(converted, dtype=torch.float32)
    prompt = chat(draw_episode(WORLD, 0, 0, 4))
    inputs = process_prompts(processor, PromptEncoder(processor), [prompt], WORLD.image)
    with torch.inference_mode():
        ours = model(**inputs).logits
        theirs = _release(*released, inputs["input_ids"], inputs["pixel_values"])
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert theirs.std() > 0.1


def _release(folder: Path, tower: Path, ids: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """The logits of Shikra's code: one linear layer maps features of the penultimate layer to image tokens."""
    state: dict[str, torch.Tensor] = {}
    for file in folder.glob("*.bin"):
        state |= torch.load(file, weights_only=True)
    config = json.loads((folder / "config.json").read_text())
    del config["model_type"]
    llama = LlamaForCausalLM(LlamaConfig(**config)).eval()
    keys = llama.state_dict()
    llama.load_state_dict({key: state[key] for key in keys})
    clip = CLIPVisionModel.from_pretrained(tower).eval()
    hidden = clip(pixels, output_hidden_states=True).hidden_states[-2][:, 1:]
    features = hidden @ state["model.mm_projector.weight"].T + state["model.mm_projector.bias"]
    embedded = llama.get_input_embeddings()(ids)
    embedded[ids == WORDS] = features.flatten(0, 1)
    return llama(inputs_embeds=embedded).logits


def test_the_prompt_is_that_of_the_release(converted: Path) -> None:
    encode = PromptEncoder(AutoProcessor.from_pretrained(converted))
    episode = draw_episode(WORLD, 0, 0, 4)
    names = [example.label for example in episode.support]
    image = "<im_start><im_patch><im_end>"
    example = (
        f'USER: [BEGIN EXAMPLE] What is in the image {image}? ASSISTANT: there is "%s" in the image. [END EXAMPLE]'
    )
    expected = (
        "<s>You should find the causal relationship between the examples I am going to show you. And use that to "
        f"answer to the [FINAL QUESTION]. {example % names[0]}</s>"
        + "".join(f"<s> {example % name}" for name in names[1:])
        + f"<s>[FINAL QUESTION]:  USER: Based on the previous examples, what is in the image {image}? ASSISTANT:"
    )
    assert encode.render(chat(episode)) == expected
    true, _ = encode(chat(episode)).candidates
    assert encode.parse(true).text == f'there is "{episode.true_name}" in the image.'
    assert true[-1] == encode._tokenizer.eos_token_id
    zero = encode.render(chat(draw_episode(WORLD, 0, 0, 0)))
    assert zero.startswith("<s>A chat between a curious user")
    assert zero.endswith(f"USER: What is in the image? {image} ASSISTANT:")


def test_images_are_padded_to_squares_and_processed_as_clip_does(converted: Path) -> None:
    processor = AutoProcessor.from_pretrained(converted)
    rng = np.random.default_rng(0)
    wide = Image.fromarray(rng.integers(0, 255, (40, 80, 3), np.uint8)).resize((160, 90))
    clip = CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    square = ImageOps.pad(wide, (160, 160), color=tuple(int(255 * value) for value in clip.image_mean))
    ours = processor.image_processor(wide, return_tensors="pt")["pixel_values"]
    theirs = clip(square, return_tensors="pt")["pixel_values"]
    assert (ours - theirs).abs().max() < 0.016  # one grey level: torchvision and PIL round differently


def test_padding_has_the_mean_colour_and_image_tokens_are_in_order(converted: Path) -> None:
    processor = AutoProcessor.from_pretrained(converted)
    wide = Image.new("RGB", (80, 40), (255, 0, 0))
    pixels = processor.image_processor(wide, return_tensors="pt")["pixel_values"][0]
    assert pixels.shape == (3, 56, 56)
    assert pixels[:, 0, 28].abs().max() < 0.02  # the mean colour, normalised
    assert pixels[0, 28, 28] > 1
    ids = processor.tokenizer.convert_tokens_to_ids(["<im_patch>", "<im_start>", "<im_end>"])
    assert ids == [WORDS, WORDS + 1, WORDS + 2]
    assert processor.tokenizer.pad_token == "<unk>"


def test_a_converted_checkpoint_answers_episodes(
    converted: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    model = load_model(find_checkpoint(str(converted)), 4)
    answers = list(model.answer([chat(draw_episode(WORLD, 0, query, 2)) for query in range(3)], WORLD.image))
    assert len({answer.logliks[0].total for answer in answers}) == 3


def test_a_wrong_argument_is_an_error_of_one_line(released: tuple[Path, Path], tmp_path: Path) -> None:
    folder, tower = released
    for source, target, vision_tower, message in (
        (tmp_path, tmp_path / "x", tower, "source .*: has no config.json"),
        (folder, tmp_path, tower, "target .*: exists; give a new folder"),
        (folder, tmp_path / "x", tmp_path / "none", "vision_tower .*none"),
    ):
        with pytest.raises(UserError, match=message):
            convert_shikra(source, target, str(vision_tower))
    done = run(tmp_path, tmp_path / "x")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "has no config.json" in done.stderr
    assert not list(tmp_path.iterdir())
