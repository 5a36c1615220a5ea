"""One measurement of the evaluator benchmark: `python -m lcl_lab.benchmarks.evaluator_timing METHOD STUDY …`."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode, falsify_at
from lcl_lab.models.engine.engine_choice import choose_engine
from lcl_lab.models.engine.prefix_tree import build_tree
from lcl_lab.models.engine.prompt_encoder import PromptEncoder
from lcl_lab.models.engine.reference_engine import ReferenceEngine
from lcl_lab.models.interface import NEW_TOKENS
from lcl_lab.models.mini.processor import build_processor
from lcl_lab.prompts import Prompt, chat

__all__ = ["measure"]

_BATCH = 32
_SHOTS = 16


def measure(method: str, study: str, supports: int, queries: int, threads: int) -> dict[str, Any]:
    """Evaluate the prompts of a study by one method: seconds, images and tokens, peak memory, and the floor."""

    torch.set_num_threads(threads)
    model, processor = _model()
    encoder, image = PromptEncoder(processor), load_dataset("world-100").image
    prompts = _prompts(study, supports, queries, candidates=method != "once")
    refs = {ref for prompt in prompts for ref in prompt.images}
    pictures = {ref: image(ref) for ref in refs}  # rendering them is not part of an evaluation
    encoded = [encoder(prompt) for prompt in prompts]
    ours: Any = choose_engine("benchmark", model, processor, encoder, _BATCH, NEW_TOKENS)
    plain = ReferenceEngine(model, processor, encoder, _BATCH if method == "batch" else 1, NEW_TOKENS)
    answer: Callable[[], Any] = (
        (lambda: ours.answer(encoded, pictures.__getitem__))
        if method == "ours"
        else (lambda: plain.answer(prompts, pictures.__getitem__))
    )
    before, started = _peak(), time.perf_counter()
    answers = sum(1 for _ in answer())
    seconds = time.perf_counter() - started
    return {
        "prompts": answers,
        "seconds": seconds,
        "images_encoded": (ours if method == "ours" else plain).images_encoded,
        "tokens_computed": (ours if method == "ours" else plain).tokens_computed,
        "memory": _peak() - before,
        "images": len(refs),
        "least": _tree_tokens(encoded, ours),
        "floor": _floor(model, _tree_tokens(encoded, ours), len(refs)),
    }


def _prompts(study: str, supports: int, queries: int, candidates: bool) -> list[Prompt]:
    """The prompts of a study.

    The shot study has every query of a support at 0, 2 … 16 shots; the position study has a quarter of the queries at
    16 shots, with one label false at each position and with none.
    """

    world = load_dataset("world-100")
    each = queries if study == "shots" else max(1, queries // 4)
    episodes = []
    for query in range(supports * each):
        if study == "shots":
            episodes += [draw_episode(world, 0, query, shots, each) for shots in range(0, _SHOTS + 1, 2)]
        else:
            full = draw_episode(world, 0, query, _SHOTS, each)
            episodes += [full, *(falsify_at(full, position) for position in range(1, _SHOTS + 1))]
    prompts = [chat(episode) for episode in episodes]
    return prompts if candidates else [replace(prompt, candidates=()) for prompt in prompts]


def _model() -> tuple[Any, Any]:

    torch.manual_seed(0)
    processor = build_processor(64)
    vision = CLIPVisionConfig(
        hidden_size=384, intermediate_size=1536, num_hidden_layers=5, num_attention_heads=6, image_size=64, patch_size=8
    )
    text = LlamaConfig(
        vocab_size=len(processor.tokenizer),
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=6,
        num_attention_heads=6,
        pad_token_id=0,
    )
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=processor.image_token_id, vision_feature_layer=-1
    )
    model = LlavaForConditionalGeneration(config)
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = 0
    return model.eval(), processor


def _peak() -> int:
    """Peak resident memory of this process in bytes."""

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _tree_tokens(encoded: Sequence[Any], ours: Any) -> int:
    """Tokens in the tree of these prompts."""

    root = build_tree([one.units(ours.images.keys(one.images)) for one in encoded])
    return sum(1 if isinstance(unit, int) else 64 for node in root.descendants() for unit in node.units)


def _floor(model: Any, tokens: int, images: int) -> float:
    """The least seconds that the matrix products of this many tokens and images take."""

    def weights(module: Any) -> int:
        return sum(p.numel() for p in module.parameters() if p.ndim == 2)

    needed = 2.0 * (tokens * weights(model.model.language_model) + images * 64 * weights(model.model.vision_tower))
    one, other = torch.randn(2048, 1024), torch.randn(1024, 1024)
    best = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        one @ other
        best = min(best, time.perf_counter() - started)
    return needed / (2 * 2048 * 1024 * 1024 / best)


if __name__ == "__main__":
    method, study, *numbers = sys.argv[1:]
    print(json.dumps(measure(method, study, *map(int, numbers))))
