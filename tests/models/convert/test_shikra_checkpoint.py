"""On a tiny checkpoint in the layout of the release, compared with a reimplementation of the release."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    CLIPVisionModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import FINAL_QUESTION, draw_episode
from lcl_lab.errors import UserError
from lcl_lab.models import find_checkpoint, load_model
from lcl_lab.models.convert import convert_shikra
from lcl_lab.models.engine.prefix_engine import PrefixEngine
from lcl_lab.models.engine.prompt_encoder import PromptEncoder
from lcl_lab.models.engine.reference_engine import ReferenceEngine, process_prompts
from lcl_lab.models.interface import Images, ModelSettings
from lcl_lab.models.transformers_model import TransformersModel
from lcl_lab.prompts import Prompt, Turn, chat
from tests.models.convert.factories import WORDS, slow_llama_ids

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


@pytest.mark.parametrize("images", get_args(Images))
def test_logits_are_those_of_the_release(images: Images, released: tuple[Path, Path], converted: Path) -> None:
    processor = AutoProcessor.from_pretrained(converted)
    model = AutoModelForImageTextToText.from_pretrained(converted, dtype=torch.float32)
    model.config.images = images
    prompts = [chat(draw_episode(WORLD, 0, 0, 4))] * 2
    inputs = process_prompts(processor, PromptEncoder(processor), prompts, WORLD.image)
    with torch.inference_mode():
        ours = model(**inputs).logits
        theirs = _release(*released, inputs["input_ids"], inputs["pixel_values"], images)
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert theirs.std() > 0.1


def test_answers_are_those_of_the_published_code(
    released: tuple[Path, Path], converted: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With and without shared prefixes, where supports differ in their images only."""
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    settings = ModelSettings(images="query-only")
    model = load_model(find_checkpoint(str(converted), settings=settings), 4)
    assert isinstance(model, TransformersModel)
    assert isinstance(model.engine, PrefixEngine)
    prompts = [chat(draw_episode(WORLD, 0, query, shots)) for query in range(2) for shots in (0, 2, 4)]
    other = prompts[-1].turns[0]
    moved = replace(other, parts=tuple(_next_image(part) for part in other.parts))
    prompts.append(replace(prompts[-1], turns=(moved, *prompts[-1].turns[1:])))
    answers = list(model.answer(prompts, WORLD.image))
    assert model.engine.images_encoded == len({prompt.images[-1] for prompt in prompts})
    assert answers[-1].logliks == answers[-2].logliks  # the image of a support does not matter
    whole = ReferenceEngine(model.network, model.processor, model.encoder, 1, 4)
    for prompt, answer in zip(prompts, answers, strict=True):
        expected = _release_logliks(released, model, prompt)
        assert [one.total for one in answer.logliks] == pytest.approx(expected, abs=1e-3)
        assert [one.total for one in whole.logliks([prompt], WORLD.image)[0]] == pytest.approx(expected, abs=1e-3)


def _next_image(part: str | ImageRef) -> str | ImageRef:
    return part._replace(number=part.number + 1) if isinstance(part, ImageRef) else part


def _release_logliks(released: tuple[Path, Path], model: TransformersModel, prompt: Prompt) -> list[float]:
    inputs = process_prompts(model.processor, model.encoder, [prompt], WORLD.image)
    logliks = []
    for candidate in model.encoder(prompt).candidates:
        answer = torch.tensor([candidate])
        ids = torch.cat([inputs["input_ids"], answer], dim=1)
        with torch.inference_mode():
            logits = _release(*released, ids, inputs["pixel_values"], "query-only")[:, -len(candidate) - 1 : -1]
        logliks.append(float(logits.log_softmax(-1).gather(-1, answer[..., None]).sum()))
    return logliks


def _release(folder: Path, tower: Path, ids: torch.Tensor, pixels: torch.Tensor, images: Images) -> torch.Tensor:
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
    of_prompt = features.unflatten(0, (len(ids), -1))
    for row, start in (ids == WORDS + 1).nonzero().tolist():
        number = int((ids[row, :start] == WORDS + 1).sum())
        if images == "all" or number == of_prompt.shape[1] - 1:
            embedded[row, start + 1 : start + 1 + of_prompt.shape[2]] = of_prompt[row, number]
    return llama(inputs_embeds=embedded).logits


def test_token_ids_are_those_of_the_release(released: tuple[Path, Path], converted: Path) -> None:
    processor = AutoProcessor.from_pretrained(converted)
    encode = PromptEncoder(processor)
    for number in range(9):
        prompt = chat(draw_episode(WORLD, 0, number, 2 * number))
        ids = process_prompts(processor, encode, [prompt], WORLD.image)["input_ids"][0].tolist()
        text = encode.render(prompt).replace("<im_patch>", "<im_patch>" * 16)
        assert ids == slow_llama_ids(released[0] / "tokenizer.model", text)


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


@pytest.mark.parametrize("size", [(160, 90), (90, 161), (100, 100), (56, 56)])
def test_images_are_padded_with_white_and_processed_as_clip_does(size: tuple[int, int], converted: Path) -> None:
    processor = AutoProcessor.from_pretrained(converted)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 80, 3), np.uint8)).resize(size)
    square = Image.new("RGB", (max(size), max(size)), "white")
    square.paste(image, ((max(size) - size[0]) // 2, (max(size) - size[1]) // 2))
    scaled = np.asarray(square.resize((56, 56), Image.Resampling.BICUBIC)) / 255
    expected = (scaled - [0.48145466, 0.4578275, 0.40821073]) / [0.26862954, 0.26130258, 0.27577711]
    pixels = processor.image_processor(image, return_tensors="pt")["pixel_values"][0]
    assert np.abs(pixels.numpy() - expected.transpose(2, 0, 1)).max() < 1e-5


def test_the_final_question_is_asked_without_examples_too(converted: Path) -> None:
    encode = PromptEncoder(AutoProcessor.from_pretrained(converted))
    episode = replace(draw_episode(WORLD, 0, 0, 0), final_question=FINAL_QUESTION)
    assert encode.render(chat(episode)) == (
        "<s>[FINAL QUESTION]:  USER: Based on the previous examples, what is in the image "
        "<im_start><im_patch><im_end>? ASSISTANT:"
    )
    assert encode.render(chat(replace(episode, final_question=""))).startswith("<s>A chat between a curious user")


def test_other_conversations_of_several_turns_are_those_of_its_training(converted: Path) -> None:
    encode = PromptEncoder(AutoProcessor.from_pretrained(converted))
    image, ref = "<im_start><im_patch><im_end>", ImageRef(WORLD.name, "000", 0)
    turns = (
        Turn("user", ("Where is it?", ref)),
        Turn("assistant", ("At [0.1,0.2,0.3,0.4].",)),
        Turn("user", ("Sure?",)),
    )
    system = (
        "A chat between a curious user and an artificial intelligence assistant. "
        "The assistant gives helpful, detailed, and polite answers to the user's questions."
    )
    rest = f" USER: Where is it? {image} ASSISTANT: At [0.1,0.2,0.3,0.4].</s> USER: Sure? ASSISTANT:"
    episode = chat(draw_episode(WORLD, 0, 0, 4))
    before = encode(episode)
    assert encode.render(Prompt(turns, ())) == f"<s>{system}{rest}"
    assert encode.render(Prompt((Turn("system", ("Be brief.",)), *turns), ())) == f"<s>Be brief.{rest}"
    (answer,) = encode(Prompt(turns, ("Yes.",))).candidates
    assert encode._tokenizer.decode(answer) == "Yes.</s>"
    assert encode(episode) == before  # what surrounds an answer depends on the kind of conversation


def test_sixteen_shots_fit(converted: Path) -> None:
    """17 images of 256 tokens, and 1,024 generated tokens, as the release evaluates them."""
    assert AutoConfig.from_pretrained(converted).text_config.max_position_embeddings >= 17 * 300 + 1024


def test_image_tokens_follow_the_vocabulary(converted: Path) -> None:
    tokenizer = AutoProcessor.from_pretrained(converted).tokenizer
    assert tokenizer.convert_tokens_to_ids(["<im_patch>", "<im_start>", "<im_end>"]) == [WORDS, WORDS + 1, WORDS + 2]
    assert tokenizer.pad_token == "<unk>"


def test_query_only_is_refused_for_other_models(converted: Path) -> None:
    settings = ModelSettings(images="query-only")
    for name in ("mini/base", "alias=mini/2-way"):
        with pytest.raises(UserError, match=r"^images query-only: .* is not a converted checkpoint of Shikra or LCL"):
            find_checkpoint(name, settings=settings)
    with pytest.raises(UserError, match=r"^images none: unknown; "):
        find_checkpoint(str(converted), settings=ModelSettings(images="none"))  # type: ignore[arg-type]
    find_checkpoint("mini/prototype", settings=settings)  # studies add it as a reference
    command = ["lcl_lab.studies.shots", "--model", "mini/base", "--images", "query-only", "--queries", "2"]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


def test_the_images_are_part_of_a_model_s_identity(converted: Path) -> None:
    default, query_only = (
        find_checkpoint(str(converted), settings=ModelSettings(images=images)).identity() for images in get_args(Images)
    )
    assert default == find_checkpoint(str(converted)).identity()
    assert default != query_only


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
