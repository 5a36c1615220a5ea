"""Models, servers and records whose text tries to control the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL.Image import Image

import lcl_lab as lcl
from lcl_lab.commands import main
from lcl_lab.concepts import ImageRef
from lcl_lab.models import Answer, Loglik
from lcl_lab.prompts import Prompt
from tests.servers import RefusedError, serving

pytestmark = pytest.mark.attack

HOSTILE = "\x1b]0;owned\x07\x1b[2J\rerror\u202egnorw\x9b31m"
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Hostile:
    name: str = f"model{HOSTILE}"
    fingerprint: str = "1"
    device: str = "cpu"

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        for prompt in prompts:
            yield Answer(f"answer{HOSTILE}", tuple(Loglik(-1.0, 1) for _ in prompt.candidates), 0.0)


@pytest.mark.parametrize("study", ["false_ratio", "qualitative"])
def test_names_and_answers_of_a_model_cannot_control_the_terminal(
    study: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = lcl.run_study(study, preset="tiny", model=Hostile(), results=tmp_path, verbose=True)
    with pytest.raises(SystemExit) as ended:
        main(["report", str(result.path)])
    print(result)
    printed = capsys.readouterr()
    assert ended.value.code == 0
    assert "model" in printed.out
    assert not CONTROLS.search(printed.out), CONTROLS.search(printed.out)
    assert not CONTROLS.search(printed.err)
    assert HOSTILE in "".join(result.records["answer"]), "records keep the answer as it was"
    result.to_latex(tmp_path / "latex")
    for file in [*result.path.glob("report.*"), *(tmp_path / "latex").glob("*.tex")]:
        assert not CONTROLS.search(file.read_text()), file
    assert not CONTROLS.search(result._repr_html_())


@pytest.mark.parametrize("code", [400, 500])
def test_errors_of_a_server_cannot_control_the_terminal(
    code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path / "cache"))

    def refuse(_: dict[str, Any]) -> Any:
        raise RefusedError(code)

    words = ["study", "false_ratio", "--preset", "tiny", "--model", f"openai:its{HOSTILE}", "--base-url"]
    served = {"/v1/models": lambda _: {"object": "list", "data": [{"id": f"it{HOSTILE}"}]}}
    with serving(refuse, served) as address, pytest.raises(SystemExit) as ended:
        main([*words, address])
    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert printed.err.startswith("error: --model openai:its\\x1b]0;owned\\x07")
    assert len(printed.err.splitlines()) == 1
    assert not CONTROLS.search(printed.out + printed.err)


def test_an_error_with_an_option_of_any_content_is_one_line() -> None:
    error = lcl.UserError("first\nerror: second\x1b[2K\r", option="model", value=HOSTILE)
    for line in (str(error), error.for_command_line()):
        assert len(line.splitlines()) == 1
        assert not CONTROLS.search(line)
