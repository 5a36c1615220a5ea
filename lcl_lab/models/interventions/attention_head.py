"""The name of an attention head. A separate module, so that analyses of records need no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lcl_lab.errors import UserError

__all__ = ["Head"]


@dataclass(frozen=True, order=True)
class Head:
    """An attention head of a decoder. Its text is ``LAYER.NUMBER``, both from 0.

    Attributes:
        layer: the layer.
        number: the number in the layer.
    """

    layer: int
    number: int

    def __str__(self) -> str:
        return f"{self.layer}.{self.number}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """The head of a text such as ``0.2``.

        Raises:
            UserError: it is not two numbers.
        """
        match = re.fullmatch(r"(\d+)\.(\d+)", str(text))
        if match is None:
            raise UserError("must be LAYER.NUMBER, such as 0.2", option="heads", value=text)
        return cls(int(match[1]), int(match[2]))
