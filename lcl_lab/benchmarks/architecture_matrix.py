"""Which architectures of the installed `transformers` are evaluated exactly, and how.

For each architecture, a tiny checkpoint with random weights is evaluated on two queries with batches of 1, 3 and 8, and
the records are written to a results folder and read back. It is

exact          if every stored log-likelihood differs by less than 1e-4 nats from that of an unbatched forward pass over
               the whole prompt and answer, the greedy texts are those of `generate`, and other images change the
               numbers;
shared         in addition, if prompts share the computation of their common prefixes;
refused        if it cannot answer questions about images in this form, which is said before its weights are loaded;
not built      if no checkpoint of it could be made.

Command    lcl bench architectures --write docs/architectures.md
Time       four minutes on two cores
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch
from PIL.Image import Image
from pydantic import Field
from rich.table import Table
from torch import Tensor
from torch.nn.functional import pad
from transformers.utils import logging as hf_logging

from lcl_lab.benchmarks.architectures import CannotBuild, build, names
from lcl_lab.commands.program import Program
from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.config import Config
from lcl_lab.episodes import Episode, draw_episode, falsify
from lcl_lab.errors import UserError, nearest
from lcl_lab.evaluation import Design, episode_design, evaluate_run
from lcl_lab.models import Checkpoint, check_requirements, find_checkpoint, load_transformers_model
from lcl_lab.models.engine.reference_engine import accepted_inputs, process_prompts
from lcl_lab.models.engine.tree_engine import TreeEngine
from lcl_lab.progress import track
from lcl_lab.prompts import Prompt
from lcl_lab.safe_console import SafeConsole
from lcl_lab.store import Run, read_run

__all__ = [
    "ArchitectureMatrixConfig",
    "Outcome",
    "architectures_program",
    "check_architecture_exactness",
    "run_matrix",
]

_PAGE = """# Architectures

Which image-text-to-text architectures of `transformers` {version} can be evaluated, and how. Each was built as a tiny
checkpoint with random weights and evaluated on two queries with batches of 1, 3 and 8. In an *exact* row, all stored
log-likelihoods differ by less than 1e-4 nats from those of an unbatched forward pass over the whole prompt and answer,
the greedy texts are those of `generate`, and other images change the numbers. *Shared* means that prompts share the
computation of common prefixes; otherwise each prompt is computed as a whole. *Images* says how many a prompt may have,
and the difference is the largest one. A *refused* model is refused before its weights are loaded. This page is written
by:

```sh
lcl bench architectures --write docs/architectures.md
```

{summary}.
"""
_COLUMNS = ("architecture", "result", "prefixes", "images", "difference, nats", "why")
_TOLERANCE = 1e-4  # nats
_BATCH_SIZES = (1, 3, 8)
_LOGLIKS = ("loglik_true", "loglik_other")


class ArchitectureMatrixConfig(Config):
    """Architectures to check, and where to write the table."""

    architectures: tuple[str, ...] = Field((), description="model types; all by default")
    write: Path | None = Field(None, description="Markdown page to write")


@dataclass(frozen=True)
class Outcome:
    """What was found for one architecture.

    Attributes:
        name: its model type.
        kind: "exact", "wrong", "error", "refused" or "not built".
        shared: whether prefixes are shared.
        shots: whether a prompt may have several images.
        difference: largest difference of a log-likelihood, in nats; None if nothing was evaluated.
        note: the reason, where it is not exact.
    """

    name: str
    kind: str
    shared: bool = False
    shots: bool = True
    difference: float | None = None
    note: str = ""


@contextmanager
def _only_errors(name: str) -> Iterator[None]:
    """Keep a logger from reporting anything but errors."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def run_matrix(config: ArchitectureMatrixConfig) -> list[Outcome]:
    """Check architectures, print the table, and write it if asked to.

    Raises:
        UserError: an architecture is unknown.
    """
    for name in config.architectures:
        if name not in names():
            raise UserError(f"unknown; {nearest(name, names())}", option="architectures", value=name)
    hf_logging.set_verbosity_error()
    hf_logging.disable_progress_bar()
    outcomes = []
    with _only_errors("lcl_lab"), TemporaryDirectory() as folder:  # how each is evaluated is in the table
        for name in track(config.architectures or names(), "checking"):
            outcomes.append(check_architecture_exactness(name, Path(folder) / name))
    console = SafeConsole()
    console.print(_table(outcomes))
    console.print(_summary(outcomes))
    if config.write:
        config.write.write_text(_markdown(outcomes), encoding="utf-8")
    return outcomes


def check_architecture_exactness(name: str, folder: Path) -> Outcome:
    """Build a checkpoint of an architecture in a folder and compare the records of it with plain forward passes."""
    try:
        build(name, folder)
    except CannotBuild as error:
        return Outcome(name, "not built", note=str(error))
    checkpoint = find_checkpoint(str(folder))
    try:
        design = _accepted_design(checkpoint, shots=4)
    except UserError:
        try:
            design = _accepted_design(checkpoint, shots=0)
        except UserError as error:
            return Outcome(name, "refused", note=error.reason.removeprefix(f"its architecture, {name}, "))
    try:
        return _compare(name, checkpoint, design, folder.with_name(f"{name}-results"))
    except Exception as error:  # what no architecture should do is a result here
        return Outcome(name, "error", note=f"{type(error).__name__}: {' '.join(str(error).split())[:120]}")


def _accepted_design(checkpoint: Checkpoint, shots: int) -> Design:
    """Two queries with true and with false labels, or without a support.

    Raises:
        UserError: the model does not accept such prompts.
    """
    world = load_dataset("world-100")

    def draw(query: int) -> Episode:
        return draw_episode(world, 0, query, shots, 2)

    conditions = [({"false_ratio": 0.0}, draw)]
    if shots:
        conditions.append(({"false_ratio": 1.0}, lambda query: falsify(draw(query), 1.0)))
    design = episode_design(world, 2, conditions, queries_per_support=2)
    check_requirements(checkpoint, "float32", _prompts(design)[0], world.image)
    return design


def _prompts(design: Design) -> list[Prompt]:
    return [condition.item(query).prompt for condition in design.conditions for query in range(condition.queries)]


def _compare(name: str, checkpoint: Checkpoint, design: Design, results: Path) -> Outcome:
    runs = []
    for batch_size in _BATCH_SIZES:
        model = load_transformers_model(checkpoint, batch_size, "float32")
        with Run.open(results, "architectures", {"architecture": name, "batch_size": batch_size}) as run:
            evaluate_run(run, [replace(checkpoint, model=model)], design, progress=False)
        runs.append(read_run(run.path).sort_values(["false_ratio", "query_id"], ignore_index=True))
    prompts = _prompts(design)
    shared, shots = isinstance(model.engine, TreeEngine), len(prompts[0].images) > 1
    expected = pd.DataFrame([_plain_answer(model, prompt, design.image) for prompt in prompts])
    difference = max(float((run[column] - expected[column]).abs().max()) for run in runs for column in _LOGLIKS)
    if not difference <= _TOLERANCE:
        return Outcome(name, "wrong", shared, shots, difference, "differs from a forward pass of the whole prompt")
    if any(list(run["answer"]) != list(expected["answer"]) for run in runs):
        return Outcome(name, "wrong", shared, shots, difference, "greedy texts differ from those of `generate`")
    if not _sees_images(model.answer, prompts[0], design.image, expected.iloc[0]):
        return Outcome(name, "wrong", shared, shots, difference, "other images give the same numbers")
    return Outcome(name, "exact", shared, shots, difference)


def _sees_images(
    answer: Callable[..., Any], prompt: Prompt, image: Callable[[ImageRef], Image], expected: pd.Series
) -> bool:
    """Whether exchanging the last two images of the support, or replacing the only image, changes log-likelihoods."""
    refs = prompt.images
    other = draw_episode(load_dataset("world-100"), 0, 9, 0).query
    assert other is not None
    exchanged = {refs[-3]: refs[-2], refs[-2]: refs[-3]} if len(refs) > 1 else {refs[0]: other}
    turns = [
        replace(
            turn, parts=tuple(exchanged.get(part, part) if isinstance(part, ImageRef) else part for part in turn.parts)
        )
        for turn in prompt.turns
    ]
    (changed,) = answer([replace(prompt, turns=tuple(turns))], image)
    logliks = [loglik.total for loglik in changed.logliks]
    return any(abs(a - b) > _TOLERANCE for a, b in zip(logliks, expected[list(_LOGLIKS)], strict=True))


@torch.inference_mode()
def _plain_answer(model: Any, prompt: Prompt, image: Callable[[ImageRef], Image]) -> dict[str, Any]:
    """Columns of a record: the text of `generate` and the candidates' log-likelihoods by one forward pass each."""
    network, encoder = model.network, model.encoder
    encoded = encoder(prompt)
    limit = encoded.answer_limit(None)
    processed = process_prompts(model.processor, encoder, [prompt], image)
    inputs = {
        key: value.to(network.dtype) if isinstance(value, Tensor) and value.is_floating_point() else value
        for key, value in processed.items()
        if key in accepted_inputs(network)
    }
    # One token more, because some configs force the last one to be the end of the sequence.
    generated = network.generate(
        **inputs,
        do_sample=False,
        max_new_tokens=limit + 1,
        eos_token_id=list(encoder.ends),
        pad_token_id=encoder.ends[0],
    )[0]
    start = inputs["input_ids"].shape[1]
    is_continued = torch.equal(generated[:start], inputs["input_ids"][0])
    ids = generated[start:] if is_continued else generated[int(encoder.has_decoder) :]
    logliks = []
    for candidate in encoded.candidates:
        answer = torch.tensor([candidate])
        logits = network(**_with_answer(network, inputs, answer, encoder.has_decoder)).logits
        last = logits[0, -len(candidate) - (not encoder.has_decoder) :][: len(candidate)]
        logliks.append(float(last.log_softmax(-1).gather(-1, answer.T).sum()))
    text = encoder.parse(ids[:limit].tolist()).text or ""
    return {"answer": text, **dict(zip(_LOGLIKS, logliks, strict=True))}


def _with_answer(network: Any, inputs: dict[str, Tensor], answer: Tensor, has_decoder: bool) -> dict[str, Tensor]:
    """The tensors of a prompt with an answer appended, each extended as the architecture's paper describes it."""
    if has_decoder:
        generation = network.generation_config
        start = generation.decoder_start_token_id
        if start is None:
            start = generation.bos_token_id
        return {**inputs, "decoder_input_ids": pad(answer[:, :-1], (1, 0), value=start)}
    count = answer.shape[1]
    extended = {
        "input_ids": torch.cat([inputs["input_ids"], answer], dim=1),
        "attention_mask": pad(inputs["attention_mask"], (0, count), value=1),
    }
    # PaliGemma's prompt is attended to in both directions, and its answer from left to right.
    types = 1 if network.config.model_type == "paligemma" else 0
    for key, value in inputs.items():
        if key not in extended and isinstance(value, Tensor) and value.shape == inputs["input_ids"].shape:
            extended[key] = pad(value, (0, count), value=types if key == "token_type_ids" else 0)
    for key in ("cross_attention_mask", "image_attention_mask"):
        if key in inputs:
            last = inputs[key][:, -1:]
            extended[key] = torch.cat([inputs[key], last.expand(-1, count, *last.shape[2:])], dim=1)
    return inputs | extended


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table(*_COLUMNS)
    for one in outcomes:
        table.add_row(*_cells(one))
    return table


def _cells(one: Outcome) -> tuple[str, str, str, str, str, str]:
    evaluated = one.difference is not None
    return (
        one.name,
        one.kind,
        ("shared" if one.shared else "whole") if evaluated else "",
        ("several" if one.shots else "one") if evaluated else "",
        f"{one.difference:.1e}" if one.difference is not None else "",
        one.note,
    )


def _summary(outcomes: Sequence[Outcome]) -> str:
    def count(kind: str) -> int:
        return sum(one.kind == kind for one in outcomes)

    shared = sum(one.kind == "exact" and one.shared for one in outcomes)
    return (
        f"{len(outcomes)} architectures: {count('exact')} exact, {shared} of them with shared prefixes; "
        f"{count('refused')} refused, {count('not built')} not built; {count('wrong')} wrong, {count('error')} errors"
    )


def _markdown(outcomes: Sequence[Outcome]) -> str:
    rows = [_COLUMNS, tuple("---" for _ in _COLUMNS), *map(_cells, outcomes)]
    table = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join([_PAGE.format(version=version("transformers"), summary=_summary(outcomes)), *table, ""])


def architectures_program(
    name: str = "python -m lcl_lab.benchmarks.architecture_matrix",
) -> Program[ArchitectureMatrixConfig]:
    """The command that checks which architectures are evaluated exactly."""
    return Program(name, ArchitectureMatrixConfig, run_matrix, __doc__ or "")


if __name__ == "__main__":
    architectures_program().main()
