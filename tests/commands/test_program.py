from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from lcl_lab.commands import Program
from lcl_lab.config import Config
from lcl_lab.errors import UserError


class Options(Config):
    PRESETS = {"default": {}, "tiny": {"queries": 2}}  # noqa: RUF012
    POSITIONAL = ("source",)

    source: Path = Field(description="folder to read")
    queries: int = Field(10, ge=1, description="number of queries")
    ratios: tuple[float, ...] = Field((0.0, 0.5), description="ratios of false labels")
    fresh: bool = Field(False, description="start again")


def parse(*arguments: str) -> Options | None:
    return Program("python -m example", Options, lambda config: None, "An example.").parse(arguments)


def test_options_are_those_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("queries: 7\nratios: [1]\n")
    assert parse("a") == Options(source=Path("a"))
    assert parse("a", "--ratios", "0", "0.25", "--fresh") == Options(source=Path("a"), ratios=(0, 0.25), fresh=True)
    assert parse("a", "--preset", "tiny", "--ratios=1") == Options(source=Path("a"), queries=2, ratios=(1,))
    assert parse("--config", str(file), "a", "--queries", "8") == Options(source=Path("a"), queries=8, ratios=(1,))
    assert parse("a", "--ratios", "0", "--ratios", "1") == Options(source=Path("a"), ratios=(0, 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "--quieres", "1"], "unknown option --quieres; did you mean '--queries'?"),
        (
            ["a", "--xyzzy", "1"],
            "unknown option --xyzzy; choose from --config, --fresh, --help, --preset, --queries, --ratios, --source",
        ),
        (["a", "--queries"], "--queries: expects a value"),
        (["a", "--queries", "x"], "--queries x: must be an integer"),
        (["a", "--queries", "-3"], "--queries -3: must be at least 1"),
        (["a", "b"], "unexpected argument 'b'; see --help"),
        (["a", "--preset", "tinny"], "--preset tinny: unknown preset; did you mean 'tiny'?"),
        ([], "--source: is required"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(*arguments)
    assert caught.value.for_command_line() == message


def test_main_exits_with_2_for_a_mistake_and_130_when_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(config: Options) -> None:
        raise KeyboardInterrupt

    program = Program("python -m example", Options, interrupt, "An example.")
    for arguments, status, message in (
        (["a", "--queries", "0"], 2, "error: --queries 0: must be at least 1\n"),
        (["a"], 130, "interrupted; the same command resumes from what is stored\n"),
    ):
        with pytest.raises(SystemExit) as caught:
            program.main(arguments)
        assert caught.value.code == status
        assert capsys.readouterr().err == message


def test_help_lists_every_option_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse("--help") is None
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for part in (
        "Usage: python -m example",
        "An example.",
        "number of queries (default: 10)",
        "ratios of false labels",
    ):
        assert part in text
    for option in ("--queries INT", "--ratios FLOAT...", "--fresh", "--preset", "--config PATH", "folder to read"):
        assert option in text
