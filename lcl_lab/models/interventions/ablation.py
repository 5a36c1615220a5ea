"""A model without some of its attention heads: their outputs are replaced by zeros or by their mean.

The replacement acts on the input of `o_proj` at every position, so it holds in prefixes that prompts share, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor, nn

from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError, nearest
from lcl_lab.models.interface import Answer, Model
from lcl_lab.models.interventions.attention_head import Head
from lcl_lab.models.interventions.head_modules import head_slice, heads_of, output_projections, require_network
from lcl_lab.prompts import Prompt

__all__ = ["AblatedModel", "MeanOutputs", "mean_outputs"]


@dataclass(frozen=True)
class MeanOutputs:
    """The mean outputs of all heads of a model.

    Attributes:
        by_layer: for each layer the mean input of its `o_proj`, (heads × width,).
        prompts: 16 hex digits over the prompts that the means are over.
    """

    by_layer: Mapping[int, Tensor]
    prompts: str


def mean_outputs(model: Model, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> MeanOutputs:
    """The mean outputs of all heads over all tokens of some prompts and of the answers to them.

    Args:
        model: a model of `transformers`.
        prompts: the prompts.
        image: returns an image of the prompts in RGB.

    Raises:
        UserError: the model has no heads, or there are no prompts.
    """
    if not prompts:
        raise UserError("needs at least one prompt to take means over", option="prompts")
    network = require_network(model).network
    sums: dict[int, Tensor] = {}
    counts: dict[int, int] = {}

    def add(layer: int, outputs: Tensor) -> Tensor:
        flat = outputs.detach().reshape(-1, outputs.shape[-1]).double()
        sums[layer] = sums.get(layer, torch.zeros_like(flat[0])) + flat.sum(0)
        counts[layer] = counts.get(layer, 0) + len(flat)
        return outputs

    with _changed_outputs(network, add):
        for _ in model.answer(prompts, image):
            pass
    content = blake2b(repr(prompts).encode(), digest_size=8).hexdigest()
    return MeanOutputs({layer: total / counts[layer] for layer, total in sums.items()}, content)


class AblatedModel:
    """A `Model` that answers without some attention heads.

    Args:
        model: a model of `transformers`, which itself stays as it is.
        heads: the heads, as `Head` or as text such as ``0.2`` for head 2 of layer 0.
        means: what their outputs are replaced by; None for zeros.
        name: the name in records; by default that of the model and of the heads.

    Raises:
        UserError: the model does not have one of the heads.
    """

    def __init__(
        self,
        model: Model,
        heads: Collection[Head | str],
        means: MeanOutputs | None = None,
        name: str | None = None,
    ) -> None:
        self._model, self._means = require_network(model), means
        self.heads = sorted(head if isinstance(head, Head) else Head.parse(head) for head in set(heads))
        known = heads_of(model)
        for head in self.heads:
            if head not in known:
                raise UserError(
                    f"{model.name} has no head {head}; {nearest(str(head), map(str, known))}", option="heads"
                )
        listed = ",".join(map(str, self.heads))
        self.name = name or f"{model.name.removeprefix('mini/')} without {listed or 'no head'}"
        content = f"{model.fingerprint}\0{listed}\0{means.prompts if means else 'zero'}"
        self.fingerprint = blake2b(content.encode(), digest_size=8).hexdigest()

    @property
    def device(self) -> str:
        """The torch device of the weights."""
        return self._model.device

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        """Answer prompts; see `Model.answer`."""
        network = self._model.network
        replacements = {head: self._replacement(head) for head in self.heads}

        def replace_heads(layer: int, outputs: Tensor) -> Tensor:
            changed = outputs
            for head, replacement in replacements.items():
                if head.layer == layer:
                    changed = changed.clone() if changed is outputs else changed
                    changed[..., head_slice(network, head)] = replacement.to(outputs)
            return changed

        with _changed_outputs(network, replace_heads):
            answers = list(self._model.answer(prompts, image))
        yield from answers

    def _replacement(self, head: Head) -> Tensor:
        if self._means is None:
            return torch.zeros(())
        return self._means.by_layer[head.layer][head_slice(self._model.network, head)]


@contextmanager
def _changed_outputs(network: Any, change: Callable[[int, Tensor], Tensor]) -> Iterator[None]:
    """Pass the heads' outputs of every layer, (…, heads × width), through a function before they are projected."""
    with ExitStack() as hooks:
        for layer, projection in output_projections(network).items():

            def hook(_: nn.Module, inputs: tuple[Tensor], layer: int = layer) -> tuple[Tensor]:
                return (change(layer, inputs[0]),)

            hooks.callback(projection.register_forward_pre_hook(hook).remove)
        yield
