from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab.errors import UserError
from lcl_lab.models.convert import convert_otter, convert_shikra
from lcl_lab.models.convert.target_folder import target_folder
from tests.models.flamingo.factories import write_otter


def test_the_folder_appears_complete_and_alone(tmp_path: Path) -> None:
    with target_folder(tmp_path / "new" / "target") as folder:
        (folder / "file").write_text("content")
        assert not (tmp_path / "new" / "target").exists()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["target"]
    assert (tmp_path / "new" / "target" / "file").read_text() == "content"


def test_a_failed_conversion_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="wrong"), target_folder(tmp_path / "target") as folder:
        (folder / "file").touch()
        raise UserError("wrong")
    assert not list(tmp_path.iterdir())


def test_files_of_a_killed_conversion_do_not_get_into_the_next(tmp_path: Path) -> None:
    (tmp_path / ".target.part").mkdir()
    (tmp_path / ".target.part" / "model-00002-of-00002.safetensors").touch()
    (tmp_path / ".target.lock").touch()
    with target_folder(tmp_path / "target"):
        pass
    assert not list((tmp_path / "target").iterdir())


def test_a_folder_that_exists_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    with pytest.raises(UserError, match=r"^target .*: exists; give a new folder$"), target_folder(tmp_path / "target"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_every_converter_refuses_a_folder_that_another_conversion_writes(
    released: tuple[Path, Path], tmp_path: Path
) -> None:
    otter = write_otter(tmp_path / "otter", "mpt")
    message = "^target .*: another process converts into this folder; wait for it, stop it, or choose another folder$"
    with target_folder(tmp_path / "target") as folder:
        (folder / "file").touch()
        with pytest.raises(UserError, match=message):
            convert_shikra(released[0], tmp_path / "target", str(released[1]))
        with pytest.raises(UserError, match=message):
            convert_otter(otter.source, tmp_path / "target", str(otter.language_model))
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["file"]
