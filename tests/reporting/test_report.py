from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
from rich.console import Console

from lcl_lab.reporting import Findings, Section, Statement, Table, findings_page, print_findings, write_report
from lcl_lab.store import collect

from .factories import findings


def test_a_report_has_method_figures_sentences_tables_claims_and_origin(tmp_path: Path) -> None:
    doc = "A question.\n\nQuestion   Why\n           so?\nDesign     By lot.\nExpect     nothing\n"
    write_report(tmp_path, findings(), doc, collect({}, [0], "cpu", 1.0, ["python", "-m", "x", "a b"]))
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    for part in (
        "**Question.** Why so?",
        "**Design.** By lot.",
        "![Accuracy](figure.png)",
        "- **m**, candidate: -0.250 [-0.350, -0.150], p < 0.001.",
        "| m | open-ended | 0.50 [0.40, 0.70] | 0.60 [0.40, 0.70] |",
        "| Table 2 | it is high | m 0.500 [0.400, 0.600] | holds |",
        "python -m x 'a b'",
    ):
        assert part in report
    assert "Expect" not in report
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert 'src="data:image/svg+xml;base64,' in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_what_a_model_said_cannot_become_markup(tmp_path: Path) -> None:
    answer = '<script>alert("x")</script><img src="http://there/x.png"> | a'
    table = Table("Answers", pd.DataFrame({"model": ["m"], "answer": [answer]}))
    statement = Statement("It said {answer}.", {"answer": answer})
    shown = Findings("Title <b>", [Section("One", [statement], tables=[table])])
    write_report(tmp_path, shown, "Question   Why?\n", collect({}, [0], "cpu", 1.0, ["python", "-m", "x"]))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert "<td>m</td>" in page


def test_a_page_of_findings_fetches_nothing() -> None:
    evil = (
        "<script>alert(1)</script> ![x](http://evil.example/x.png) [y](javascript:alert(1)) ![z](../../../secret.png)"
    )
    table = Table(evil, pd.DataFrame({"model": [evil]}))
    shown = Findings(evil, [Section(evil, [Statement("{x}", {"x": evil})], tables=[table])])
    page = findings_page(shown, notes=["## Runs", "", evil])
    assert "<script" not in page
    assert "<img" not in page
    assert "<a " not in page
    assert "http://evil.example" in page  # as text


def test_the_terminal_shows_five_conditions_in_80_characters() -> None:
    frame = pd.DataFrame(
        [{"model": "mini/2-way-random", "metric": "open-ended", "k": k, "estimate": 0.5, "low": 0.4, "high": 0.6}
         for k in range(7)]
    )  # fmt: skip
    shown = Findings("T", [Section("S", [Statement("Done.")], tables=[Table("Accuracy", frame, across="k")])])
    console = Console(file=io.StringIO(), width=80)
    print_findings(console, shown)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= 80
    assert sum(line.count(".40–.60") for line in lines) == 7
    assert any("open-ended" in line for line in lines)
