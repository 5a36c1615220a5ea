"""The one evaluator: answers the items of a design with a model and grades them.

Studies store its records cell by cell; the model zoo, the trainer and notebooks take them as a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lcl_lab import episodes, evaluation, models, store
from lcl_lab.errors import UserError
from lcl_lab.evaluation.cell_evaluator import CellEvaluator, Executor, LoadingOptions, LocalExecutor
from lcl_lab.evaluation.cells import answer_block, count_queries, group_blocks, plan_cells, plan_model
from lcl_lab.evaluation.design import Design, EvalItem
from lcl_lab.evaluation.graded_answer import GradedAnswer, grade_answer
from lcl_lab.evaluation.model_checks import check_logliks, checked_answers
from lcl_lab.safe_console import SafeConsole
from lcl_lab.type_checks import check_type

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.episodes import Episode
    from lcl_lab.models import Checkpoint, Model
    from lcl_lab.store import Record, Run

__all__ = ["answer", "cell_names", "evaluate", "evaluate_run"]


def answer(model: Model | str, episode: Episode) -> GradedAnswer:
    """Let a model answer one episode and grade the answer.

    Args:
        model: a loaded model, or the name of one (see `load_model`).
        episode: an episode that knows its dataset, as `draw_episode` returns it.

    Raises:
        UserError: there is no such model, or the episode does not know its dataset.
    """
    check_type(episode, episodes.Episode, "episode", "the model comes first")
    if episode.dataset is None:
        raise UserError("has no dataset to take images from; draw it with draw_episode", option="episode")
    loaded = models.load_model(model) if isinstance(model, str) else model
    item = EvalItem.from_episode(episode)
    answers = loaded.answer([item.prompt], episodes.with_replacements(episode.dataset.image))
    (only,) = checked_answers(loaded.name, answers, [item.prompt])
    return grade_answer(item, only)


def evaluate(
    evaluated: Sequence[Model | Checkpoint | str] | Model | Checkpoint | str,
    design: Design,
    *,
    batch_size: int = 32,
    dtype: str = "auto",
    study: str = "evaluation",
    progress: bool = True,
) -> pd.DataFrame:
    """Evaluate models on a design, in memory.

    Args:
        evaluated: models, checkpoints, or names of models; or a single one.
        design: the conditions and items.
        batch_size: prompts in a batch, for models that are loaded here; does not change results.
        dtype: precision of the weights, for models that are loaded here.
        study: value of the records' `study` column.
        progress: show a progress bar with the time left on standard error.

    Returns:
        One row per record: the columns of `Record`, and one per condition column.

    Raises:
        UserError: a model cannot be found or loaded.
    """
    evaluated = [evaluated] if isinstance(evaluated, str) or not isinstance(evaluated, Sequence) else evaluated
    check_type(design, Design, "design")
    records: list[Record] = []
    stage: Design | None = design
    while stage is not None:
        with _progress_bar(disable=not progress) as bar:
            task = bar.add_task("", total=len(evaluated) * sum(condition.queries for condition in stage.conditions))
            advance = partial(bar.advance, task)
            for one in evaluated:
                model = models.load_model(one, batch_size, dtype) if isinstance(one, str | models.Checkpoint) else one
                name = one if isinstance(one, str) else one.name
                check_logliks(name, model, stage)
                bar.update(task, description=name)
                for block in group_blocks(list(plan_model(name, "", stage))):
                    for _, answered in answer_block(study, name, model, stage, block, advance):
                        records += answered
        frame: pd.DataFrame = store.to_table(records).to_pandas()
        stage = stage.following(frame) if stage.following else None
    return frame


def evaluate_run(
    run: Run,
    checkpoints: Sequence[Checkpoint],
    design: Design,
    *,
    batch_size: int = 32,
    dtype: str = "auto",
    fresh: bool = False,
    use_cache: bool = True,
    notify: Callable[[str], None] | None = None,
    progress: bool = True,
    report: Callable[[int, int], None] | None = None,
    workers: int = 1,
    gpus_per_worker: int | None = None,
) -> str:
    """Evaluate checkpoints on a design and those that follow it, and commit every cell that the run does not have yet.

    A cell contains some queries of one condition for one model. Its contents depend on the design only, so a killed
    run resumes with the missing cells, whatever the batch size and the number of workers. The same queries under all
    conditions are evaluated together, since their prompts share prefixes.

    Args:
        run: an open run of the store.
        checkpoints: the models to evaluate.
        design: the conditions and items.
        batch_size: prompts in a batch; does not change results.
        dtype: precision of the weights.
        fresh: request answers of servers again and replace cached ones.
        use_cache: whether answers of servers are read from the cache and stored there.
        notify: receives lines about the memory that a model needs, and about names that it cannot generate.
        progress: show a progress bar with the time left on standard error.
        report: receives the number of prompts that have been answered and the number of all, whenever it changes.
        workers: processes that share the cells; 1 is this process itself.
        gpus_per_worker: GPUs of each of several workers; None for one where there are GPUs.

    Returns:
        The device that computed the last answers, or "none" when nothing was left to do.

    Raises:
        UserError: a model cannot be evaluated on the longest prompt on this machine, or workers cannot be started;
            raised before any model is loaded.
    """
    options = LoadingOptions(batch_size, dtype, fresh, use_cache)
    device = "none"
    stage: Design | None = design
    with _executor(run, options, workers, gpus_per_worker) as executor:
        while stage is not None:
            lines = notify if stage is design else None
            device = _evaluate_run_stage(run, checkpoints, stage, executor, lines, progress, report) or device
            stage = stage.following(run.records()) if stage.following else None
    return device


@contextmanager
def _executor(run: Run, options: LoadingOptions, workers: int, gpus_per_worker: int | None) -> Iterator[Executor]:
    if workers == 1:
        yield LocalExecutor(CellEvaluator(run.study, options, run.note))
        return
    with evaluation.on_workers(workers, gpus_per_worker, run.study, options, run.note) as executor:
        yield executor


def _evaluate_run_stage(
    run: Run,
    checkpoints: Sequence[Checkpoint],
    design: Design,
    executor: Executor,
    notify: Callable[[str], None] | None,
    progress: bool,
    report: Callable[[int, int], None] | None,
) -> str | None:
    """Evaluate checkpoints on one design; returns the device of the last answers, or None if none were missing."""
    committed = run.committed()
    planned = plan_cells(checkpoints, design)
    unfinished = [(checkpoint, [cell for cell in cells if cell.name not in committed]) for checkpoint, cells in planned]
    missing = [(checkpoint, cells) for checkpoint, cells in unfinished if cells]
    total = sum(count_queries(cells) for _, cells in planned)
    stored = total - sum(count_queries(cells) for _, cells in missing)
    if not missing:
        return None
    run.note(store.PLANNED, total=total, stored=stored)
    executor.begin(design, missing, notify)
    device = None
    with _progress_bar(disable=not progress) as bar:
        task = bar.add_task("", total=total, completed=stored)

        def show(model: str, answered: int) -> None:
            bar.update(task, description=model, completed=stored + answered)
            if report and answered:
                report(stored + answered, total)

        for cell in executor.evaluate(show):
            device = cell.device
            run.commit(cell.name, cell.records)
    return device


def cell_names(checkpoints: Sequence[Checkpoint], design: Design) -> set[str] | None:
    """The names of all cells of a run; None where other designs follow, which depend on its records.

    Args:
        checkpoints: the models to evaluate.
        design: the conditions and items.
    """
    return None if design.following else {cell.name for _, cells in plan_cells(checkpoints, design) for cell in cells}


def _progress_bar(disable: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("prompts, left"),
        TimeRemainingColumn(),
        console=SafeConsole(stderr=True, force_jupyter=False),
        disable=disable,
    )
