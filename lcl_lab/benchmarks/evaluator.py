"""How much faster an evaluation is when every image is looked at once and every shared prefix read once.

Against  one     a whole prompt at a time, all its images looked at again, once for the greedy answer and
                 once for each candidate: what evaluation harnesses do
         once    the same for the greedy answer alone: as if candidates cost nothing
         batch   as `one`, 32 prompts at a time, padded
Floor    what the tree of prefixes asks for at the least, at this machine's speed of matrix products
Model    a LLaVA of 20 M parameters with 64 tokens an image, its weights drawn at random
Command  python -m lcl_lab.benchmarks.evaluator
Time     a quarter of an hour on two cores
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lcl_lab.cli import Parser, at_least, run_program

if TYPE_CHECKING:
    from lcl_lab.prompts import Prompt

__all__ = ["main"]

_WAYS = {"one": "one prompt at a time", "once": "one, greedy answer alone", "batch": "batches of 32", "ours": "ours"}
_BATCH = 32
_SHOTS = 16


def main(arguments: Sequence[str]) -> None:
    """Print the tables of both studies, and how the speed changes with ten times the prompts."""
    parser = Parser(prog="python -m lcl_lab.benchmarks.evaluator", description=__doc__ or "")
    parser.add_argument("--queries", type=at_least(1), default=32, help="of a support in the shot study (default 32)")
    parser.add_argument("--threads", type=at_least(1), default=2, help="of torch (default 2)")
    parser.add_argument("--measure", nargs=3, metavar=("WAY", "STUDY", "SUPPORTS"), help="one of them")
    options = parser.parse_args(arguments)
    if options.measure:
        way, study, supports = options.measure
        print(json.dumps(_measure(way, study, int(supports), options)))
        return

    from rich.console import Console

    from lcl_lab.progress import track

    plan = [(way, study, 1) for study in ("shots", "position") for way in _WAYS] + [("ours", "shots", 10)]
    found = {one: _apart(*one, options) for one in track(plan, "measuring")}
    console = Console()
    for study in ("shots", "position"):
        console.print(_table(study, {way: found[way, study, 1] for way in _WAYS}))
    small, large = (found["ours", "shots", supports] for supports in (1, 10))
    ratio = (large["prompts"] / large["seconds"]) / (small["prompts"] / small["seconds"])
    console.print(f"ours, {large['prompts']} prompts instead of {small['prompts']}: {ratio:.2f}× the prompts/s")


def _apart(way: str, study: str, supports: int, options: Any) -> dict[str, Any]:
    """One measurement in a process of its own, so that its memory is its own."""
    words = ["--queries", str(options.queries), "--threads", str(options.threads)]
    command = [sys.executable, "-m", "lcl_lab.benchmarks.evaluator", *words, "--measure", way, study, str(supports)]
    environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def _measure(way: str, study: str, supports: int, options: Any) -> dict[str, Any]:
    import torch

    from lcl_lab.concepts import load_dataset
    from lcl_lab.models.engine.prefix_engine import PrefixEngine
    from lcl_lab.models.engine.prompt_encoder import PromptEncoder
    from lcl_lab.models.engine.reference_engine import ReferenceEngine

    torch.set_num_threads(options.threads)
    model, processor = _model()
    encoder, image = PromptEncoder(processor), load_dataset("world-100").image
    prompts = _prompts(study, supports, options.queries, candidates=way != "once")
    refs = {ref for prompt in prompts for ref in prompt.images}
    pictures = {ref: image(ref) for ref in refs}  # drawing them is no part of an evaluation
    encoded = [encoder(prompt) for prompt in prompts]
    ours = PrefixEngine(model, processor, encoder, _BATCH)
    plain = ReferenceEngine(model, processor, encoder, _BATCH if way == "batch" else 1)
    answer: Callable[[], Any] = (
        (lambda: ours.answer(encoded, pictures.__getitem__))
        if way == "ours"
        else (lambda: plain.answer(prompts, pictures.__getitem__))
    )
    before, started = _peak(), time.perf_counter()
    answers = sum(1 for _ in answer())
    seconds = time.perf_counter() - started
    return {
        "prompts": answers,
        "seconds": seconds,
        "images_encoded": (ours if way == "ours" else plain).images_encoded,
        "tokens_computed": (ours if way == "ours" else plain).tokens_computed,
        "memory": _peak() - before,
        "images": len(refs),
        "least": _least(encoded, encoder.placeholder, ours),
        "floor": _floor(model, _least(encoded, encoder.placeholder, ours), len(refs)),
    }


def _prompts(study: str, supports: int, queries: int, candidates: bool) -> list[Prompt]:
    """The shot study asks every query of a support at 0, 2 … 16 shots; the position study a quarter of them at 16
    shots with one label false, at each place, and with none."""
    from dataclasses import replace

    from lcl_lab.concepts import load_dataset
    from lcl_lab.episodes import draw_episode, falsify_at
    from lcl_lab.prompts import chat

    world = load_dataset("world-100")
    each = queries if study == "shots" else max(1, queries // 4)
    episodes = []
    for query in range(supports * each):
        if study == "shots":
            episodes += [draw_episode(world, 0, query, shots, each) for shots in range(0, _SHOTS + 1, 2)]
        else:
            full = draw_episode(world, 0, query, _SHOTS, each)
            episodes += [full, *(falsify_at(full, place) for place in range(1, _SHOTS + 1))]
    prompts = [chat(episode) for episode in episodes]
    return prompts if candidates else [replace(prompt, candidates=()) for prompt in prompts]


def _model() -> tuple[Any, Any]:
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    from lcl_lab.models.mini.processor import build_processor

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
    """Bytes of memory that this process had at most."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _least(encoded: Sequence[Any], placeholder: int, ours: Any) -> int:
    """Tokens in the tree of these prompts."""
    from lcl_lab.models.engine.prefix_tree import build_tree

    root = build_tree([one.units(placeholder, ours.images.keys(one.images)) for one in encoded])
    return sum(1 if isinstance(unit, int) else 64 for node in root.descendants() for unit in node.units)


def _floor(model: Any, tokens: int, images: int) -> float:
    """Seconds that the matrix products of so many tokens and images take at the least."""
    import torch

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


def _table(study: str, rows: dict[str, dict[str, Any]]) -> Any:
    from rich.table import Table

    ours = rows["ours"]
    title = f"{study}: {ours['prompts']} prompts, {ours['images']} images, at least {ours['least']:,} tokens"
    table = Table(
        "", "seconds", "prompts/s", "images encoded", "tokens computed", "peak memory", "ours is", title=title
    )
    for way, row in rows.items():
        table.add_row(
            _WAYS[way],
            f"{row['seconds']:.1f}",
            f"{row['prompts'] / row['seconds']:.1f}",
            f"{row['images_encoded']:,}",
            f"{row['tokens_computed']:,}",
            f"{row['memory'] / 2**20:.0f} MiB",
            f"{row['seconds'] / ours['seconds']:.1f}×",
        )
    floor = ours["floor"]
    table.add_row(
        "floor", f"{floor:.1f}", "", f"{ours['images']:,}", f"{ours['least']:,}", "", f"{floor / ours['seconds']:.2f}×"
    )
    return table


if __name__ == "__main__":
    run_program(main)
