"""Where the parts of a prompt are among its tokens: support images, labels, and the query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from PIL.Image import Image

from lcl_lab.concepts import ImageRef
from lcl_lab.episodes import Episode
from lcl_lab.errors import UserError
from lcl_lab.models.checkpoint import Checkpoint
from lcl_lab.models.engine.prompt_encoder import EncodedPrompt, PromptEncoder
from lcl_lab.models.engine.tree_engine import Segment, TreeEngine
from lcl_lab.models.interface import Model
from lcl_lab.models.interventions.head_modules import require_network
from lcl_lab.models.preflight import config_and_processor
from lcl_lab.prompts import Prompt, chat

__all__ = ["PromptParts", "name_alignment", "require_engine"]


@dataclass(frozen=True)
class PromptParts:
    """The positions of the parts of a prompt of T tokens.

    Attributes:
        images: positions of each support image's tokens.
        labels: positions of each label's tokens, without the end of the turn.
        query: positions from the end of the last label to the end of the prompt.
        tokens: T.
    """

    images: tuple[range, ...]
    labels: tuple[range, ...]
    query: range
    tokens: int

    @classmethod
    def of(cls, model: Model, prompt: Prompt, image: Callable[[ImageRef], Image]) -> PromptParts:
        """Find the parts of an episode's prompt.

        Raises:
            UserError: the model's tokens do not separate them.
        """
        engine, encoder = require_engine(model), require_network(model).encoder
        encoded = encoder(prompt)
        starts = [0, *accumulate(_widths(encoded, engine.segment(encoded, image), model))]
        images = [place for place, token in enumerate(encoded.prefix) if token == encoded.placeholder]
        labels = [_label(encoder, prompt, turn, encoded.prefix, model) for turn in range(1, len(prompt.turns), 2)]
        query = labels[-1].stop if labels else 0
        return cls(
            tuple(range(starts[place], starts[place + 1]) for place in images[:-1]),
            tuple(range(starts[label.start], starts[label.stop]) for label in labels),
            range(starts[query], starts[-1]),
            starts[-1],
        )


def require_engine(model: Model) -> TreeEngine[object]:
    """The engine of a model that computes prompts segment by segment.

    Raises:
        UserError: the model has no network, or its architecture is evaluated otherwise.
    """
    engine = require_network(model).engine
    if not isinstance(engine, TreeEngine):
        raise UserError(
            "its architecture cannot be patched: it does not share prefixes", option="model", value=model.name
        )
    return engine


def name_alignment(checkpoint: Checkpoint, episode: Episode) -> Callable[[str, str], bool]:
    """What tells whether two names can be exchanged without moving other tokens, and differ in their first token.

    Args:
        checkpoint: the model.
        episode: any episode, in whose prompt the names are written.
    """
    if checkpoint.model is None:
        config, processor = config_and_processor(checkpoint)
        encoder = PromptEncoder(processor, thinking=checkpoint.settings.thinking, config=config)
    else:
        encoder = require_network(checkpoint.model).encoder
    turns = chat(episode).turns

    def are_aligned(true: str, other: str) -> bool:
        encoded = encoder(Prompt(turns, (true, other)))
        first, second = (candidate[encoded.closing :] for candidate in encoded.candidates)
        return len(first) == len(second) and first[0] != second[0]

    return are_aligned


def _widths(encoded: EncodedPrompt, segment: Segment, model: Model) -> list[int]:
    """The number of tokens for each id of a prefix, where each placeholder stands for one image."""
    if len(encoded.prefix) == len(segment.ids):  # images are not among the tokens
        return [1] * len(encoded.prefix)
    of_images = iter(len(image.ids) for image in segment.images)
    widths = [next(of_images, 0) if id == encoded.placeholder else 1 for id in encoded.prefix]
    if sum(widths) != len(segment.ids):
        raise _unclear(model)
    return widths


def _label(encoder: PromptEncoder, prompt: Prompt, turn: int, prefix: Sequence[int], model: Model) -> range:
    """The ids of an assistant's turn in the prefix of the whole prompt, without what ends the turn."""
    before = Prompt(prompt.turns[:turn], (str(prompt.turns[turn].parts[0]),))
    question = encoder(before)
    start = len(question.prefix)
    (answer,) = question.candidates
    answer = answer[question.closing :]
    # A shorter name shows which of the last ids end the turn.
    (other,) = encoder(Prompt(prompt.turns[:turn], ("",))).candidates
    ending = _common(answer[::-1], other[::-1])
    stop = start + len(answer) - ending
    if list(prefix[:start]) != question.prefix or list(prefix[start:stop]) != answer[: len(answer) - ending]:
        raise _unclear(model)
    return range(start, stop)


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """The number of ids at the start that are equal."""
    return next(
        (k for k, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )


def _unclear(model: Model) -> UserError:
    return UserError("its tokens do not separate labels from the rest of a prompt", option="model", value=model.name)
