"""One measurement of the evaluator benchmark: `python -m lcl_lab.benchmarks.evaluator_timing METHOD STUDY …`.

It also runs with the package of another checkout, so it needs only what versions have in common.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode, falsify_at
from lcl_lab.models.engine.engine_choice import choose_engine
from lcl_lab.models.engine.prefix_tree import Node, build_tree
from lcl_lab.models.engine.prompt_encoder import EncodedPrompt, PromptEncoder
from lcl_lab.models.engine.reference_engine import ReferenceEngine
from lcl_lab.models.interface import NEW_TOKENS
from lcl_lab.models.mini.processor import build_processor
from lcl_lab.prompts import Prompt, chat

__all__ = ["Answered", "benchmark_model", "benchmark_prompts", "measure", "prompt_tree"]

_BATCH = 32
_SHOTS = 16


class Answered(NamedTuple):
    """The answer to a prompt.

    Attributes:
        text: the greedy answer.
        cut_off: whether the model would have gone on.
        logliks: the log-likelihood of each candidate, in nats.
    """

    text: str
    cut_off: bool
    logliks: Sequence[float]


def measure(method: str, study: str, supports: int, queries: int, threads: int) -> dict[str, Any]:
    """Evaluate the prompts of a study by one method: seconds, images and tokens, peak memory, and the answers."""
    torch.set_num_threads(threads)
    model, processor = benchmark_model()
    encoder, image = PromptEncoder(processor), load_dataset("world-100").image
    prompts = benchmark_prompts(study, supports, queries, candidates=method != "once")
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
    before, started, computed = _peak(), time.perf_counter(), time.process_time()
    results = list(answer())
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - computed
    answered = {
        number: Answered(generated.text, generated.cut_off, [loglik.total for loglik in logliks])
        for number, generated, logliks in results
    }
    return {
        "prompts": len(prompts),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "images_encoded": (ours if method == "ours" else plain).images_encoded,
        "tokens_computed": (ours if method == "ours" else plain).tokens_computed,
        "memory": _peak() - before,
        "images": len(refs),
        "answers": [answered[number] for number in range(len(prompts))],
    }


def benchmark_prompts(study: str, supports: int, queries: int, candidates: bool = True) -> list[Prompt]:
    """The prompts of a study.

    The shot study has every query of a support at 0, 2 … 16 shots; the position study has a quarter of the queries at
    16 shots, with one label false at each position and with none.

    Args:
        study: "shots" or "position".
        supports: number of supports.
        queries: queries per support.
        candidates: whether candidates are scored.
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


def benchmark_model() -> tuple[Any, Any]:
    """The model of the benchmark with random weights, which are always the same, and its processor."""
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


def prompt_tree(encoded: Sequence[EncodedPrompt]) -> Node:
    """The prefix tree of prompts, whose units are token ids and images."""
    return build_tree([prompt.units(prompt.images) for prompt in encoded])


def _peak() -> int:
    """Peak resident memory of this process in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    method, study, *numbers = sys.argv[1:]
    print(json.dumps(measure(method, study, *map(int, numbers))))
