"""One study from its configuration to its report: checks, evaluation, findings, manifest."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lcl_lab import concepts, episodes, evaluation, models, reporting, store
from lcl_lab.control_characters import remove_controls
from lcl_lab.errors import UserError
from lcl_lab.models.credentials import redact
from lcl_lab.safe_console import SafeConsole
from lcl_lab.studies.protocol_note import protocol_note
from lcl_lab.studies.registration import Registration, read_registration, register
from lcl_lab.studies.run_history import RunHistory, read_history
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import EpisodeConfig, StudyConfig
from lcl_lab.studies.study_registry import find_study
from lcl_lab.type_checks import check_type

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from lcl_lab.evaluation import Design
    from lcl_lab.figures import Figure
    from lcl_lab.models import Checkpoint
    from lcl_lab.reporting import Claim, Findings

__all__ = ["StudyResult", "command_of", "configure", "run_study"]

C = TypeVar("C", bound=StudyConfig)
Report = Callable[[int, int], None]


@dataclass(frozen=True, repr=False)
class StudyResult:
    """A finished run of a study.

    Attributes:
        study: the study's name.
        config: the options that it ran with.
        path: the run directory, with report.md, report.html, figures and records.
        findings: what was found, as typed statements, figures, tables and claims.
        records: one row per query, condition and model.
    """

    study: str
    config: StudyConfig
    path: Path
    findings: Findings
    records: pd.DataFrame

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """Every estimate as one row: estimand, model, metric, condition columns, estimate, low, high, n, clusters, …"""
        return self.findings.estimates

    @property
    def accuracy(self) -> pd.DataFrame:
        """The accuracies among the estimates, without the columns that do not apply to them."""
        rows = self.estimates[self.estimates["estimand"] == "accuracy"].drop(columns=["estimand", "method"])
        return rows.dropna(axis="columns", how="all").reset_index(drop=True)

    @property
    def figure(self) -> Figure | Image | None:
        """The first figure of the report."""
        return next((section.figure for section in self.findings.sections if section.figure is not None), None)

    def to_latex(self, folder: Path | str) -> Path:
        """Write tables, methods paragraph, bibliography and figures for a paper; see `lcl_lab.reporting.write_latex`.

        Args:
            folder: created if needed.

        Returns:
            The folder.

        Raises:
            UserError: the folder has a text of the same name with other content, or cannot be written.
        """
        reporting.write_latex(Path(folder), self.findings)
        return Path(folder)

    def __repr__(self) -> str:
        models = ", ".join(dict.fromkeys(self.records["model"]))
        lines = [f"{self.findings.title}: {len(self.records)} records of {models}"]
        for section in self.findings.sections:
            lines += [f"- {statement.text.replace('**', '')}" for statement in section.statements]
        lines += [f"- {claim.source}: {claim.claim}: {_verdict(claim)}" for claim in self.findings.claims]
        return remove_controls("\n".join([*lines, str(self.path)]))

    def _repr_html_(self) -> str:
        return reporting.findings_page(self.findings)


def run_study(
    study: Study[C] | str,
    config: C | None = None,
    *,
    verbose: bool = False,
    report: Report | None = None,
    **options: Any,
) -> StudyResult:
    """Run a study, or resume it where it was interrupted.

    A run is identified by everything that its records depend on: the design, the seed, and the contents of models and
    data. A finished run with the same identity is returned without evaluating anything, unless `fresh` is set. An
    unfinished one is resumed only by the version of scoring code and libraries that began it; another version starts a
    new run.

    Args:
        study: a study, or the name of one.
        config: its options; None builds them from `options`.
        verbose: print the findings and the path of the run directory.
        report: receives the number of prompts that have been answered and the number of all, after every answer.
        **options: fields of the study's configuration, and `preset` and `file` as in `Config.create`. `model` and
            `data` may be objects, which are registered under their names.

    Returns:
        Records, estimates, findings, figure and path of the run.

    Raises:
        UserError: a model, dataset, design or results folder cannot be used; raised before anything is evaluated.
    """
    check_type(study, (str, Study), "study")
    chosen: Study[Any] = find_study(study) if isinstance(study, str) else study
    if config is not None:
        check_type(config, chosen.config, "config", "a preset is given as preset=...")
    return _run(chosen, config or configure(chosen, **options), verbose, report)


def configure(study: Study[C], *, preset: str | None = None, file: str | Path | None = None, **options: Any) -> C:
    """The configuration of a study from options in which `model` and `data` may be objects.

    Raises:
        UserError: an option is unknown or wrong.
    """
    if "model" in options:
        evaluated = options["model"] if isinstance(options["model"], list | tuple) else [options["model"]]
        options["model"] = tuple(_model_name(model) for model in evaluated)
    if "data" in options:
        options["data"] = concepts.dataset_name(options["data"])
    return study.config.create(preset, file, **options)


def command_of(program: Sequence[str], config: StudyConfig) -> list[str]:
    """The command that runs a study with a configuration: its program, and the options that are not the defaults."""
    words = list(program)
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if value == field.default or name == "fresh":
            continue
        words.append(f"--{config.option(name).replace('_', '-')}")
        if value is not True:
            words += [redact(value)] if name == "base_url" else _words(value)
    return words


def _verdict(claim: Claim) -> str:
    """The verdict of a claim; if it is inconclusive, also what would decide it."""
    undecided = claim.detectable() if reporting.is_inconclusive(claim.verdict) else None
    return f"{claim.verdict}; {reporting.format_detectable(undecided)}" if undecided else claim.verdict


def _words(value: object) -> list[str]:
    """A value as words of a command line."""
    if isinstance(value, dict):
        return [f"{key}={json.dumps(one)}" for key, one in value.items()]
    return list(map(str, value)) if isinstance(value, tuple) else [str(value)]


def _run(study: Study[C], config: C, verbose: bool, report: Report | None) -> StudyResult:
    started = time.perf_counter()
    # An impossible design is reported before anything is downloaded.
    check_type(study.design(config), evaluation.Design, "study", f"the design function of {study.name} must return one")
    if config.workers > 1:
        evaluation.check_workers(config.workers, config.gpus_per_worker)
    checkpoints, config = _checkpoints(study, config)
    calibrate = isinstance(config, EpisodeConfig) and config.calibrate
    design = replace(study.design(config), open_rule=config.open_rule, calibrate=calibrate)
    identity = {
        **design.identity,
        **({"open_rule": config.open_rule} if config.open_rule else {}),
        **({"calibrate": True} if calibrate else {}),
        "content": design.content_digest(),
        "seed": config.seed,
        "dtype": config.dtype,
        "models": [checkpoint.identity() for checkpoint in checkpoints],
    }
    out = SafeConsole() if verbose else SafeConsole(quiet=True)
    notify = _notifier(verbose)
    if notify and (note := protocol_note(config)):
        notify(note)
    code, cells = evaluation.scoring_code(), evaluation.cell_names(checkpoints, design)
    with store.Run.open(config.results, study.name, identity, config.fresh, code, cells) as run:
        if notify and run.not_resumed:
            notify(f"other scoring code or libraries computed the records of {run.not_resumed}: starting a new run")
        if notify and run.broken:
            notify(f"{run.broken.path} is broken and left as it is ({run.broken.reason}): this run is {run.path.name}")
        if run.finished:
            line = f"already finished; --fresh runs it again\n{run.path}"
            out.print(line, soft_wrap=True, highlight=False, markup=False)
            registration = _registered(study, config, design, identity, run)
            findings = study.findings(config, run.records(), [identity], _history(run, registration))
        else:
            registration = _registered(study, config, design, identity, run)
            run.note("began", options=config.model_dump(mode="json"))
            device = evaluation.evaluate_run(
                run,
                checkpoints,
                design,
                batch_size=config.batch_size,
                dtype=config.dtype,
                fresh=config.fresh,
                use_cache=not config.no_cache,
                notify=notify,
                report=report,
                workers=config.workers,
                gpus_per_worker=config.gpus_per_worker,
            )
            look = store.count_look(run.path.parent, identity, run.path.name)
            run.note("analysed", look=look)
            history = _history(run, registration)
            findings = study.findings(config, run.records(), [identity], history)
            seconds = time.perf_counter() - started
            command = _command(study, config)
            provenance = store.collect(identity, [config.seed], device, seconds, command, history.blind, config.workers)
            reporting.write_report(run.path, _with_example(findings, design), study.doc, provenance)
            run.finish(provenance)
        records = run.records()
    if verbose:
        reporting.print_findings(out, findings)
        out.print(str(run.path), soft_wrap=True, highlight=False, markup=False)
    return StudyResult(study.name, config, run.path, findings, records)


def _history(run: store.Run, registration: Registration | None) -> RunHistory:
    return replace(read_history(run.path), registration=registration)


def _registered(
    study: Study[C], config: C, design: Design, identity: Mapping[str, Any], run: store.Run
) -> Registration | None:
    """What was registered of a run: now, or when it was begun."""
    if config.registration is None:
        return read_registration(run.path)
    return register(config.registration, study, config, design, identity, run)


def _checkpoints(study: Study[C], config: C) -> tuple[list[Checkpoint], C]:
    """The models to evaluate, and the configuration with each under the name that its records have."""
    names = dict.fromkeys((*config.models, *([models.PROTOTYPE] if study.reference else [])))
    checkpoints = [
        models.find_checkpoint(name, base_url=config.base_url, settings=config.model_settings) for name in names
    ]
    if config.revision is not None and not any(map(models.is_on_hub, names)):
        raise UserError("no model is on the hub", option="revision", value=config.revision)
    repeated = [name for name, count in Counter(found.name for found in checkpoints).items() if count > 1]
    if repeated:
        raise UserError(f"two models are named {repeated[0]}; name one of them, as NAME=PATH", option="model")
    return checkpoints, config.renamed({name: found.name for name, found in zip(names, checkpoints, strict=True)})


def _command(study: Study[Any], config: StudyConfig) -> list[str]:
    """What reproduces the run: a command, or a Python expression for a study that has no program."""
    if study.program:
        return command_of(study.program, config)
    options = config.model_dump(mode="json", exclude_defaults=True)
    return [f"lcl_lab.run_study({study.name!r}, **{json.dumps(options)})"]


def _notifier(verbose: bool) -> Any:
    if not verbose:
        return None
    console = SafeConsole(stderr=True)
    return lambda line: console.print(line, style="dim", soft_wrap=True, highlight=False, markup=False)


def _model_name(model: Any) -> str:
    if isinstance(model, str):
        return model
    models.register_model(model)
    return str(model.name)


def _with_example(findings: Findings, design: Design) -> Findings:
    if design.example is None:
        return findings
    colours = " False labels are orange." if any(shown.false for shown in design.example.support) else ""
    statement = reporting.Statement(f"The first query under the middle condition.{colours}")
    image = episodes.episode_image(design.example, design.image)
    section = reporting.Section("One episode", [statement], image, "episode")
    return replace(findings, sections=[*findings.sections, section])
