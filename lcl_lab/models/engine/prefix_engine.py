"""Reads prompts as a tree: every image is looked at once, every shared beginning read once.

Batches go depth first; each is laid out after the kept prefixes of its rows. The candidates and the
greedy answer of a prompt go on from the same place. T tokens of a segment.
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
from lcl_lab.models.engine.decoding import Reading, ends
from lcl_lab.models.engine.feature_disk_cache import FeatureDiskCache
from lcl_lab.models.engine.kv_cache import PrefixCache, SegmentKV, can_be_kept
from lcl_lab.models.engine.oom import split_on_oom
from lcl_lab.models.engine.prefix_tree import Node, build_tree, schedule_batches
from lcl_lab.models.engine.prompt_encoder import Encoded, Encoder
from lcl_lab.models.engine.reference_engine import ReferenceEngine
from lcl_lab.models.engine.vision_cache import EncodedImage, ImageEncoder, Key
from lcl_lab.models.interface import NEW_TOKENS, Loglik
from lcl_lab.prompts import Prompt, Turn

__all__ = ["PrefixEngine", "PrefixSharingError", "can_share"]

_ALLOWED = {torch.float32: 1e-4}  # nats a token between the two ways
_ROUNDED = 0.1  # of other dtypes

_Said = tuple[str, dict[tuple[int, ...], Loglik]]
"""The greedy answer at a node, and the log-likelihood of each candidate there."""


def can_share(model: Any) -> bool:
    """Whether a model takes image features computed before, and keeps the keys and values of all tokens."""
    inner: Any = getattr(model, "model", None)
    if not hasattr(inner, "get_image_features"):
        return False
    if "mm_encoder_outputs" not in inspect.signature(inner.forward).parameters:
        return False
    return can_be_kept(_cache(model))


def _cache(model: Any) -> Any:
    """What a model keeps of one token."""
    token = torch.zeros(1, 1, dtype=torch.long, device=model.device)
    with torch.inference_mode():
        return model(input_ids=token, use_cache=True).past_key_values


class PrefixSharingError(Exception):
    """A model whose attention cannot be computed in pieces here."""


@dataclass(frozen=True)
class _Segment:
    """The units of a node as token ids, with what is seen of the images among them."""

    ids: list[int]
    images: list[EncodedImage]


@dataclass(frozen=True, eq=False)
class _Read:
    """What is kept of a node: all segments up to its end, as many tokens, and the position that comes next."""

    path: list[SegmentKV]
    tokens: int
    following: int


def _trial() -> list[Prompt]:
    """Prompts with an image alone, and with two queries after the same shots."""
    images = [ImageRef("trial", "noise", number) for number in range(4)]
    named = zip(images, ("wug", "dax"), strict=False)
    shots = [turn for ref, name in named for turn in (Turn("user", (ref,)), Turn("assistant", (name,)))]
    asked: list[list[Turn]] = [[], shots, shots]
    return [Prompt((*some, Turn("user", (images[k + 1],))), ("dax", "wug")) for k, some in enumerate(asked)]


def _noise(ref: ImageRef) -> Image:
    generator = np.random.default_rng(ref.number)
    return fromarray(generator.integers(0, 256, (64, 64, 3), np.uint8))


class PrefixEngine:
    """Answers prompts with a model that can share. `computed` counts the tokens that it read in prompts.

    `batch_size` is halved whenever memory runs out.

    Raises:
        PrefixSharingError: prefix sharing does not reproduce the log-likelihoods of the model itself.
    """

    def __init__(
        self, model: Any, processor: Any, encoder: Encoder, batch_size: int, store: FeatureDiskCache | None = None
    ) -> None:
        self._model, self._encoder, self.batch_size = model, encoder, batch_size
        trial = _trial()
        plain = ReferenceEngine(model, processor, encoder, 1)
        expected = [plain.logliks(prompt, _noise) for prompt in trial]
        own = use_shared_attention(model)
        self.eye = ImageEncoder(model, processor, store=store)
        self._layers = len(_cache(model).layers)
        self._ends = ends(model)
        self._rope_index = getattr(model.model, "get_rope_index", None)
        self.computed = 0
        found = {number: logliks for number, _, logliks in self.answer([encoder(one) for one in trial], _noise)}
        pairs = [pair for number, one in enumerate(expected) for pair in zip(one, found[number], strict=True)]
        if max(abs(a.per_token - b.per_token) for a, b in pairs) > _ALLOWED.get(model.dtype, _ROUNDED):
            model.set_attn_implementation(own)
            raise PrefixSharingError
        self.computed = self.eye.looked = 0

    @property
    def looked(self) -> int:
        """Images that were given to the vision tower."""
        return self.eye.looked

    @torch.inference_mode()
    def answer(
        self, prompts: Sequence[Encoded], image: Callable[[ImageRef], Image]
    ) -> Iterator[tuple[int, str, tuple[Loglik, ...]]]:
        """The number, greedy text and log-likelihoods of every prompt, in the order in which they are answered.

        Raises:
            UserError: a single prompt needs more memory than there is.
        """
        keys = [self.eye.keys(prompt.images) for prompt in prompts]
        seen = self.eye.see([key for some in keys for key in some], image)
        root = build_tree(
            [prompt.units(self._encoder.placeholder, some) for prompt, some in zip(prompts, keys, strict=True)]
        )
        segments = {node: _segment(node, seen) for node in root.below()}
        read = {root: _Read([], 0, 0)}
        unread = {node: len(node.children) for node in segments} | {root: len(root.children)}
        for batch in schedule_batches(root, lambda node: len(segments[node].ids), lambda: self.batch_size):

            def step(nodes: Sequence[Node]) -> tuple[list[_Read | None], list[_Said]]:
                return self._step(nodes, segments, read, prompts)

            for nodes, (places, said) in split_on_oom(batch, step, self):
                for node, place in zip(nodes, places, strict=True):
                    if place:
                        read[node] = place
                    assert node.parent is not None
                    unread[node.parent] -= 1
                    if not unread[node.parent]:
                        del read[node.parent]
                for node, (text, logliks) in zip(nodes, said, strict=False):
                    for number in node.ends:
                        yield number, text, tuple(logliks[tuple(c)] for c in prompts[number].candidates)

    def _step(
        self,
        nodes: Sequence[Node],
        segments: Mapping[Node, _Segment],
        read: Mapping[Node, _Read],
        prompts: Sequence[Encoded],
    ) -> tuple[list[_Read | None], list[_Said]]:
        """Read a batch of nodes and answer what ends there: what is to be kept of each, and what is said."""
        before = [read[node.parent] for node in nodes if node.parent]
        own = [segments[node] for node in nodes]
        candidates = [[tuple(c) for number in node.ends for c in prompts[number].candidates] for node in nodes]
        room = NEW_TOKENS + max((len(c) for some in candidates for c in some), default=0)
        reading = self._read(own, before, room)
        places: list[_Read | None] = []
        for row, (node, segment, place) in enumerate(zip(nodes, own, before, strict=True)):
            length = len(segment.ids)
            if node.children:
                path = [*place.path, reading.slab.kept(row, length)]
                places.append(_Read(path, place.tokens + length, int(reading.following[row])))
            else:
                places.append(None)
        return places, self._say(reading, candidates) if nodes[0].ends else []

    def _read(self, segments: Sequence[_Segment], before: Sequence[_Read], room: int) -> Reading:
        """Read one segment a row after what was read before it; rows after the same prefix are neighbours."""
        most = max(len(segment.ids) for segment in segments)
        device = self._model.device
        ids = torch.zeros(len(segments), most, dtype=torch.long)
        mask = torch.zeros(len(segments), most, dtype=torch.long)
        positions, following = [], []
        for row, (segment, place) in enumerate(zip(segments, before, strict=True)):
            length = len(segment.ids)
            ids[row, most - length :] = torch.tensor(segment.ids)
            mask[row, most - length :] = 1
            at, then = self._positions(segment, place.following)
            positions.append(pad(at, (most - length, 0)))
            following.append(then)
        groups = list(dict.fromkeys(before))
        if len({before.count(place) for place in groups}) > 1:
            groups = list(before)  # halved by memory; each row gets its prefix to itself
        slab = PrefixCache(
            self._layers, [place.path for place in groups], [place.tokens for place in groups], most + room
        )
        images = [seen for segment in segments for seen in segment.images]
        output = self._model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=torch.stack(positions, dim=-2).to(device),
            past_key_values=slab,
            use_cache=True,
            logits_to_keep=1,
            slab=slab,
            **({"mm_encoder_outputs": self.eye.given(images)} if images else {}),
        )
        self.computed += ids.numel()
        logits = output.logits[:, -1].float()
        return Reading(self._model, slab, mask.to(device), torch.tensor(following, device=device), logits)

    def _positions(self, segment: _Segment, start: int) -> tuple[Tensor, int]:
        """Positions of a segment that begins at `start`, (T,) or (3, T), and the one after it."""
        count = len(segment.ids)
        if self._rope_index is None:
            return torch.arange(start, start + count), start + count
        row = torch.tensor([segment.ids])
        grids = [seen.grid for seen in segment.images if seen.grid is not None]
        found, _ = self._rope_index(
            row,
            mm_token_type_ids=(row == self._encoder.placeholder).int(),
            image_grid_thw=torch.cat(grids) if grids else None,
        )
        return found[:, 0] + start, int(found.max()) + 1 + start

    def _say(self, reading: Reading, candidates: Sequence[Sequence[tuple[int, ...]]]) -> list[_Said]:
        """The greedy text and all candidates of each row. A candidate that is the greedy answer need not be found."""
        wanted = [list(dict.fromkeys(some)) for some in candidates]
        logliks: list[dict[tuple[int, ...], Loglik]] = [{} for _ in wanted]
        greedy: list[Sequence[int] | None] = [None] * len(wanted)
        for turn in range(max(map(len, wanted))):
            asked = [some[min(turn, len(some) - 1)] for some in wanted]
            for row, (answer, (loglik, own)) in enumerate(zip(asked, reading.score(asked), strict=True)):
                logliks[row][answer] = loglik
                if own and torch.isin(torch.tensor(answer), self._ends.cpu()).any():
                    greedy[row] = answer
        open_rows = [row for row, found in enumerate(greedy) if found is None]
        if open_rows:
            left = reading if len(open_rows) == len(greedy) else reading.only(open_rows)
            for row, found in zip(open_rows, left.greedy(self._ends, NEW_TOKENS), strict=True):
                greedy[row] = found
        return [(self._encoder.text(ids or ()), found) for ids, found in zip(greedy, logliks, strict=True)]


def _segment(node: Node, seen: Mapping[Key, EncodedImage]) -> _Segment:
    ids: list[int] = []
    images: list[EncodedImage] = []
    for unit in node.units:
        if isinstance(unit, int):
            ids.append(unit)
        else:
            images.append(seen[unit])  # type: ignore[index]
            ids += images[-1].ids
    return _Segment(ids, images)
