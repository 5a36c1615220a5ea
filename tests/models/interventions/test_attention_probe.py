"""Attention to labels is compared with what `transformers` itself returns of whole prompts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

import lcl_lab as lcl
from lcl_lab.benchmarks.architectures import build
from lcl_lab.models import TransformersModel, find_checkpoint
from lcl_lab.models.engine.reference_engine import accepted_inputs, process_prompts
from lcl_lab.models.interventions import AttentionProbe, PromptParts, heads_of
from lcl_lab.models.transformers_model import load_transformers_model
from lcl_lab.prompts import chat

WORLD = lcl.load_dataset("world-100")
EPISODE = lcl.draw_episode(WORLD, 0, 0, 4)
PROMPT = chat(EPISODE)
ARCHITECTURES = ("llava", "qwen2_5_vl", "gemma3", "internvl")


@pytest.fixture(params=ARCHITECTURES, scope="module")
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def model(folder: Path) -> TransformersModel:
    return load_transformers_model(find_checkpoint(str(folder)))


def test_the_parts_of_a_prompt_have_their_text_and_images(model: TransformersModel) -> None:
    parts = PromptParts.of(model, PROMPT, WORLD.image)
    inputs = process_prompts(model.processor, model.encoder, [PROMPT], WORLD.image)
    ids = inputs["input_ids"][0].tolist()
    assert parts.tokens == len(ids)
    labels = [model.processor.tokenizer.decode([ids[place] for place in label]) for label in parts.labels]
    assert [label.strip() for label in labels] == [example.label for example in EPISODE.support]
    for image in parts.images:
        assert model.encoder.placeholder in {ids[place] for place in image}
    marked = [place for place, id in enumerate(ids) if id == model.encoder.placeholder]
    assert set(marked) - set(parts.query) <= {place for image in parts.images for place in image}
    assert parts.query.stop == len(ids)


def test_attention_is_that_of_whole_prompts(folder: Path, model: TransformersModel) -> None:
    plain = AutoModelForImageTextToText.from_pretrained(folder, attn_implementation="eager").eval()
    inputs = process_prompts(AutoProcessor.from_pretrained(folder), model.encoder, [PROMPT], WORLD.image)
    accepted = {name: value for name, value in inputs.items() if name in accepted_inputs(plain)}
    with torch.inference_mode():
        attentions = plain(**accepted, output_attentions=True).attentions
    parts = PromptParts.of(model, PROMPT, WORLD.image)
    before = next(iter(model.answer([PROMPT], WORLD.image))).logliks
    found = AttentionProbe(model).label_attention(PROMPT, WORLD.image)
    for head in heads_of(model):
        last = attentions[head.layer][0, head.number, -1]
        assert found[head] == pytest.approx([float(last[list(label)].sum()) for label in parts.labels], abs=1e-5)
    assert next(iter(model.answer([PROMPT], WORLD.image))).logliks == before


def test_the_induction_score_compares_labels_of_the_two_concepts() -> None:
    model = lcl.load_model("mini/2-way")
    probe = AttentionProbe(model)
    attention = probe.label_attention(PROMPT, WORLD.image)
    for head, score in probe.induction_scores(PROMPT, WORLD.image).items():
        own = [a for a, one in zip(attention[head], EPISODE.support, strict=True) if one.label == EPISODE.true_name]
        other = [a for a, one in zip(attention[head], EPISODE.support, strict=True) if one.label != EPISODE.true_name]
        assert score == pytest.approx(sum(own) / len(own) - sum(other) / len(other), abs=1e-6)


def test_heads_of_the_second_layer_attend_to_the_right_labels_in_the_shipped_model() -> None:
    probe = AttentionProbe(lcl.load_model("mini/2-way"))
    prompts = [chat(lcl.draw_episode(WORLD, 0, query, 4)) for query in range(20)]
    scores = [probe.induction_scores(prompt, WORLD.image) for prompt in prompts]
    mean = {head: sum(of_prompt[head] for of_prompt in scores) / len(scores) for head in scores[0]}
    assert all(value > 0.2 for head, value in mean.items() if head.layer == 1)
    assert all(value < 0.1 for head, value in mean.items() if head.layer != 1)
