"""Finds names that a model cannot generate, so that a wrong answer is not mistaken for a link that was not followed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import CLIPVisionConfig

from lcl_lab.models.checkpoint import Checkpoint
from lcl_lab.models.mini.architecture import MiniConfig
from lcl_lab.models.preflight import config_and_processor

__all__ = ["NameCheck", "check_names"]

_MINI_WORD = re.compile(r"[a-z]{1,10}")
"""What the mini models have learned to spell."""


@dataclass(frozen=True)
class NameCheck:
    """Which names a model can generate.

    Attributes:
        model: the model's name.
        names: the number of names.
        problems: the names that it cannot generate, by the reason.
    """

    model: str
    names: int
    problems: Mapping[str, Sequence[str]]

    @property
    def unsayable(self) -> int:
        """The number of names that the model cannot generate."""
        return sum(map(len, self.problems.values()))

    def __str__(self) -> str:
        reasons = [f"{len(names)} {reason}, such as {names[0]!r}" for reason, names in self.problems.items()]
        return f"{self.model} cannot generate {self.unsayable} of {self.names} names: {'; '.join(reasons)}; see --names"


def check_names(checkpoint: Checkpoint, names: Iterable[str]) -> NameCheck:
    """Check which names a model can generate, with its tokenizer; its weights are not read.

    Args:
        checkpoint: a checkpoint of `transformers`.
        names: the names; a repeated one counts once.

    Raises:
        UserError: its tokenizer cannot be loaded.
    """
    distinct = list(dict.fromkeys(names))
    config, processor = config_and_processor(checkpoint)
    spells = isinstance(config, MiniConfig) and isinstance(config.vision_config, CLIPVisionConfig)
    problems: dict[str, list[str]] = {}
    for name in distinct:
        reason = _problem(processor.tokenizer, name, checkpoint.settings.max_new_tokens, spells)
        if reason:
            problems.setdefault(reason, []).append(name)
    return NameCheck(checkpoint.name, len(distinct), problems)


def _problem(tokenizer: Any, name: str, limit: int | None, spells: bool) -> str | None:
    ids = tokenizer(name, add_special_tokens=False)["input_ids"]
    # Apart from letter case and white space, the tokens of a name must be those of no other name.
    if tokenizer.unk_token_id in ids or _comparable(tokenizer.decode(ids)) != _comparable(name):
        return "with characters that its tokenizer does not know"
    if limit is not None and len(ids) > limit:
        return f"with more than {limit} tokens"
    if spells and not (_MINI_WORD.fullmatch(name.lower()) and len(ids) == len(name)):
        return "other than one invented word of up to 10 letters, which is what it has learned to spell"
    return None


def _comparable(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
