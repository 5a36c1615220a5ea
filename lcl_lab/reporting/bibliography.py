"""The bibliography: citations in the syntax of Pandoc, `[@efron1987; @field2007]`, and the entries that they name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bibtexparser.entrypoint import parse_file, write_string
from bibtexparser.library import Library
from bibtexparser.middlewares import NameParts, SeparateCoAuthors, SplitNameParts
from pylatexenc.latex2text import LatexNodes2Text

__all__ = ["Reference", "bibtex", "cited_keys", "references", "split_citations", "with_authors_and_years"]

_FILE = Path(__file__).parents[1] / "data" / "references.bib"
_CITATION = re.compile(r"\[(@[a-z0-9]+(?:; @[a-z0-9]+)*)\]")


@dataclass(frozen=True)
class Reference:
    """One entry of the bibliography.

    Attributes:
        key: its BibTeX key, such as ``"efron1987"``.
        citation: authors and year as in a text, such as ``"Durkalski et al., 2003"``.
        text: the entry of a list of references, with the title of the journal or book in Markdown's *italics*.
        bibtex: the entry in BibTeX.
    """

    key: str
    citation: str
    text: str
    bibtex: str


@lru_cache(maxsize=1)
def references() -> Mapping[str, Reference]:
    """All entries of the bibliography by their key, in the order of their keys."""
    parsed = parse_file(str(_FILE), append_middleware=[SeparateCoAuthors(), SplitNameParts()])
    return _Bibliography(parsed.entries_dict, parse_file(str(_FILE)).entries_dict)


class _Bibliography(Mapping[str, Reference]):
    """Entries that are read when they are first used: all of them take longer than a page that cites three."""

    def __init__(self, parsed: Mapping[str, Any], raw: Mapping[str, Any]) -> None:
        self._parsed, self._raw = parsed, raw
        self._read: dict[str, Reference] = {}

    def __getitem__(self, key: str) -> Reference:
        if key not in self._read:
            self._read[key] = _reference(self._parsed[key], self._raw[key])
        return self._read[key]

    def __contains__(self, key: object) -> bool:
        return key in self._parsed

    def __iter__(self) -> Iterator[str]:
        return iter(self._parsed)

    def __len__(self) -> int:
        return len(self._parsed)


def bibtex(keys: Iterable[str]) -> str:
    """The BibTeX file of some entries, each once, in the order of the bibliography.

    Args:
        keys: keys of entries.
    """
    wanted = set(keys)
    return "\n".join(references()[key].bibtex for key in references() if key in wanted)


def cited_keys(text: str) -> list[str]:
    """The keys that a text cites, each once, in their order."""
    keys = [key for citation in _CITATION.findall(text) for key in _keys(citation)]
    return [key for key in dict.fromkeys(keys) if key in references()]


def with_authors_and_years(text: str) -> str:
    """The text with each citation as ``(Efron, 1987; Field and Welsh, 2007)``."""
    return "".join(
        f"({'; '.join(references()[key].citation for key in keys)})" if keys else part
        for part, keys in split_citations(text)
    )


def split_citations(text: str) -> list[tuple[str, list[str]]]:
    """The parts of a text in order: each is text with no keys, or a citation with the keys that it names.

    A citation of an unknown key, as the name of a model might look like, is text.
    """
    parts: list[tuple[str, list[str]]] = []
    end = 0
    for match in _CITATION.finditer(text):
        keys = _keys(match[1])
        if all(key in references() for key in keys):
            parts += [(text[end : match.start()], []), (match[0], keys)]
            end = match.end()
    return [*parts, (text[end:], [])]


def _keys(citation: str) -> list[str]:
    return [key.removeprefix("@") for key in citation.split("; ")]


def _reference(entry: Any, raw: Any) -> Reference:
    fields = {name: field.value for name, field in entry.fields_dict.items()}
    authors: list[NameParts] = fields.pop("author")
    to_text = _converter().latex_to_text
    plain = {name: to_text(value) for name, value in fields.items()}
    names = [" ".join(author.last) for author in authors]
    short = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    text = f"{_listed(authors)} ({plain['year']}). {_title(plain)} {_place(plain)}"
    written = write_string(Library([raw]))
    return Reference(entry.key, f"{short}, {plain['year']}", text, written)


@lru_cache(maxsize=1)
def _converter() -> LatexNodes2Text:
    return LatexNodes2Text()


def _listed(authors: list[NameParts]) -> str:
    """`Efron, B.`, or `Field, C. A. and Welsh, A. H.`"""
    listed = [f"{' '.join(author.last)}, {' '.join(map(_initials, author.first))}" for author in authors]
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}"


def _initials(name: str) -> str:
    """`K.-Y.` of Kung-Yee."""
    return "-".join(f"{part[0]}." for part in name.split("-"))


def _title(fields: Mapping[str, str]) -> str:
    if "publisher" not in fields:
        return f"{fields['title']}."
    edition = f" ({fields['edition']} edition)" if "edition" in fields else ""
    return f"*{fields['title']}*{edition}."


def _place(fields: Mapping[str, str]) -> str:
    """Where the work has appeared, and its DOI."""
    if "publisher" in fields:
        place = f"{fields['address']}: {fields['publisher']}"
    else:
        place = f"*{fields.get('journal') or fields['booktitle']}*"
        if "volume" in fields:
            number = f"({fields['number']})" if "number" in fields else ""
            place += f", {fields['volume']}{number}"
        if "pages" in fields:
            place += f", {fields['pages']}"
    identifiers = {"doi": "doi:", "eprint": "arXiv:"}
    return (
        ". ".join([place, *(f"{prefix}{fields[name]}" for name, prefix in identifiers.items() if name in fields)]) + "."
    )
