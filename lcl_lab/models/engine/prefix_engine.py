"""Evaluates prompts as a prefix tree: every image is encoded once, and every shared prefix is computed once.

Batches go depth first; each row continues from the cached prefix of its parent. All candidates and the greedy answer
of a prompt continue from its end. T is the number of tokens of a segment.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL.Image import Image, fromarray
from torch import Tensor
from torch.nn.functional import pad

from lcl_lab.concepts import ImageRef
from lcl_lab.models.engine.attention import use_shared_attention
from lcl_lab.models.engine.decoding import DecodingState, end_tokens
from lcl_lab.models.engine.feature_disk_cache import FeatureDiskCache
from lcl_lab.models.engine.kv_cache import PrefixCache, SegmentKV, is_plain_kv_cache
from lcl_lab.models.engine.oom import split_on_oom
from lcl_lab.models.engine.prefix_tree import Node, build_tree, schedule_batches
from lcl_lab.models.engine.prompt_encoder import EncodedPrompt, PromptEncoder
from lcl_lab.models.engine.reference_engine import ReferenceEngine
from lcl_lab.models.engine.vision_cache import EncodedImage, ImageEncoder, ImageKey
from lcl_lab.models.interface import NEW_TOKENS, Loglik
from lcl_lab.prompts import Prompt, Turn

__all__ = ["PrefixEngine", "PrefixSharingError", "can_share"]

_TOLERANCE = {torch.float32: 1e-4}  # nats per token that the two engines may differ by
_LOW_PRECISION_TOLERANCE = 0.1  # in other dtypes

_Result = tuple[str, dict[tuple[int, ...], Loglik]]
"""The greedy answer at a node, and the log-likelihood of each candidate there."""


class PrefixSharingError(Exception):
    """Computing a model in segments does not reproduce its log-likelihoods."""


@dataclass(frozen=True)
class _Segment:
    """The token ids of a node, and the encoded images among them."""

    ids: list[int]
    images: list[EncodedImage]


@dataclass(frozen=True, eq=False)
class _Prefix:
    """Cached KV segments along a node's path, their total length, and the next position id."""

    path: list[SegmentKV]
    tokens: int
    position: int


def can_share(model: Any) -> bool:
    """Whether a model accepts precomputed image features and has a plain KV cache.

    Args:
        model: a model of `transformers`.
    """
    inner: Any = getattr(model, "model", None)
    if not hasattr(inner, "get_image_features"):
        return False
    if "mm_encoder_outputs" not in inspect.signature(inner.forward).parameters:
        return False
    return is_plain_kv_cache(_cache_of_one_token(model))


class PrefixEngine:
    """Evaluates prompts with a model that can share prefixes.

    Args:
        model: an image-text-to-text model of `transformers`; its attention implementation is replaced.
        processor: its processor.
        encoder: a prompt encoder for the processor.
        batch_size: prompts in a batch; halved whenever memory runs out.
        disk_cache: where image features are stored between runs; None to keep them in memory only.

    Attributes:
        tokens_computed: number of prompt tokens, padding included, that went through the model.

    Raises:
        PrefixSharingError: the log-likelihoods differ from those of whole prompts; the model is left as it was.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        encoder: PromptEncoder,
        batch_size: int,
        disk_cache: FeatureDiskCache | None = None,
    ) -> None:
        self._model, self._encoder, self.batch_size = model, encoder, batch_size
        prompts = _trial_prompts()
        reference = ReferenceEngine(model, processor, encoder, 1)
        expected = [reference.logliks(prompt, _noise) for prompt in prompts]
        previous = use_shared_attention(model)
        self.images = ImageEncoder(model, processor, disk_cache)
        self._layers = len(_cache_of_one_token(model).layers)
        self._ends = end_tokens(model)
        self._rope_index = getattr(model.model, "get_rope_index", None)
        self.tokens_computed = 0
        results = {number: logliks for number, _, logliks in self.answer([encoder(p) for p in prompts], _noise)}
        pairs = [pair for number, one in enumerate(expected) for pair in zip(one, results[number], strict=True)]
        tolerance = _TOLERANCE.get(model.dtype, _LOW_PRECISION_TOLERANCE)
        if max(abs(a.per_token - b.per_token) for a, b in pairs) > tolerance:
            model.set_attn_implementation(previous)
            raise PrefixSharingError
        self.tokens_computed = self.images.images_encoded = 0

    @property
    def images_encoded(self) -> int:
        """Number of images that went through the vision encoder."""
        return self.images.images_encoded

    @torch.inference_mode()
    def answer(
        self, prompts: Sequence[EncodedPrompt], image: Callable[[ImageRef], Image]
    ) -> Iterator[tuple[int, str, tuple[Loglik, ...]]]:
        """Yield the number, greedy text and candidates' log-likelihoods of every prompt, as they are computed.

        Args:
            prompts: encoded prompts; those that share a prefix should be passed together.
            image: returns an image of the prompts in RGB.

        Raises:
            UserError: a single prompt needs more memory than there is.
        """
        keys = [self.images.keys(prompt.images) for prompt in prompts]
        encoded = self.images.encode([key for of_prompt in keys for key in of_prompt], image)
        root = build_tree(
            [
                prompt.units(self._encoder.placeholder, of_prompt)
                for prompt, of_prompt in zip(prompts, keys, strict=True)
            ]
        )
        segments = {node: _segment(node, encoded) for node in root.descendants()}
        prefixes = {root: _Prefix([], 0, 0)}
        pending_children = {node: len(node.children) for node in (root, *segments)}
        for batch in schedule_batches(root, lambda node: len(segments[node].ids), lambda: self.batch_size):

            def step(nodes: Sequence[Node]) -> tuple[list[_Prefix | None], list[_Result]]:
                return self._step(nodes, segments, prefixes, prompts)

            for nodes, (ends, results) in split_on_oom(batch, step, self):
                for node, prefix in zip(nodes, ends, strict=True):
                    if prefix:
                        prefixes[node] = prefix
                    assert node.parent is not None
                    pending_children[node.parent] -= 1
                    if not pending_children[node.parent]:
                        del prefixes[node.parent]
                for node, (text, logliks) in zip(nodes, results, strict=False):
                    for number in node.ends:
                        yield number, text, tuple(logliks[tuple(c)] for c in prompts[number].candidates)

    def _step(
        self,
        nodes: Sequence[Node],
        segments: Mapping[Node, _Segment],
        prefixes: Mapping[Node, _Prefix],
        prompts: Sequence[EncodedPrompt],
    ) -> tuple[list[_Prefix | None], list[_Result]]:
        """Compute a batch of nodes: the prefix that each one's children continue, and the results of prompts there."""
        parents = [prefixes[node.parent] for node in nodes if node.parent]
        batch = [segments[node] for node in nodes]
        candidates = [[tuple(c) for number in node.ends for c in prompts[number].candidates] for node in nodes]
        capacity = NEW_TOKENS + max((len(c) for of_node in candidates for c in of_node), default=0)
        state = self._prefill(batch, parents, capacity)
        ends: list[_Prefix | None] = []
        for row, (node, segment, parent) in enumerate(zip(nodes, batch, parents, strict=True)):
            length = len(segment.ids)
            if node.children:
                path = [*parent.path, state.cache.last(row, length)]
                ends.append(_Prefix(path, parent.tokens + length, int(state.positions[row])))
            else:
                ends.append(None)
        return ends, self._decode(state, candidates) if nodes[0].ends else []

    def _prefill(self, segments: Sequence[_Segment], parents: Sequence[_Prefix], capacity: int) -> DecodingState:
        """Compute one segment per row; rows with the same parent are next to each other."""
        longest = max(len(segment.ids) for segment in segments)
        device = self._model.device
        ids = torch.zeros(len(segments), longest, dtype=torch.long)
        mask = torch.zeros(len(segments), longest, dtype=torch.long)
        positions, following = [], []
        for row, (segment, parent) in enumerate(zip(segments, parents, strict=True)):
            length = len(segment.ids)
            ids[row, longest - length :] = torch.tensor(segment.ids)
            mask[row, longest - length :] = 1
            of_row, then = self._positions(segment, parent.position)
            positions.append(pad(of_row, (longest - length, 0)))
            following.append(then)
        groups = list(dict.fromkeys(parents))
        if len({parents.count(prefix) for prefix in groups}) > 1:
            groups = list(parents)  # a batch that was split unevenly: each row gets a copy of its prefix
        cache = PrefixCache(
            self._layers,
            [prefix.path for prefix in groups],
            [prefix.tokens for prefix in groups],
            longest + capacity,
        )
        images = [one for segment in segments for one in segment.images]
        output = self._model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=torch.stack(positions, dim=-2).to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
            prefix_cache=cache,
            **({"mm_encoder_outputs": self.images.model_input(images)} if images else {}),
        )
        self.tokens_computed += ids.numel()
        logits = output.logits[:, -1].float()
        return DecodingState(self._model, cache, mask.to(device), torch.tensor(following, device=device), logits)

    def _positions(self, segment: _Segment, start: int) -> tuple[Tensor, int]:
        """Position ids of a segment from `start`, (T,) or (3, T), and the one that follows."""
        count = len(segment.ids)
        if self._rope_index is None:
            return torch.arange(start, start + count), start + count
        row = torch.tensor([segment.ids])
        grids = [one.grid for one in segment.images if one.grid is not None]
        positions, _ = self._rope_index(
            row,
            mm_token_type_ids=(row == self._encoder.placeholder).int(),
            image_grid_thw=torch.cat(grids) if grids else None,
        )
        return positions[:, 0] + start, int(positions.max()) + 1 + start

    def _decode(self, state: DecodingState, candidates: Sequence[Sequence[tuple[int, ...]]]) -> list[_Result]:
        """The greedy text and the candidates' log-likelihoods of each row.

        A candidate that turns out to be the greedy answer saves the greedy decoding of its row.
        """
        distinct = [list(dict.fromkeys(of_row)) for of_row in candidates]
        logliks: list[dict[tuple[int, ...], Loglik]] = [{} for _ in distinct]
        greedy: list[Sequence[int] | None] = [None] * len(distinct)
        for turn in range(max(map(len, distinct))):
            answers = [of_row[min(turn, len(of_row) - 1)] for of_row in distinct]
            for row, (answer, (loglik, is_greedy)) in enumerate(zip(answers, state.score(answers), strict=True)):
                logliks[row][answer] = loglik
                if is_greedy and torch.isin(torch.tensor(answer), self._ends.cpu()).any():
                    greedy[row] = answer
        open_rows = [row for row, ids in enumerate(greedy) if ids is None]
        if open_rows:
            rest = state if len(open_rows) == len(greedy) else state.select(open_rows)
            for row, ids in zip(open_rows, rest.greedy(self._ends, NEW_TOKENS), strict=True):
                greedy[row] = ids
        return [(self._encoder.text(ids or ()), of_row) for ids, of_row in zip(greedy, logliks, strict=True)]


def _cache_of_one_token(model: Any) -> Any:
    token = torch.zeros(1, 1, dtype=torch.long, device=model.device)
    with torch.inference_mode():
        return model(input_ids=token, use_cache=True).past_key_values


def _segment(node: Node, encoded: Mapping[ImageKey, EncodedImage]) -> _Segment:
    ids: list[int] = []
    images: list[EncodedImage] = []
    for unit in node.units:
        if isinstance(unit, int):
            ids.append(unit)
        else:
            images.append(encoded[unit])  # type: ignore[index]
            ids += images[-1].ids
    return _Segment(ids, images)


def _trial_prompts() -> list[Prompt]:
    """Prompts on which both engines are compared: one without shots, and two queries after the same shots."""
    images = [ImageRef("trial", "noise", number) for number in range(4)]
    labelled = zip(images, ("wug", "dax"), strict=False)
    shots = [turn for ref, name in labelled for turn in (Turn("user", (ref,)), Turn("assistant", (name,)))]
    contexts: list[list[Turn]] = [[], shots, shots]
    return [Prompt((*turns, Turn("user", (images[k + 1],))), ("dax", "wug")) for k, turns in enumerate(contexts)]


def _noise(ref: ImageRef) -> Image:
    generator = np.random.default_rng(ref.number)
    return fromarray(generator.integers(0, 256, (64, 64, 3), np.uint8))
