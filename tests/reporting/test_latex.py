"""LaTeX of findings, read by pylatexenc and pybtex, and compiled where there is a TeX engine."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from pybtex.database import parse_string
from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexMacroNode, LatexWalker

from lcl_lab.errors import UserError
from lcl_lab.figures import dot_figure
from lcl_lab.reporting import (
    Findings,
    Section,
    Statement,
    Table,
    assess,
    latex_archive,
    latex_files,
    latex_text,
    write_latex,
)

from .factories import estimate, findings

EVIL = r"a_b 50% & #1 {x} \ ~ ^ $y$ <z> \input{/etc/passwd} “é” −½ ± ≤ … | [@efron1987]"
COMPILER = shutil.which("pdflatex")


def hostile(rows: int = 3) -> Findings:
    """Findings whose names are as bad as they can be, with a long table, a chart and a picture."""
    names = [f"[{number}] {EVIL}" for number in range(rows)]
    frame = pd.DataFrame({"model": names, "metric": "candidate", "k": "a_%", "estimate": 0.5, "low": 0.4, "high": 0.6})
    tables = [
        Table(f"Of {EVIL}", frame, across="k", estimand="accuracy", method="cluster bootstrap over concept pairs"),
        Table("Long", pd.DataFrame({"n_%": range(60), "word": "x_y"})),
        Table("Wide", pd.DataFrame([{f"c{k}": -0.25 for k in range(20)}])),
    ]
    statements = [Statement("[{model}] and `{model}` & **{x}**: -0.5", {"x": EVIL}, model=EVIL)]
    claims = [
        assess("Table_2", EVIL, EVIL, estimate(None), above=0.3),
        assess("F", "c", "m", estimate(None), above=0.45),
    ]
    chart = dot_figure(frame.assign(k="x").head(1), "k", "Title")
    picture = Section("Picture", figure=Image.new("RGB", (8, 8)), name="picture")
    return Findings(EVIL, [Section(EVIL, statements, chart, tables=tables), picture], claims)


def walk(text: str) -> list[object]:
    """All nodes of a text; pylatexenc raises where braces or environments do not match."""
    nodes, _, _ = LatexWalker(text, tolerant_parsing=False).get_latex_nodes()
    found: list[object] = []

    def visit(children: object) -> None:
        for node in children or ():  # type: ignore[attr-defined]
            if node is None:
                continue
            found.append(node)
            visit(getattr(node, "nodelist", None))
            visit(getattr(getattr(node, "nodeargd", None), "argnlist", None))

    visit(nodes)
    return found


def commands(text: str) -> list[str]:
    return [node.macroname for node in walk(text) if isinstance(node, LatexMacroNode)]


@pytest.mark.parametrize("make", [findings, hostile])
def test_every_citation_is_in_the_bibliography_and_environments_match(make: object) -> None:
    files = {name: content.decode() for name, content in latex_files(make()).items() if name.endswith((".tex", ".bib"))}  # type: ignore[operator]
    cited = {key for keys in re.findall(r"\\citep\{([^}]*)\}", files["methods.tex"]) for key in keys.split(",")}
    assert cited == set(parse_string(files["references.bib"], "bibtex").entries)
    assert "tai2024" in cited
    for name in ("tables.tex", "methods.tex", "report.tex"):
        nodes = walk(files[name])
        environments = [node.environmentname for node in nodes if isinstance(node, LatexEnvironmentNode)]
        assert len(environments) == files[name].count(r"\begin{") == files[name].count(r"\end{")
    labels = re.findall(r"\\label\{([^}]*)\}", files["tables.tex"])
    assert len(labels) == len(set(labels)) == files["tables.tex"].count(r"\caption{")


def test_a_table_has_the_rules_of_booktabs_its_caption_and_its_intervals() -> None:
    text = latex_files(findings())["tables.tex"].decode()
    for part in (
        r"\caption{Accuracy; one column per number of heads removed}",
        r"\label{tab:accuracy-1}",
        "\\begin{tabular}{llrr}\n\\toprule\nmodel & metric & 0 & 1 \\\\\n\\midrule\n",
        r"m & candidate & 0.50 [0.40, 0.70] & 0.60 [0.40, 0.70] \\",
        r"\label{tab:claims}",
    ):
        assert part in text


def test_what_a_name_contains_is_shown_and_never_executed() -> None:
    latex = latex_text(EVIL)
    assert set(commands(latex)) <= {
        *"_%&#{}$", "textbackslash", "textasciitilde", "textasciicircum", "ensuremath", "textquotedblleft",
        "textquotedblright", "textellipsis", "citep", "pm", "leq", "'", "textonehalf",
    }  # fmt: skip
    shown = LatexNodes2Text(math_mode="text").latex_to_text(latex.replace(r"\citep{efron1987}", ""))
    plain = EVIL.replace("[@efron1987]", "").replace("−", "-")  # pylatexenc reads a minus as a hyphen
    assert shown.replace("ˆ", "^").replace(" ", "") == plain.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("**mini/2-way**, `a_b`: 5 %", r"\textbf{mini/2-way}, \texttt{a\_b}: 5 \%"),
        ("by [@efron1987; @field2007].", r"by \citep{efron1987,field2007}."),
        ("-0.25 [-0.35, -0.15]", r"\ensuremath{-}0.25 [\ensuremath{-}0.35, \ensuremath{-}0.15]"),
        ("[mix] rises", "{}[mix] rises"),
        ("* a", "{}* a"),
        ("2-way and x-1", "2-way and x-1"),
        ("漢字", "漢字"),
        ("", ""),
    ],
)
def test_texts(text: str, latex: str) -> None:
    assert latex_text(text) == latex


def test_texts_that_may_be_edited_are_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "latex"
    written = write_latex(folder, findings())
    assert {path.name for path in written} == {
        "report.tex", "tables.tex", "methods.tex", "references.bib", "figure-caption.txt",
        "figure-column.pdf", "figure-column.svg", "figure-wide.pdf", "figure-wide.svg",
    }  # fmt: skip
    assert (folder / "figure-wide.pdf").read_bytes().startswith(b"%PDF")
    write_latex(folder, findings())
    (folder / "methods.tex").write_text("mine", encoding="utf-8")
    (folder / "tables.tex").unlink()
    with pytest.raises(UserError, match=r"methods.tex differs .* choose another folder"):
        write_latex(folder, findings())
    assert (folder / "methods.tex").read_text(encoding="utf-8") == "mine"
    assert not (folder / "tables.tex").exists()
    with pytest.raises(UserError, match="is a file; give a folder"):
        write_latex(folder / "methods.tex", findings())


def test_an_archive_has_the_same_files() -> None:
    with zipfile.ZipFile(io.BytesIO(latex_archive(findings()))) as archive:
        assert {name: archive.read(name) for name in archive.namelist() if name.endswith((".tex", ".bib"))} == {
            name: content for name, content in latex_files(findings()).items() if name.endswith((".tex", ".bib"))
        }


@pytest.mark.skipif(COMPILER is None, reason="pdflatex is not installed: it compiles the document")
@pytest.mark.parametrize("make", [findings, hostile])
def test_the_document_compiles(make: object, tmp_path: Path) -> None:
    write_latex(tmp_path, make())  # type: ignore[operator]
    for command in (["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report"], ["bibtex", "report"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, done.stdout[-2000:]
    subprocess.run(["pdflatex", "-interaction=nonstopmode", "report"], cwd=tmp_path, capture_output=True)
    last = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "report"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="replace",
    ).stdout
    assert "undefined" not in last
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
