"""What a user writes about a run: a note and tags, in a file next to its records that no reader of records opens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from lcl_lab.atomic import write_json
from lcl_lab.errors import UserError
from lcl_lab.store.run_layout import NOTES

__all__ = ["RunNotes", "read_notes", "write_notes"]

_MOST_LETTERS = 10_000  # of a note
_MOST_TAG_LETTERS = 40
_MOST_TAGS = 20


@dataclass(frozen=True)
class RunNotes:
    """What a user wrote about a run.

    Attributes:
        note: free text; empty for none.
        tags: short names, each once.
    """

    note: str = ""
    tags: tuple[str, ...] = ()


_READER = TypeAdapter(RunNotes)


def read_notes(run: Path) -> RunNotes:
    """The note and the tags of a run directory; none where the file is missing or cannot be read."""
    path = run / NOTES
    try:
        return _READER.validate_json(path.read_bytes(), strict=True) if path.is_file() else RunNotes()
    except (OSError, ValidationError):
        return RunNotes()


def write_notes(run: Path, note: str, tags: Iterable[str]) -> RunNotes:
    """Replace the note and the tags of a run directory, atomically. Its configuration and records stay as they are.

    Args:
        run: the run directory.
        note: free text, up to 10,000 characters.
        tags: up to 20, each of up to 40 characters; empty and repeated ones are ignored.

    Returns:
        What was written.

    Raises:
        UserError: the note or a tag is too long, there are too many tags, or the file cannot be written.
    """
    cleaned = tuple(dict.fromkeys(filter(None, (" ".join(tag.split()) for tag in tags))))
    if len(note) > _MOST_LETTERS:
        raise UserError(f"a note has at most {_MOST_LETTERS:,} characters, not {len(note):,}")
    if len(cleaned) > _MOST_TAGS:
        raise UserError(f"a run has at most {_MOST_TAGS} tags, not {len(cleaned)}")
    too_long = [tag for tag in cleaned if len(tag) > _MOST_TAG_LETTERS]
    if too_long:
        raise UserError(f"a tag has at most {_MOST_TAG_LETTERS} characters: {too_long[0]}")
    if not run.is_dir():
        raise UserError(f"there is no run {run} any more")
    notes = RunNotes(note.strip(), cleaned)
    write_json(run / NOTES, asdict(notes))
    return notes
