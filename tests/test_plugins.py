from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab.errors import UserError
from lcl_lab.plugins import file_fingerprint, find_maker, function_of_file


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A file that imports a module next to it, which imports a package."""
    (tmp_path / "words.py").write_text("from dialect.accent import ACCENT\nWORD = 'hello' + ACCENT\n")
    (tmp_path / "dialect").mkdir()
    (tmp_path / "dialect" / "__init__.py").write_text("")
    (tmp_path / "dialect" / "accent.py").write_text("from . import mark\nACCENT = mark.MARK\n")
    (tmp_path / "dialect" / "mark.py").write_text("MARK = '!'\n")
    file = tmp_path / "plugin.py"
    file.write_text("import json\nimport words\n\ndef load():\n    return words.WORD\n")
    return file


def test_a_file_may_import_modules_next_to_it(plugin: Path) -> None:
    assert function_of_file("model", str(plugin), "load")() == "hello!"


@pytest.mark.parametrize("changed", ["plugin.py", "words.py", "dialect/__init__.py", "dialect/mark.py"])
def test_the_fingerprint_changes_with_every_local_module(plugin: Path, changed: str) -> None:
    before = file_fingerprint(plugin)
    assert file_fingerprint(plugin) == before
    file = plugin.parent / changed
    file.write_text(file.read_text() + "# changed\n")
    assert file_fingerprint(plugin) != before


def test_the_fingerprint_ignores_unrelated_files_and_the_folder(plugin: Path, tmp_path: Path) -> None:
    before = file_fingerprint(plugin)
    (plugin.parent / "unrelated.py").write_text("")
    assert file_fingerprint(plugin) == before
    moved = plugin.parent.rename(plugin.parent.with_name("moved"))
    assert file_fingerprint(moved / "plugin.py") == before


def test_modules_in_the_current_folder_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "files").mkdir()
    monkeypatch.chdir(tmp_path)
    plugin = tmp_path / "files" / "plugin.py"
    plugin.write_text("from helper_in_cwd import VALUE\n\ndef load():\n    return VALUE\n")
    (tmp_path / "helper_in_cwd.py").write_text("VALUE = 1\n")
    before = file_fingerprint(plugin)
    assert function_of_file("data", str(plugin), "load")() == 1
    (tmp_path / "helper_in_cwd.py").write_text("VALUE = 2\n")
    assert file_fingerprint(plugin) != before


def test_an_edited_module_is_loaded_again(plugin: Path) -> None:
    assert function_of_file("model", str(plugin), "load")() == "hello!"
    (plugin.parent / "dialect" / "mark.py").write_text("MARK = '?'\n")
    assert function_of_file("model", str(plugin), "load")() == "hello?"


def test_files_in_different_folders_may_use_the_same_module_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "common_helper.py").write_text(f"NAME = {name!r}\n")
        (tmp_path / name / "plugin.py").write_text("import common_helper\ndef load():\n    return common_helper.NAME\n")
    for name in ("one", "two", "one"):
        assert function_of_file("data", str(tmp_path / name / "plugin.py"), "load")() == name


def test_files_that_cannot_be_used_give_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0\n")
    with pytest.raises(UserError, match=r"^model .*broken\.py: ZeroDivisionError: division by zero$"):
        function_of_file("model", str(broken), "load")
    broken.write_text("x = 1\n")
    with pytest.raises(UserError, match=r"^model .*broken\.py: the file does not define load\(\)$"):
        function_of_file("model", str(broken), "load")
    with pytest.raises(UserError, match=r"^model .*none\.py: no such file$"):
        function_of_file("model", str(tmp_path / "none.py"), "load")


def test_an_unknown_name_gives_the_nearest_known_one() -> None:
    with pytest.raises(UserError, match=r"^strategy mux: unknown strategy; did you mean 'mix'\?$"):
        find_maker("strategy", "strategy", "mux", {"2-way": list}, ["mix"])
