"""Evaluates prompts as a prefix tree: every image is encoded once, and every shared prefix is computed once.

Batches go depth first; each row continues from what is stored of its parent. All candidates and the greedy answer of a
prompt continue from its end. What is stored, and how a batch continues from it, is up to the subclasses.

T is the number of tokens of a segment.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import torch
from PIL.Image import Image
from torch import Tensor

from lcl_lab.concepts import ImageRef
from lcl_lab.models.engine.decoding import DecodingState
from lcl_lab.models.engine.feature_disk_cache import FeatureDiskCache
from lcl_lab.models.engine.oom import split_on_oom
from lcl_lab.models.engine.prefix_tree import Node, build_tree, schedule_batches
from lcl_lab.models.engine.prompt_encoder import EncodedPrompt, Generated, PromptEncoder
from lcl_lab.models.engine.query_only_encoder import QueryOnlyEncoder
from lcl_lab.models.engine.vision_cache import EncodedImage, ImageEncoder, ImageKey, PlaceholderEncoder
from lcl_lab.models.interface import Loglik
from lcl_lab.models.shikra.shikra_architecture import ShikraConfig

__all__ = ["Result", "Segment", "TreeEngine"]

P = TypeVar("P")
"""What is stored of a prefix, for the nodes that continue it."""

Result = tuple[Sequence[int], dict[tuple[int, ...], Loglik]]
"""The ids of the greedy answer at a node, and the log-likelihood of each candidate there."""


@dataclass(frozen=True)
class Segment:
    """The token ids of a node, and the encoded images among them.

    Attributes:
        ids: (T,).
        types: (T,), 1 for tokens of an image that attend to the whole image, and 0 for others.
        images: the images in order.
    """

    ids: list[int]
    types: list[int]
    images: list[EncodedImage]

    def __add__(self, following: Segment) -> Segment:
        return Segment(self.ids + following.ids, self.types + following.types, self.images + following.images)


class TreeEngine(ABC, Generic[P]):
    """Evaluates prompts with a model that accepts encoded images and continues from a prefix.

    Args:
        model: an image-text-to-text model of `transformers`.
        processor: its processor.
        encoder: a prompt encoder for the processor, with a placeholder of one token.
        batch_size: prompts in a batch; halved whenever memory runs out.
        new_tokens: maximum number of tokens of a greedy answer; None for the limit of each prompt.
        disk_cache: where image features are stored between runs; None to keep them in memory only.

    Attributes:
        tokens_computed: number of prompt tokens, padding included, that went through the model.
        images: encodes the images.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        encoder: PromptEncoder,
        batch_size: int,
        new_tokens: int | None,
        disk_cache: FeatureDiskCache | None = None,
    ) -> None:
        self._model, self._encoder, self.batch_size, self._new_tokens = model, encoder, batch_size, new_tokens
        self.images = self._image_encoder(model, processor, encoder.template.image, disk_cache)
        self._ends = frozenset(encoder.ends)
        self._rope_index = getattr(getattr(model, "model", model), "get_rope_index", None)
        self.tokens_computed = 0

    @property
    def images_encoded(self) -> int:
        """Number of images that went through the vision encoder."""
        return self.images.images_encoded

    def reset_counters(self) -> None:
        """Count from here on."""
        self.tokens_computed = self.images.images_encoded = 0

    @torch.inference_mode()
    def answer(
        self, prompts: Sequence[EncodedPrompt], image: Callable[[ImageRef], Image]
    ) -> Iterator[tuple[int, Generated, tuple[Loglik, ...]]]:
        """Yield the number, greedy answer and candidates' log-likelihoods of every prompt, as they are computed.

        Args:
            prompts: encoded prompts; those that share a prefix should be passed together.
            image: returns an image of the prompts in RGB.

        Raises:
            UserError: a single prompt needs more memory than there is.
        """
        keys = [self.images.keys(prompt.images) for prompt in prompts]
        encoded = self.images.encode([key for of_prompt in keys for key in of_prompt], image)
        prompts = [
            self._encoder.with_room(prompt, len(prompt.prefix) + sum(len(encoded[key].ids) - 1 for key in of_prompt))
            for prompt, of_prompt in zip(prompts, keys, strict=True)
        ]
        root = build_tree([self._units(prompt, of_prompt) for prompt, of_prompt in zip(prompts, keys, strict=True)])
        segments = {node: self._segment(node, encoded) for node in root.descendants()}
        prefixes: dict[Node, P] = {root: self._root()}
        pending_children = {node: len(node.children) for node in (root, *segments)}
        for batch in schedule_batches(root, lambda node: len(segments[node].ids), lambda: self.batch_size):

            def step(nodes: Sequence[Node]) -> tuple[list[P | None], list[Result]]:
                return self._step(nodes, segments, prefixes, prompts)

            for nodes, (ends, results) in split_on_oom(batch, step, self):
                for node, prefix in zip(nodes, ends, strict=True):
                    if prefix:
                        prefixes[node] = prefix
                    assert node.parent is not None
                    pending_children[node.parent] -= 1
                    if not pending_children[node.parent]:
                        del prefixes[node.parent]
                for node, (ids, logliks) in zip(nodes, results, strict=False):
                    for number in node.ends:
                        prompt = prompts[number]
                        generated = self._encoder.parse(ids[: prompt.answer_limit(self._new_tokens)])
                        generated = replace(generated, prompt_tokens=prompt.tokens)
                        yield number, generated, tuple(logliks[tuple(c)] for c in prompt.candidates)

    def segment(self, prompt: EncodedPrompt, image: Callable[[ImageRef], Image]) -> Segment:
        """The token ids of a whole prompt, and its encoded images."""
        keys = self.images.keys(prompt.images)
        encoded = self.images.encode(keys, image)
        (node,) = build_tree([self._units(prompt, keys)]).descendants()
        return self._segment(node, encoded)

    @torch.inference_mode()
    def score_copies(
        self,
        prompt: EncodedPrompt,
        image: Callable[[ImageRef], Image],
        copies: int,
        during: AbstractContextManager[object],
    ) -> list[tuple[Loglik, ...]]:
        """Score the candidates of a prompt in a batch of copies, each of which may be changed in another way.

        Args:
            prompt: the encoded prompt.
            image: returns an image of the prompt in RGB.
            copies: the number of rows B.
            during: entered while the prompt itself is computed, as B rows of T tokens without padding, and left before
                the candidates are.

        Returns:
            The log-likelihood of each candidate, for each row.
        """
        segment = self.segment(prompt, image)
        with during:
            state = self._prefill_whole([segment] * copies, max(map(len, prompt.candidates), default=0))
        scores = state.score([prompt.candidates] * copies, prompt.closing)
        return [tuple(loglik for loglik, _ in of_row) for of_row in scores]

    @abstractmethod
    def _root(self) -> P:
        """The empty prefix."""

    @abstractmethod
    def _prefill_whole(self, segments: Sequence[Segment], capacity: int) -> DecodingState:
        """Compute whole prompts of equal length, one per row, with room for some more tokens."""

    @abstractmethod
    def _step(
        self,
        nodes: Sequence[Node],
        segments: Mapping[Node, Segment],
        prefixes: Mapping[Node, P],
        prompts: Sequence[EncodedPrompt],
    ) -> tuple[list[P | None], list[Result]]:
        """Compute a batch of nodes: the prefix that each one's children continue, and the results of prompts there."""

    def _image_encoder(
        self, model: Any, processor: Any, placeholder: str, disk_cache: FeatureDiskCache | None
    ) -> ImageEncoder:
        """What encodes the images; see `ImageEncoder` for the arguments."""
        query_only = isinstance(model.config, ShikraConfig) and model.config.images == "query-only"
        kind = QueryOnlyEncoder if query_only else PlaceholderEncoder
        return kind(model, processor, placeholder, disk_cache)

    def _units(self, prompt: EncodedPrompt, keys: Sequence[ImageKey]) -> list[Hashable]:
        """The units of a prompt in the prefix tree, given the keys of its images."""
        return prompt.units(keys)

    def _segment(self, node: Node, encoded: Mapping[ImageKey, EncodedImage]) -> Segment:
        """The segment of a node, given the encoded images."""
        ids: list[int] = []
        types: list[int] = []
        images: list[EncodedImage] = []
        for unit in node.units:
            if isinstance(unit, int):
                ids.append(unit)
                types.append(0)
            else:
                images.append(encoded[unit])  # type: ignore[index]
                ids += images[-1].ids
                types += images[-1].types
        return Segment(ids, types, images)

    def _positions(self, segment: Segment, start: int) -> tuple[Tensor, int]:
        """Position ids of a segment from `start`, (T,) or (3, T), and the one that follows."""
        count = len(segment.ids)
        if self._rope_index is None:
            return torch.arange(start, start + count), start + count
        row = torch.tensor([segment.ids])
        grids = [one.grid for one in segment.images if one.grid is not None]
        tensors = {
            "mm_token_type_ids": torch.tensor([segment.types], dtype=torch.int),
            "image_grid_thw": torch.cat(grids) if grids else None,
            "attention_mask": torch.ones_like(row),
        }
        accepted = inspect.signature(self._rope_index).parameters
        positions, _ = self._rope_index(row, **{name: value for name, value in tensors.items() if name in accepted})
        return positions[:, 0] + start, int(positions.max()) + 1 + start

    def _decode(self, state: DecodingState, nodes: Sequence[Node], prompts: Sequence[EncodedPrompt]) -> list[Result]:
        """The greedy answer and the candidates' log-likelihoods of each row, one per node.

        A candidate that turns out to be the greedy answer saves the greedy decoding of its row.
        """
        closing = prompts[0].closing
        distinct = [
            list(dict.fromkeys(tuple(c) for number in node.ends for c in prompts[number].candidates)) for node in nodes
        ]
        logliks: list[dict[tuple[int, ...], Loglik]] = []
        greedy: list[Sequence[int]] = []
        for answers, scores in zip(distinct, state.score(distinct, closing), strict=True):
            logliks.append({answer: loglik for answer, (loglik, _) in zip(answers, scores, strict=True)})
            decided = [answer for answer, (_, is_greedy) in zip(answers, scores, strict=True) if is_greedy]
            ended = [answer for answer in decided if not closing and not self._ends.isdisjoint(answer)]
            greedy.append(ended[0] if ended else ())
        rows = [row for row, ids in enumerate(greedy) if not ids]
        limit = self._longest_limit([nodes[row] for row in rows], prompts)
        for row, ids in zip(rows, state.greedy(rows, self._ends, limit), strict=True):
            greedy[row] = ids
        return list(zip(greedy, logliks, strict=True))

    def _longest_limit(self, nodes: Sequence[Node], prompts: Sequence[EncodedPrompt]) -> int:
        """The maximum number of tokens of a greedy answer to any prompt that ends at some nodes."""
        limits = [prompts[number].answer_limit(self._new_tokens) for node in nodes for number in node.ends]
        return max(limits, default=0)
