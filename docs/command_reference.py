"""Writes the page `commands.md` when the site is built: every command, with the options of its configuration class."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from lcl_lab import commands, studies
from lcl_lab.benchmarks import dashboard, evaluator, sweep
from lcl_lab.commands import Program
from lcl_lab.config import Config

_INTRO = """# Commands

Every command is a subcommand of `lcl`. Most also have a module, which `python -m` runs. The options of a command are
the fields of its configuration class, so the same names work in Python (`queries_per_support=4`), in YAML files
(`queries_per_support: 4`) and on the command line (`--queries-per-support 4`).

Most commands accept `--config FILE`, a YAML file with options; options on the command line take precedence. A mistake
ends the command with exit code 2 and one line that names the option. An interrupted command resumes when it is given
again.
"""
_TYPES = {
    "str": "text",
    "int": "integer",
    "float": "number",
    "bool": "flag",
    "Path": "path",
    "dict": "COLUMN=VALUE …",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page to those of the folder."""
    files.append(File.generated(config, "commands.md", content="\n".join(_page())))
    return files


def _page() -> Iterator[str]:
    yield _INTRO
    yield from _section("lcl study", "Run a study: `lcl study NAME`. These options are common to all studies.",
                        studies.EpisodeConfig)  # fmt: skip
    shared = studies.EpisodeConfig.model_fields
    for study in studies.find_studies():
        name = f"lcl study {study.name}"
        also = f"Also `python -m lcl_lab.studies.{study.name}`. See [the study](studies/{study.name}.md)."
        yield from _section(name, f"{study.doc.strip().splitlines()[0]}\n\n{also}", study.config, shared, level=3)
    programs: Mapping[str, Program[Any]] = {
        "python -m lcl_lab.studies.all": commands.all_studies_program("lcl study all"),
        "lcl report": commands.report_program("lcl report"),
        "python -m lcl_lab.train": commands.train_program("lcl train"),
        "python -m lcl_lab.sweep": commands.sweep_program("lcl sweep"),
        "python -m lcl_lab.power": commands.power_program("lcl power"),
        "python -m lcl_lab.neighbours": commands.mine_program("lcl mine"),
        "python -m lcl_lab.models.convert_shikra": commands.convert_program("lcl convert"),
        "python -m lcl_lab.zoo train": commands.zoo_train_program("lcl zoo train"),
        "python -m lcl_lab.zoo seeds": commands.zoo_seeds_program("lcl zoo seeds"),
        "python -m lcl_lab.zoo table": commands.zoo_table_program("lcl zoo table"),
        "streamlit run dashboards/app.py": commands.dashboard_program("lcl dashboard"),
    }
    for module, program in programs.items():
        doc = program.doc.split("\n\n")[0] if "Question " in program.doc else program.doc
        also = f"\n\nAlso `{module}`." if module != program.name else ""
        yield from _section(program.name, f"{inspect.cleandoc(doc)}{also}", program.config)
    yield "## Benchmarks\n\nSee [Performance](performance.md) for their results.\n"
    benchmarks = {
        "evaluator": evaluator.EvaluatorBenchmarkConfig,
        "sweep": sweep.SweepBenchmarkConfig,
        "dashboard": dashboard.DashboardBenchmarkConfig,
    }
    for name, options in benchmarks.items():
        yield from _section(f"python -m lcl_lab.benchmarks.{name}", "", options, level=3)


def _section(
    name: str, text: str, options: type[Config], hidden: Mapping[str, Any] | None = None, level: int = 2
) -> Iterator[str]:
    """The description of a command and the table of its options, without those that equal one in `hidden`."""
    fields = {
        name: field
        for name, field in options.model_fields.items()
        if hidden is None or name not in hidden or field.default != hidden[name].default
    }
    yield f"{'#' * level} {name}\n\n{text}\n"
    if len(options.PRESETS) > 1:
        yield f"Presets (`--preset`): {', '.join(f'`{preset}`' for preset in options.PRESETS)}.\n"
    if not fields:
        return
    yield "| option | type | default | |\n| --- | --- | --- | --- |"
    for field_name, field in fields.items():
        positional = field_name in options.POSITIONAL
        shown = field_name.upper() if positional else f"--{field_name.replace('_', '-')}"
        default = "required" if field.is_required() else _default(field.default)
        text = _escape(field.description or "")
        yield f"| `{shown}` | {_escape(_type(field.annotation))} | {_escape(default)} | {text} |"
    yield ""


def _default(value: Any) -> str:
    if value is None or value in ((), {}, ""):
        return ""
    if value is False:
        return "off"
    return f"`{' '.join(map(str, value))}`" if isinstance(value, tuple) else f"`{value}`"


def _type(annotation: Any) -> str:
    """The type of an option in the words of a command line."""
    members = [member for member in get_args(annotation) if member not in (type(None), Ellipsis)]
    if hasattr(annotation, "__metadata__"):
        return _type(annotation.__origin__)
    if get_origin(annotation) is tuple:
        return f"{_type(members[0])} …" if members else "list"
    if str(get_origin(annotation)).endswith("Literal"):
        return " or ".join(map(str, members))
    if members and get_origin(annotation) is not dict:
        return _type(members[0])
    return _TYPES.get(getattr(annotation, "__name__", ""), "text")


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;") if "`" not in text else text.replace("|", "\\|")
