from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from lcl_lab import safe_console
from lcl_lab.safe_console import SafeConsole

HOSTILE = "a\x1b[31m\x1b]0;title\x07\rb\u202ec\x9b2J"
SHOWN = "a[31m]0;titlebc2J"
STYLES = re.compile(r"\x1b\[[\d;?]*[a-zA-Z]")  # those of rich


def table() -> Table:
    made = Table(title=escape(HOSTILE))
    made.add_column("model")
    made.add_row(escape(HOSTILE))
    return made


@pytest.mark.parametrize(
    "content", [escape(HOSTILE), table(), Markdown(f"- **{HOSTILE}**")], ids=["text", "table", "markdown"]
)
def test_text_cannot_control_the_terminal(content: RenderableType) -> None:
    plain, terminal = io.StringIO(), io.StringIO()
    SafeConsole(file=plain, width=60).print(content)
    SafeConsole(file=terminal, width=60, force_terminal=True, color_system="truecolor").print(content, style="bold red")
    assert SHOWN in re.sub(r"\s", "", plain.getvalue())  # Markdown makes a space of the carriage return
    assert "\x1b[" in terminal.getvalue()
    for printed in (plain.getvalue(), STYLES.sub("", terminal.getvalue())):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", printed)


def test_the_columns_of_a_table_stay_aligned() -> None:
    file = io.StringIO()
    SafeConsole(file=file, width=60).print(table())
    lines = file.getvalue().splitlines()[1:]
    assert len(set(map(len, lines))) == 1


def test_progress_bars_and_live_tables_still_move_the_cursor() -> None:
    file = io.StringIO()
    console = SafeConsole(file=file, width=60, force_terminal=True)
    with Progress(console=console) as bar:
        bar.add_task(escape(HOSTILE), total=2)
    with Live(table(), console=console, auto_refresh=False) as live:
        live.refresh()
    written = file.getvalue()
    assert "\x1b[?25l" in written  # hides the cursor
    assert SHOWN in STYLES.sub("", written)
    assert not re.search("[\x07\x9b\u202e]|\x1b\\]", written)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_words_and_numbers_have_no_colours_of_their_own() -> None:
    grid = Table("value")
    for word in ("False", "None", "0.5", "'text'", "/a/path", "http://here"):
        grid.add_row(word)
    file = Terminal()
    console = SafeConsole(file=file, width=60, color_system="truecolor", _environ={"TERM": "xterm"})
    console.print("False 0.5 None 'text' /a/path", grid)
    assert not [style for style in STYLES.findall(file.getvalue()) if re.search(r"[;\[][39]\d", style)]


def test_no_color_means_no_escape_sequence_of_text_and_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, escapes in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", value)
        monkeypatch.setenv("TERM", "xterm-256color")
        file = Terminal()
        console = SafeConsole(file=file, width=60)
        console.print("[bold red]False[/]", Markdown("- **bold** `code`"), table(), style="dim")
        with console.status("starting …"):
            pass
        with Progress(console=console) as bar:
            bar.advance(bar.add_task("counting", total=1))
        assert "counting" in file.getvalue()
        assert ("\x1b" in file.getvalue()) == escapes


def test_every_console_of_the_package_is_safe() -> None:
    package = Path(safe_console.__file__).parent
    unsafe = [path for path in package.rglob("*.py") if "import Console\n" in path.read_text(encoding="utf-8")]
    assert not unsafe
