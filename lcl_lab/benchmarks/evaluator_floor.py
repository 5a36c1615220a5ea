"""The floor of the evaluator benchmark: `python -m lcl_lab.benchmarks.evaluator_floor STUDY …`, with answers as input.

It is the least time in which the prompts can be evaluated on this machine: the number of operations in the matrix
products of the model and of its attention, over the speed of the fastest matrix product. Counted is every token that
must be computed once: those of the prefix tree, those of candidates, and those of greedy answers that are none of the
candidates.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lcl_lab.benchmarks.evaluator_timing import Answered, benchmark_model, benchmark_prompts, prompt_tree
from lcl_lab.concepts import ImageRef
from lcl_lab.models.engine.prefix_tree import Node
from lcl_lab.models.engine.prompt_encoder import EncodedPrompt, PromptEncoder
from lcl_lab.models.interface import NEW_TOKENS

__all__ = ["Floor", "measure_floor"]

_SIZES = ((2048, 1024, 1024), (2048, 384, 1024), (2048, 1024, 384))  # rows, inputs and outputs
_REPEATS = 20


@dataclass(frozen=True)
class Floor:
    """What evaluation requires at least.

    Attributes:
        prompt_tokens: tokens of the prefix tree.
        answer_tokens: tokens of candidates and greedy answers that follow a computed token.
        operations: floating-point operations of all matrix products, those of attention and vision included.
        speed: operations per second of the fastest matrix product.
    """

    prompt_tokens: int
    answer_tokens: int
    operations: float
    speed: float

    @property
    def seconds(self) -> float:
        """The least time."""
        return self.operations / self.speed


def measure_floor(answers: Sequence[Answered], study: str, supports: int, queries: int, threads: int) -> Floor:
    """Count the operations of a study, and measure this machine's speed.

    Args:
        answers: the answer to each prompt, by which greedy tokens are counted.
        study: as in `benchmark_prompts`.
        supports: as in `benchmark_prompts`.
        queries: as in `benchmark_prompts`.
        threads: threads of torch.
    """
    model, processor = benchmark_model()
    encoder = PromptEncoder(processor)
    encoded = [encoder(prompt) for prompt in benchmark_prompts(study, supports, queries)]
    root, work = prompt_tree(encoded), _Work(model)
    tokens_before = {root: 0}
    for node in root.descendants():
        assert node.parent is not None
        start = tokens_before[node.parent]
        count = sum(work.image_tokens if isinstance(unit, ImageRef) else 1 for unit in node.units)
        tokens_before[node] = start + count
        work.add(start, count)
    prompt_tokens = work.tokens
    for node, end in tokens_before.items():
        _add_answers(work, node, end, encoded, answers, processor.tokenizer)
    images = len({ref for prompt in encoded for ref in prompt.images})
    return Floor(prompt_tokens, work.tokens - prompt_tokens, work.operations + images * work.per_image, _speed(threads))


class _Work:
    """Operations of the tokens that are added."""

    def __init__(self, model: Any) -> None:
        text, vision = model.config.text_config, model.config.vision_config
        self.image_tokens = (vision.image_size // vision.patch_size) ** 2
        self.tokens, self.operations = 0, 0.0
        self._per_token = 2.0 * _weights(model.model.language_model.layers)
        self._per_pair = 4.0 * text.num_hidden_layers * text.num_attention_heads * text.head_dim
        self.per_prediction = 2.0 * _weights(model.lm_head)
        patches = self.image_tokens + 1  # with that of the class
        self.per_image = (
            2.0 * patches * _weights(model.model.vision_tower.get_submodule("encoder"))
            + 4.0 * vision.num_hidden_layers * patches**2 * vision.hidden_size
            + 2.0 * self.image_tokens * _weights(model.model.multi_modal_projector)
            + 2.0 * self.image_tokens * vision.num_channels * vision.patch_size**2 * vision.hidden_size
        )

    def add(self, start: int, count: int) -> None:
        """Tokens that follow `start` others, of which each attends to all before it and to itself."""
        self.tokens += count
        self.operations += count * self._per_token + self._per_pair * (count * start + count * (count + 1) / 2)


def _add_answers(
    work: _Work, node: Node, end: int, encoded: Sequence[EncodedPrompt], answers: Sequence[Answered], tokenizer: Any
) -> None:
    """Add what follows a prompt: its candidates, and its greedy answer unless that is a candidate."""
    if not node.ends:
        return
    candidates = {tuple(candidate) for number in node.ends for candidate in encoded[number].candidates}
    answer = answers[node.ends[0]]
    ids = tokenizer(answer.text, add_special_tokens=False)["input_ids"]
    ended = any(tuple(ids) == candidate[: len(ids)] and len(candidate) == len(ids) + 1 for candidate in candidates)
    greedy = NEW_TOKENS - 1 if answer.cut_off else 0 if ended else len(ids)
    work.operations += work.per_prediction
    for tokens in (*(len(candidate) - 1 for candidate in candidates), greedy):
        work.add(end, tokens)
        work.operations += tokens * work.per_prediction


def _weights(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.ndim == 2)


def _speed(threads: int) -> float:
    """Operations per second of the fastest matrix product, over kernels and sizes."""
    torch.set_num_threads(threads)
    best = 0.0
    with torch.inference_mode():
        for rows, inputs, outputs in _SIZES:
            given, weight = torch.randn(rows, inputs), torch.randn(outputs, inputs)
            for kernel in _kernels():
                for _ in range(_REPEATS):
                    started = time.perf_counter()
                    kernel(given, weight, None)
                    best = max(best, 2 * rows * inputs * outputs / (time.perf_counter() - started))
    return best


def _kernels() -> Iterator[Callable[..., Tensor]]:
    """Those of linear layers: torch's own, and oneDNN's, which is faster on some CPUs."""
    yield functional.linear
    if torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        yield lambda given, weight, bias: torch.ops.mkldnn._linear_pointwise(given, weight, bias, "none", [], "")


if __name__ == "__main__":
    study, *numbers = sys.argv[1:]
    answers = [Answered(*answer) for answer in json.load(sys.stdin)]
    floor = measure_floor(answers, study, *map(int, numbers))
    print(json.dumps({**asdict(floor), "seconds": floor.seconds}))
