"""Templates with the quirks of ten model families: an answer is scored exactly where the model would generate it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import transformers as hf

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.models.engine.chat_template import TemplateError
from lcl_lab.models.engine.prompt_encoder import PromptEncoder
from lcl_lab.prompts import QUESTION, chat
from tests.models.factories import tokenizer

TEMPLATES = Path(__file__).parent / "templates"
PROMPT = chat(draw_episode(load_dataset("world-100"), 0, 0, 2))
NAMES = PROMPT.candidates


@dataclass(frozen=True)
class Family:
    """What a family's template must give.

    Attributes:
        image: what it writes for an image.
        special: its other special tokens.
        eos: the tokens that its generation config names.
        start: the beginning of the prompt.
        end: the end of the prompt, where the model generates its answer.
        before: what the model generates in front of a name.
        after: what the model generates after a name.
        closing: in thinking mode, what lies between the prompt and the answer.
    """

    image: str
    special: tuple[str, ...]
    eos: tuple[str, ...]
    start: str
    end: str
    before: str = ""
    after: str = ""
    closing: str = ""


CHATML = ("<|im_start|>", "<|im_end|>")
THINK = ("<think>", "</think>")
VISION = "<|vision_start|><|image_pad|><|vision_end|>"
QWEN = ("<|vision_start|>", "<|image_pad|>", "<|vision_end|>", *CHATML)
MEDIA = ("<|media_begin|>", "<|media_content|>", "<|media_pad|>", "<|media_end|>")
KIMI = (*MEDIA, "<|im_user|>", "<|im_middle|>", "<|im_assistant|>", "<|im_end|>", *THINK)
GLM = ("[gMASK]", "<sop>", "<|begin_of_image|>", "<|image|>", "<|end_of_image|>", "<|endoftext|>", "<|observation|>")
FAMILIES = {
    "qwen2_vl": Family(
        VISION, QWEN, ("<|im_end|>",), "<|im_start|>system\nYou are", "<|im_start|>assistant\n", "", "<|im_end|>"
    ),
    "qwen3_vl_thinking": Family(
        VISION, QWEN + THINK, ("<|im_end|>",), "<|im_start|>user\n", "<|im_start|>assistant\n<think>\n\n</think>\n\n",
        "", "<|im_end|>", "\n</think>\n\n",
    ),
    "qwen3_5": Family(
        VISION, QWEN + THINK, ("<|im_end|>",), "<|im_start|>user\n", "<|im_start|>assistant\n<think>\n\n</think>\n\n",
        "", "<|im_end|>", "\n</think>\n\n",
    ),
    "llava_1_5": Family("<image>", ("<image>", "</s>"), ("</s>",), "USER: <image>\n", "ASSISTANT:", " ", "</s>"),
    "gemma3": Family(
        "<start_of_image>", ("<start_of_image>", "<start_of_turn>", "<end_of_turn>"), ("<|end|>", "<end_of_turn>"),
        "<s><start_of_turn>user\n", "<start_of_turn>model\n", "", "<end_of_turn>",
    ),
    "llama_3_2": Family(
        "<|image|>", ("<|image|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"), ("<|end|>", "<|eot_id|>"),
        "<s><|start_header_id|>user", "<|start_header_id|>assistant<|end_header_id|>\n\n", "", "<|eot_id|>",
    ),
    "pixtral": Family("[IMG]", ("[IMG]", "[INST]", "[/INST]"), ("<|end|>",), "<s>[INST]", "[/INST]", "", "<|end|>"),
    "glm_4_1v_thinking": Family(
        "<|begin_of_image|><|image|><|end_of_image|>", GLM + THINK, ("<|endoftext|>", "<|user|>", "<|observation|>"),
        "[gMASK]<sop><|user|>\n", "<|assistant|>\n<think></think>", "", "<|user|>", "</think>",
    ),
    "smolvlm": Family(
        "<image>", ("<image>", "<end_of_utterance>", "<|im_start|>"), ("<end_of_utterance>",),
        "<|im_start|>User: ", "\nAssistant:", " ", "<end_of_utterance>",
    ),
    "internvl3": Family(
        "<IMG_CONTEXT>", ("<IMG_CONTEXT>", *CHATML), ("<|im_end|>",), "<|im_start|>user\n", "<|im_start|>assistant\n",
        "", "<|im_end|>",
    ),
    "kimi": Family(
        "<|media_begin|>image<|media_content|><|media_pad|><|media_end|>", KIMI, ("<|im_end|>",),
        "<|im_user|>user<|im_middle|>", "<|im_assistant|>assistant<|im_middle|><think></think>", "", "<|im_end|>",
        "</think>",
    ),
    "vicuna_text_only": Family(
        "<image>", ("<image>",), ("<|end|>",), f"USER: {QUESTION}", "ASSISTANT:", " ", "<|end|>"
    ),
    "no_final_answer": Family("<image>", ("<image>",), ("<|end|>",), "<|user|>", "<|assistant|>", "", "<|end|>"),
}  # fmt: skip


def build_processor(name: str, family: Family, in_tokenizer: bool = False) -> Any:
    words = tokenizer(list(dict.fromkeys(family.special)), image_token=_image_token(family))
    template = (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8").removesuffix("\n")
    images = hf.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor = hf.LlavaProcessor(
        images, words, patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1
    )
    if in_tokenizer:
        words.chat_template = template
    else:
        processor.chat_template = template
    return processor


def _image_token(family: Family) -> str:
    named = [token for token in family.special if token in family.image]
    return next(token for token in named if not any(word in token for word in ("begin", "vision_start", "content")))


def encoder(name: str, thinking: bool = False) -> tuple[PromptEncoder, Any]:
    family = FAMILIES[name]
    processor = build_processor(name, family, in_tokenizer=name == "vicuna_text_only")
    return PromptEncoder(
        processor, processor.tokenizer.convert_tokens_to_ids(list(family.eos)), thinking
    ), processor.tokenizer


@pytest.mark.parametrize("name", FAMILIES)
def test_answers_are_scored_where_the_model_generates_them(name: str) -> None:
    family = FAMILIES[name]
    encode, words = encoder(name)
    text = encode.render(PROMPT)
    assert text.startswith(family.start)
    assert text.endswith(family.end)
    assert text.count(family.image) == len(PROMPT.images)
    encoded = encode(PROMPT)
    assert encoded.prefix.count(encode.placeholder) == len(PROMPT.images)
    assert encoded.closing == 0
    for ids, answer in zip(encoded.candidates, NAMES, strict=True):
        assert words.decode(ids) == f"{family.before}{answer}{family.after}"


@pytest.mark.parametrize("name", FAMILIES)
def test_the_answer_of_a_shot_has_the_tokens_of_a_candidate(name: str) -> None:
    """What is scored is what the model reads as the answers of the support."""
    encode, _ = encoder(name)
    last_label = next(part for turn in reversed(PROMPT.turns) for part in turn.parts if turn.role == "assistant")
    answer = [token for token in encode(PROMPT).candidates[NAMES.index(str(last_label))] if token not in encode.ends]
    prefix = encode(PROMPT).prefix
    assert any(prefix[start : start + len(answer)] == answer for start in range(len(prefix)))


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if family.closing])
def test_thinking_is_separated_from_the_answer(name: str) -> None:
    family = FAMILIES[name]
    encode, words = encoder(name, thinking=True)
    text = encode.render(PROMPT)
    assert text.endswith(family.end.removesuffix(family.closing))
    encoded = encode(PROMPT)
    assert words.decode(encoded.candidates[0]) == f"{family.closing}{NAMES[0]}{family.after}"
    assert words.decode(encoded.candidates[0][: encoded.closing]) == family.closing

    def ids(generated: str) -> list[int]:
        return list(words(generated, add_special_tokens=False)["input_ids"])

    finished = encode.parse(ids(f"It has spines.</think>\n\n{NAMES[0]}{family.after}"))
    assert (finished.text, finished.thinking, finished.cut_off) == (NAMES[0], "It has spines.", False)
    cut_off = encode.parse(ids("It has spi"))
    assert (cut_off.text, cut_off.cut_off) == (None, True)


def test_a_template_that_drops_images_is_refused() -> None:
    family = FAMILIES["llava_1_5"]
    processor = build_processor("llava_1_5", family)
    processor.chat_template = (
        "{% for message in messages %}{{ message.role }}: {{ message.content[0].text }}\n{% endfor %}"
    )
    with pytest.raises(TemplateError, match="writes no placeholder for an image"):
        PromptEncoder(processor)


def test_a_template_that_fails_is_refused_with_its_reason() -> None:
    processor = build_processor("llava_1_5", FAMILIES["llava_1_5"])
    processor.chat_template = "{{ raise_exception('only one turn is supported') }}"
    with pytest.raises(TemplateError, match="only one turn is supported"):
        PromptEncoder(processor)


def test_without_a_template_every_turn_has_its_line() -> None:
    processor = build_processor("llava_1_5", FAMILIES["llava_1_5"])
    processor.chat_template = None
    encode = PromptEncoder(processor)
    first, second, third = encode.render(PROMPT).split("\n")[0::2]
    assert first == f"User: {QUESTION} <image>"
    assert second == first == third.split("\n")[0]
    assert encode.render(PROMPT).endswith("\nAssistant:")
    assert [processor.tokenizer.decode(ids) for ids in encode(PROMPT).candidates] == [f" {name}\n" for name in NAMES]
