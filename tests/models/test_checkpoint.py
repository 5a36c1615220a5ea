from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lcl_lab.errors import UserError
from lcl_lab.models import PROTOTYPE, find_checkpoint, is_prototype, needs_preflight, shipped, strategy_of
from lcl_lab.models.checkpoint import CARD, fingerprint


@pytest.fixture
def copy(untrained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(untrained, tmp_path / "model"))


def test_shipped_models_match_their_cards() -> None:
    assert {"mini/base", "mini/2-way", "mini/prototype"} <= set(shipped())
    for name in shipped():
        assert find_checkpoint(name).name == name


def test_an_alias_changes_the_name_only() -> None:
    checkpoint = find_checkpoint("mine=mini/base")
    assert checkpoint.name == "mine"
    assert checkpoint.fingerprint == find_checkpoint("mini/base").fingerprint


def test_an_unknown_name_gives_the_nearest_known_one() -> None:
    with pytest.raises(UserError, match=r"^model mini/2way: unknown model.*did you mean 'mini/2-way'\?$"):
        find_checkpoint("mini/2way")
    with pytest.raises(UserError, match=r"^start nothing: unknown model"):
        find_checkpoint("nothing", option="start")


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.json"):
        find_checkpoint(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"no \*\.safetensors"):
        find_checkpoint(str(tmp_path))


def test_truncated_weights_are_an_error_before_loading(copy: Path) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"model\.safetensors is damaged"):
        find_checkpoint(str(copy))


def test_one_wrong_bit_is_an_error_if_there_is_a_card(copy: Path) -> None:
    (copy / CARD).write_text(json.dumps({"fingerprint": fingerprint(copy)}))
    assert find_checkpoint(str(copy))
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UserError, match="its card says"):
        find_checkpoint(str(copy))


def test_the_fingerprint_depends_on_the_content_and_not_on_the_folder(untrained: Path, copy: Path) -> None:
    assert fingerprint(copy) == fingerprint(untrained)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "image_token_index": 3}))
    assert fingerprint(copy) != fingerprint(untrained)


@pytest.mark.parametrize("name", ["merges.txt", "tokenizer.model", "chat_template.jinja"])
def test_the_fingerprint_covers_vocabularies_and_templates(copy: Path, name: str) -> None:
    (copy / name).write_text("a b\n")
    before = fingerprint(copy)
    (copy / name).write_text("a c\n")
    assert fingerprint(copy) != before


def test_the_fingerprint_ignores_the_card_and_other_files(copy: Path) -> None:
    before = fingerprint(copy)
    (copy / CARD).write_text("{}")
    (copy / "README.md").write_text("Hello.")
    assert fingerprint(copy) == before


def test_the_identity_has_the_generation_settings_of_models_that_generate() -> None:
    base = find_checkpoint("mini/base")
    settings = {"temperature": 0, "max_new_tokens": None}
    assert base.identity() == {"name": "mini/base", "fingerprint": base.fingerprint, "generation": settings}
    assert find_checkpoint(PROTOTYPE).identity()["generation"] == {}


def test_the_card_has_the_strategy(copy: Path) -> None:
    assert strategy_of("mini/2-way") == "2-way"
    assert strategy_of("seed-0=mini/2-way") == "2-way"
    assert strategy_of(str(copy)) is None


def test_only_large_local_models_need_a_preflight_check(copy: Path) -> None:
    assert is_prototype(find_checkpoint(PROTOTYPE))
    assert needs_preflight(find_checkpoint(str(copy)))
    assert needs_preflight(find_checkpoint("alias=mini/base"))
    assert not needs_preflight(find_checkpoint(PROTOTYPE))


def test_finding_a_model_imports_no_torch() -> None:
    program = (
        "import sys, lcl_lab.models as models; models.find_checkpoint('mini/base'); models.load_model\n"
        "assert not {'torch', 'transformers', 'httpx'} & set(sys.modules)"  # openai imports httpx
    )
    subprocess.run([sys.executable, "-c", program], check=True)
