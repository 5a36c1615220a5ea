"""Text from models, servers and files that a terminal must show rather than obey.

Escape sequences can rewrite what a terminal shows, its title or its clipboard; a carriage return hides the text before
it, and bidirectional controls show letters in another order than that of the text.
"""

from __future__ import annotations

import re

__all__ = ["escape_controls", "has_controls", "remove_controls"]

# C0 without tab and line feed, DEL and C1, bidirectional controls, line and paragraph separators, halves of surrogates.
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_IN_TEXT = re.compile(f"[{_CONTROLS}]")
_IN_LINE = re.compile(f"[{_CONTROLS}\t\n]")


def remove_controls(text: str) -> str:
    """Text without characters that control a terminal, except tabs and line breaks. Its width stays the same."""
    return _IN_TEXT.sub("", text)


def has_controls(line: str) -> bool:
    """Whether a line has control characters; tabs and line breaks are some."""
    return _IN_LINE.search(line) is not None


def escape_controls(line: str) -> str:
    r"""One line of text with its control characters, tabs and line breaks included, as escapes such as ``\x1b``."""
    return _IN_LINE.sub(lambda found: found[0].encode("unicode_escape").decode(), line)
