"""Patching: a prompt is computed with some activations replaced by those of another prompt of equal length.

What a patch at a site regains of the other prompt's answer shows what is carried there (Meng et al. 2022, Todd et al.
2310.15213). Only the first token of a name is scored, as there: the later ones can be copied from the support, whatever
was patched. Every site is a row of one batch: the prompt is computed once for all of them.

B rows, T tokens, D the width of the residual stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from PIL.Image import Image
from torch import Tensor, nn

from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError
from lcl_lab.models.engine.prompt_encoder import EncodedPrompt
from lcl_lab.models.interface import Loglik, Model
from lcl_lab.models.interventions.attention_head import Head
from lcl_lab.models.interventions.head_modules import head_slice, layers_of, output_projections, require_network
from lcl_lab.models.interventions.parts import PromptParts, require_engine
from lcl_lab.prompts import Prompt

__all__ = ["Patcher", "Site", "TokenKind"]

TokenKind = Literal["images", "labels", "query"]
"""Tokens of a prompt: those of the support's images, of its labels, or all after the last label."""


@dataclass(frozen=True)
class Site:
    """Where activations are replaced; nowhere by default.

    Attributes:
        head: the output of this head at the token before the answer; or
        layer: the residual stream after this layer, at the tokens of one kind.
        tokens: the kind.
    """

    head: Head | None = None
    layer: int | None = None
    tokens: TokenKind = "query"


@dataclass(frozen=True)
class _Activations:
    """What was computed for a prompt: heads' outputs at its last token, and the residual stream, by layer."""

    outputs: dict[int, Tensor]
    residuals: dict[int, Tensor]


class Patcher:
    """Scores candidates with activations of one prompt patched into another.

    Args:
        model: a model of `transformers`.

    Raises:
        UserError: the model has no heads, or its architecture does not share prefixes.
    """

    def __init__(self, model: Model) -> None:
        self._model, self._engine = require_network(model), require_engine(model)

    @torch.inference_mode()
    def first_token_logliks(
        self, prompt: Prompt, source: Prompt, sites: Sequence[Site], image: Callable[[ImageRef], Image]
    ) -> list[tuple[Loglik, ...]]:
        """The log-likelihood of the first token of each candidate, for each site that is patched.

        Args:
            prompt: the prompt that is computed.
            source: the prompt whose activations replace its own; it has the same length, with labels at the same
                positions.
            sites: one row of results each.
            image: returns an image of the prompts in RGB.

        Raises:
            UserError: the tokens of the two prompts do not correspond.
        """
        parts, others = (PromptParts.of(self._model, one, image) for one in (prompt, source))
        if parts != others:
            reason = "the tokens of the two prompts do not correspond; names of equally many tokens are needed"
            raise UserError(reason, option="source")
        encoded = _first_tokens(self._model.encoder(prompt))
        kept = _Activations({}, {})
        unscored = replace(self._model.encoder(source), candidates=())
        self._engine.score_copies(unscored, image, 1, self._recorded(kept))
        scores: list[tuple[Loglik, ...]] = []
        for start in range(0, len(sites), self._engine.batch_size):
            some = sites[start : start + self._engine.batch_size]
            scores += self._engine.score_copies(encoded, image, len(some), self._patched(some, kept, parts))
        return scores

    @contextmanager
    def _recorded(self, kept: _Activations) -> Iterator[None]:
        network = self._model.network

        def outputs(layer: int) -> Callable[..., None]:
            def hook(_: nn.Module, inputs: tuple[Tensor]) -> None:
                kept.outputs[layer] = inputs[0][0, -1].clone()

            return hook

        def residual(layer: int) -> Callable[..., None]:
            def hook(_: nn.Module, __: Any, result: Any) -> None:
                kept.residuals[layer] = _hidden(result)[0].clone()

            return hook

        with _hooked(network, outputs, residual):
            yield

    @contextmanager
    def _patched(self, sites: Sequence[Site], kept: _Activations, parts: PromptParts) -> Iterator[None]:
        network = self._model.network
        places = {"images": _all(parts.images), "labels": _all(parts.labels), "query": list(parts.query)}

        def outputs(layer: int) -> Callable[..., tuple[Tensor] | None]:
            rows = [(row, site.head) for row, site in enumerate(sites) if site.head and site.head.layer == layer]

            def hook(_: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor] | None:
                changed = inputs[0].clone()
                for row, head in rows:
                    share = head_slice(network, head)
                    changed[row, -1, share] = kept.outputs[layer][share]
                return (changed,)

            return hook

        def residual(layer: int) -> Callable[..., Any]:
            rows = [(row, site.tokens) for row, site in enumerate(sites) if site.head is None and site.layer == layer]

            def hook(_: nn.Module, __: Any, result: Any) -> Any:
                changed = _hidden(result).clone()
                for row, kind in rows:
                    changed[row, places[kind]] = kept.residuals[layer][places[kind]]
                return (changed, *result[1:]) if isinstance(result, tuple) else changed

            return hook

        with _hooked(network, outputs, residual):
            yield


@contextmanager
def _hooked(
    network: Any, outputs: Callable[[int], Callable[..., Any]], residual: Callable[[int], Callable[..., Any]]
) -> Iterator[None]:
    """Register a hook before every projection of heads' outputs and one after every layer, each made for its layer."""
    with ExitStack() as hooks:
        for layer, projection in output_projections(network).items():
            hooks.callback(projection.register_forward_pre_hook(outputs(layer)).remove)
        for layer, module in layers_of(network).items():
            hooks.callback(module.register_forward_hook(residual(layer)).remove)
        yield


def _first_tokens(prompt: EncodedPrompt) -> EncodedPrompt:
    return replace(prompt, candidates=tuple(candidate[: prompt.closing + 1] for candidate in prompt.candidates))


def _all(ranges: Sequence[range]) -> list[int]:
    return [place for one in ranges for place in one]


def _hidden(result: Any) -> Tensor:
    """The residual stream (B, T, D) among the results of a layer."""
    hidden: Tensor = result[0] if isinstance(result, tuple) else result
    return hidden
