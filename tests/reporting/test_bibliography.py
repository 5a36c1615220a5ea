"""The bibliography against pybtex, an independent reader of BibTeX."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from pybtex.database import BibliographyData, parse_string

import lcl_lab
from lcl_lab.reporting import METHODS, Reference, bibliography, bibtex, references
from lcl_lab.reporting.bibliography import cited_keys, split_citations, with_authors_and_years

ROOT = Path(lcl_lab.__file__).parent
STATISTICS = (ROOT.parent / "docs" / "statistics.md").read_text(encoding="utf-8")


def ascii_letters(name: str) -> str:
    """Keys are written without accents, as BibTeX needs them."""
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()


@pytest.fixture(scope="module")
def oracle() -> BibliographyData:
    return parse_string((ROOT / "data" / "references.bib").read_text(encoding="utf-8"), "bibtex")


def test_every_entry_is_read_as_pybtex_reads_it(oracle: BibliographyData) -> None:
    assert list(references()) == sorted(oracle.entries)
    for key, entry in oracle.entries.items():
        people = entry.persons["author"]
        names = [" ".join(person.last_names) for person in people]
        authors = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
        assert references()[key].citation == f"{authors}, {entry.fields['year']}"
        assert all(name in references()[key].text for name in names)
        assert re.sub(r"\d{4}$", "", key) == re.sub(r"\W", "", ascii_letters(names[0].split()[-1])).lower()
        assert key.endswith(entry.fields["year"])


def test_an_entry_is_read_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def reference(entry: str, raw: str) -> Reference:
        read.append(entry)
        return Reference(entry, "", "", raw)

    monkeypatch.setattr(bibliography, "_reference", reference)
    found = bibliography._Bibliography({"a1": "first", "b2": "second"}, {"a1": "", "b2": ""})
    assert (list(found), len(found), "b2" in found, "c3" in found) == (["a1", "b2"], 2, True, False)
    assert read == []
    assert [found["b2"].key, found["b2"].key] == ["second", "second"]
    assert read == ["second"]


def test_every_entry_says_where_the_work_appeared(oracle: BibliographyData) -> None:
    needed = {
        "article": {"journal", "volume", "pages"},
        "book": {"publisher", "address"},
        "inproceedings": {"booktitle"},
    }
    for key, entry in oracle.entries.items():
        assert {"title", "year", *needed[entry.type]} <= set(entry.fields), key
        if "doi" in entry.fields:
            assert re.fullmatch(r"10\.\d{4,}/\S+", entry.fields["doi"]), key
    dois = [entry.fields["doi"] for entry in oracle.entries.values() if "doi" in entry.fields]
    assert len(dois) == len(set(dois))


def test_what_is_written_of_some_entries_is_what_was_read(oracle: BibliographyData) -> None:
    written = parse_string(bibtex(["zou2008", "efron1987", "zou2008"]), "bibtex")
    assert list(written.entries) == ["efron1987", "zou2008"]
    for key, entry in written.entries.items():
        assert dict(entry.fields) == dict(oracle.entries[key].fields)
        assert entry.persons == oracle.entries[key].persons


def test_citations_become_authors_and_years() -> None:
    text = "by resampling [@efron1987; @field2007] of pairs [@durkalski2003]"
    assert with_authors_and_years(text) == (
        "by resampling (Efron, 1987; Field and Welsh, 2007) of pairs (Durkalski et al., 2003)"
    )
    assert cited_keys(f"{text} [@efron1987]") == ["efron1987", "field2007", "durkalski2003"]


@pytest.mark.parametrize("text", ["a [@nobody1900] b", "[@efron1987; @nobody1900]", "[efron1987]", "@efron1987", ""])
def test_what_only_looks_like_a_citation_is_text(text: str) -> None:
    assert with_authors_and_years(text) == text
    assert cited_keys(text) in ([], ["efron1987"])
    assert "".join(part for part, _ in split_citations(text)) == text


def test_a_list_of_references_has_initials_and_places() -> None:
    assert references()["liang1986"].text == (
        "Liang, K.-Y. and Zeger, S. L. (1986). Longitudinal data analysis using generalized linear models. "
        "*Biometrika*, 73(1), 13–22. doi:10.1093/biomet/73.1.13."
    )
    assert references()["cochran1957"].text.endswith("*Experimental Designs* (2nd edition). New York: Wiley.")


def test_everything_that_the_methods_cite_is_there() -> None:
    cited = {key for text in METHODS.values() for key in re.findall(r"@(\w+)", text)}
    assert cited <= set(references())


def test_the_page_about_statistics_lists_all_references() -> None:
    listed = STATISTICS.split("\n## References\n")[1]
    for reference in references().values():
        assert f"- {reference.text}" in listed
    assert listed.count("\n- ") == len(references())


def test_the_page_about_statistics_names_only_sources_that_are_listed() -> None:
    body = STATISTICS.split("\n## References\n")[0]
    known = {reference.citation.replace(", ", " ") for reference in references().values()}
    name = r"[A-Z][A-Za-z]+"
    found = re.findall(rf"({name}(?: and {name}| et al\.)?) (1[89]\d\d|20\d\d)", " ".join(body.split()))
    sources = {f"{authors} {year}" for authors, year in found}
    assert len(sources) > 25
    assert sources <= known, sources - known
