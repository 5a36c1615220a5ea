from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lcl_lab import source_code
from lcl_lab.source_code import source_digest, version_digest


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for folder in ("models", "episodes"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.py").write_text("A = 1\n")
    monkeypatch.setattr(source_code, "_PACKAGE", tmp_path)
    source_digest.cache_clear()
    yield tmp_path
    source_digest.cache_clear()  # of this package, which no other test has
    version_digest.cache_clear()


def digest(*patterns: str) -> str:
    """The digest that a new process would compute."""
    source_digest.cache_clear()
    return source_digest(*patterns)


def test_the_digest_is_that_of_the_files_when_it_was_first_computed(package: Path) -> None:
    first = digest("models/*.py")
    assert len(first) == 16
    (package / "models" / "one.py").write_text("A = 2\n")
    assert source_digest("models/*.py") == first
    assert digest("models/*.py") != first


def test_the_digest_depends_on_names_and_contents_of_the_matching_files(package: Path) -> None:
    first = digest("models/**/*.py")
    (package / "episodes" / "one.py").write_text("A = 2\n")
    (package / "models" / "notes.txt").write_text("A = 2\n")
    assert digest("models/**/*.py") == first
    (package / "models" / "engine").mkdir()
    (package / "models" / "engine" / "two.py").write_text("")
    assert digest("models/**/*.py") != first
    shutil.rmtree(package / "models" / "engine")
    assert digest("models/**/*.py") == first
    (package / "models" / "one.py").rename(package / "models" / "other.py")
    assert digest("models/**/*.py") != first


def test_a_pattern_without_files_is_a_mistake(package: Path) -> None:
    with pytest.raises(ValueError, match=r"no file of the package matches model/\*.py"):
        digest("model/*.py")


def test_another_version_of_a_library_has_another_digest(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source_digest.cache_clear()
    digests = []
    for version in ("2.8.0", "2.8.0", "2.9.0"):
        version_digest.cache_clear()
        monkeypatch.setattr(
            source_code.metadata, "version", lambda library, v=version: v if library == "torch" else "1"
        )
        digests.append(version_digest("models/*.py"))
    version_digest.cache_clear()
    assert digests[0] == digests[1] != digests[2]
