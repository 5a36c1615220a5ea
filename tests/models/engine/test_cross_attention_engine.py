"""Cross-attention to images: shared computation must not change which images a token attends to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL.Image import Image
from tokenizers.processors import TemplateProcessing
from transformers import IdeficsProcessor
from transformers.models.idefics.processing_idefics import (
    image_attention_mask_for_packed_input_ids,
    incremental_to_binary_attention_mask,
)

from lcl_lab.benchmarks.architectures import build
from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import draw_episode, falsify
from lcl_lab.models import TransformersModel, find_checkpoint, load_transformers_model
from lcl_lab.models.engine.cross_attention_engine import CrossAttentionEngine
from lcl_lab.models.engine.feature_disk_cache import FeatureDiskCache
from lcl_lab.models.engine.prompt_encoder import PromptEncoder
from lcl_lab.models.engine.reference_engine import ReferenceEngine, process_prompts
from lcl_lab.models.interface import NEW_TOKENS
from lcl_lab.prompts import Prompt, Turn, chat

WORLD = load_dataset("world-100")


def prompts() -> list[Prompt]:
    """Prompts that share prefixes or images, with 1, 3 and 5 images."""
    return [
        chat(falsify(draw_episode(WORLD, 0, query, shots), ratio))
        for query in range(3)
        for shots, ratio in ((0, 0.0), (2, 0.0), (4, 0.0), (4, 0.5), (4, 1.0))
    ]


def consecutive_images() -> list[Prompt]:
    """Prompts with two images in a row, in their first or their last turn."""
    one, two, three = (draw_episode(WORLD, 0, query, 0).query for query in range(3))
    assert one and two and three
    shot = Turn("user", (one, two, "Which one?")), Turn("assistant", ("wug",))
    turns: list[tuple[Turn, ...]] = [
        (*shot, Turn("user", ("And now?", two, three))),
        (*shot, Turn("user", (three, "And now?"))),
        (*shot, Turn("user", ("Are you sure?",))),
    ]
    return [Prompt(of_prompt, ("dax", "wug")) for of_prompt in turns]


@pytest.fixture(scope="module", params=["idefics", "mllama"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp(request.param) / request.param
    build(request.param, folder)
    return folder


@pytest.fixture(scope="module")
def loaded(folder: Path) -> TransformersModel:
    return load_transformers_model(find_checkpoint(str(folder)), 4, "float32")


def variant(
    loaded: TransformersModel, batch_size: int, disk_cache: FeatureDiskCache | None = None
) -> TransformersModel:
    """The same model with another batch size, and empty caches."""
    return TransformersModel("it", loaded.network, loaded.processor, "", batch_size, disk_cache)


def results(
    model: TransformersModel, prompts: list[Prompt], image: Callable[[ImageRef], Image] = WORLD.image
) -> list[tuple[str, list[float]]]:
    return [(answer.text, [loglik.total for loglik in answer.logliks]) for answer in model.answer(prompts, image)]


def reference(
    model: TransformersModel, prompts: list[Prompt], image: Callable[[ImageRef], Image] = WORLD.image
) -> list[tuple[str, list[float]]]:
    engine = ReferenceEngine(model.network, model.processor, model.encoder, 1, NEW_TOKENS)
    answers = {
        number: (generated.text or "", [loglik.total for loglik in logliks])
        for number, generated, logliks in engine.answer(prompts, image)
    }
    return [answers[number] for number in range(len(prompts))]


def assert_equal(one: list[tuple[str, list[float]]], other: list[tuple[str, list[float]]]) -> None:
    for (text, logliks), (expected_text, expected) in zip(one, other, strict=True):
        assert text == expected_text
        assert logliks == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_answers_are_those_of_whole_prompts(loaded: TransformersModel, batch_size: int) -> None:
    model = variant(loaded, batch_size)
    assert isinstance(model.engine, CrossAttentionEngine)
    assert_equal(results(model, prompts()), reference(model, prompts()))


def test_consecutive_images_are_attended_to_as_in_whole_prompts(loaded: TransformersModel) -> None:
    assert_equal(results(loaded, consecutive_images()), reference(loaded, consecutive_images()))


def test_a_prompt_without_images(loaded: TransformersModel) -> None:
    prompt = Prompt((Turn("user", ("Hello?",)),), ("dax", "wug"))
    _, logliks = results(loaded, [*prompts(), prompt])[-1]
    encoded = loaded.encoder(prompt)
    for candidate, loglik in zip(encoded.candidates, logliks, strict=True):
        ids = torch.tensor([encoded.prefix + candidate])
        unseen = {
            "pixel_values": torch.zeros(1, 1, 3, 32, 32),
            "image_attention_mask": torch.zeros(*ids.shape, 1),
        }
        with torch.inference_mode():
            logits = loaded.network(ids, **(unseen if isinstance(loaded.processor, IdeficsProcessor) else {})).logits
        tokens = logits[0, len(encoded.prefix) - 1 : -1].log_softmax(-1).gather(-1, torch.tensor(candidate)[:, None])
        assert loglik == pytest.approx(float(tokens.sum()), abs=1e-4)


def test_each_image_is_encoded_once(loaded: TransformersModel) -> None:
    model = variant(loaded, 4)
    results(model, prompts())
    results(model, prompts()[::-1])
    assert model.engine.images_encoded == len({ref for prompt in prompts() for ref in prompt.images})


def test_features_are_found_again_on_disk(loaded: TransformersModel, tmp_path: Path) -> None:
    first = variant(loaded, 4, FeatureDiskCache("it", "cpu", str(tmp_path)))
    expected = results(first, prompts())
    second = variant(loaded, 4, FeatureDiskCache("it", "cpu", str(tmp_path)))
    assert results(second, prompts()) == expected
    assert (first.engine.images_encoded > 0, second.engine.images_encoded) == (True, 0)


def test_the_tokens_and_masks_are_those_of_the_processor(loaded: TransformersModel) -> None:
    images = loaded.engine.images
    for prompt in prompts() + consecutive_images():
        inputs = process_prompts(loaded.processor, loaded.encoder, [prompt], WORLD.image)
        ids = inputs["input_ids"][0].tolist()
        assert loaded.encoder(prompt).prefix == ids
        encoded = images.encode(images.keys(prompt.images), WORLD.image)
        mask = images.mask(ids, [encoded[key] for key in images.keys(prompt.images)])
        assert torch.equal(mask, inputs[images.mask_name][0])


def test_prompts_share_prefixes_where_the_architecture_allows_it(loaded: TransformersModel) -> None:
    episodes = [draw_episode(WORLD, 0, 0, 4), falsify(draw_episode(WORLD, 0, 0, 4), 1.0)]
    same_images = [chat(episode) for episode in episodes]
    same_support = [chat(draw_episode(WORLD, 0, query, 4, 3)) for query in range(3)]
    # Tokens before the first image depend on all images in Mllama.
    for batch, shares in ((same_images, True), (same_support, isinstance(loaded.processor, IdeficsProcessor))):
        loaded.engine.reset_counters()
        results(loaded, batch)
        whole = sum(len(loaded.encoder(prompt).prefix) for prompt in batch)
        assert (loaded.engine.tokens_computed < whole) == shares


def test_mllama_needs_all_images_for_its_first_token(tmp_path: Path) -> None:
    """The reason why its prompts share prefixes only with the same images; remove the rule when this fails."""
    build("mllama", tmp_path / "mllama")
    model = load_transformers_model(find_checkpoint(str(tmp_path / "mllama")), 1, "float32")
    one, other = (draw_episode(WORLD, 0, query, 2, 2) for query in range(2))
    logits = []
    for episode in (one, other):
        with torch.inference_mode():
            inputs = process_prompts(model.processor, model.encoder, [chat(episode)], WORLD.image)
            logits.append(model.network(**inputs).logits[0, 0])
    assert chat(one).images[:2] == chat(other).images[:2]
    assert not torch.allclose(*logits, atol=1e-3)


def test_images_with_different_numbers_of_tiles(tmp_path: Path) -> None:
    build("mllama", tmp_path / "mllama")
    model = load_transformers_model(find_checkpoint(str(tmp_path / "mllama")), 4, "float32")

    def image(ref: ImageRef) -> Image:
        return WORLD.image(ref).resize((30 * (1 + ref.number % 3), 30))

    refs = {ref for prompt in prompts() for ref in prompt.images}
    images = model.engine.images
    assert {one.tiles for one in images.encode(images.keys(list(refs)), image).values()} == {1, 2, 3}
    assert_equal(results(model, prompts(), image), reference(model, prompts(), image))


def test_idefics_starts_a_prompt_once(tmp_path: Path) -> None:
    build("idefics", tmp_path / "idefics")
    processor = IdeficsProcessor.from_pretrained(tmp_path / "idefics")
    words = processor.tokenizer
    start = (words.bos_token, words.bos_token_id)
    words.backend_tokenizer.post_processor = TemplateProcessing(single=f"{start[0]} $A", special_tokens=[start])
    encode = PromptEncoder(processor)
    ids = process_prompts(processor, encode, prompts()[:1], WORLD.image)["input_ids"][0].tolist()
    assert encode(prompts()[0]).prefix == ids
    assert ids.count(words.bos_token_id) == 1


def test_idefics_attends_to_no_image_after_the_end_of_a_sequence(tmp_path: Path) -> None:
    build("idefics", tmp_path / "idefics")
    model = load_transformers_model(find_checkpoint(str(tmp_path / "idefics")), 1, "float32")
    images, words = model.engine.images, model.processor.tokenizer
    ids = words("a<image>b</s>c<image><image>d</s>e", add_special_tokens=False)["input_ids"]
    assert words.eos_token_id in ids
    packed, _ = image_attention_mask_for_packed_input_ids(torch.tensor([ids]), words, "pt")
    expected = incremental_to_binary_attention_mask(packed, "pt", num_classes=3)[0]
    encoded = images.encode(images.keys(prompts()[1].images), WORLD.image)
    assert torch.equal(images.mask(ids, list(encoded.values())), expected)
