"""The one evaluator: answers the items of a design with a model and grades them.

Studies store its records cell by cell; the model zoo, the trainer and notebooks take them as a frame.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lcl_lab import episodes, models, store
from lcl_lab.control_characters import remove_controls
from lcl_lab.errors import UserError
from lcl_lab.evaluation.design import Condition, Design, EvalItem
from lcl_lab.evaluation.loaded_models import load_for, stays_loaded
from lcl_lab.evaluation.model_checks import (
    check_before_loading,
    check_logliks,
    check_support,
    checked_answers,
    checked_images,
)
from lcl_lab.safe_console import SafeConsole
from lcl_lab.source_code import version_digest
from lcl_lab.type_checks import check_type

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.episodes import Episode, OpenRule
    from lcl_lab.models import Answer, Checkpoint, Loglik, Model
    from lcl_lab.prompts import Prompt
    from lcl_lab.store import Record, Run

__all__ = [
    "GradedAnswer",
    "answer",
    "cell_names",
    "evaluate",
    "evaluate_run",
    "grade_answer",
    "scoring_code",
]

_SCORING = ("concepts", "episodes", "prompts", "models", "evaluation")
_CELL = 50  # queries of a cell, or as many whole supports as fit


@dataclass(frozen=True)
class GradedAnswer:
    """An answer and whether it is correct under each metric.

    Attributes:
        item: what the model answered.
        answer: text, log-likelihoods and seconds.
        verdicts: whether the text is correct by each rule; empty if the item is no episode or the answer is not known.
        score: grade of the text, from 0 to 1; None if the answer is not known (see `Answer.status`).
        correct_open: whether the score is at least one half.
        correct_candidate: whether the true name has the highest log-likelihood per token; None without log-likelihoods.
        correct_candidate_raw: the same with total log-likelihoods.
        content_free: log-likelihoods of the candidates with each image without content as the query, by its name.
    """

    item: EvalItem
    answer: Answer
    verdicts: Mapping[OpenRule, bool]
    score: float | None
    correct_open: bool | None
    correct_candidate: bool | None
    correct_candidate_raw: bool | None
    content_free: Mapping[str, Sequence[Loglik]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The generated text."""
        return self.answer.text

    def __str__(self) -> str:
        episode = self.item.episode
        grade = self.answer.status if self.correct_open is None else "correct" if self.correct_open else "wrong"
        lines = [
            f"answer      {self.text!r}: {grade} (open-ended)",
            f"true name   {episode.true_name}",
        ]
        names = zip(self.item.prompt.candidates, self.answer.logliks, strict=False)
        lines += [f"candidate   {name}: {loglik.per_token:.3f} nats per token" for name, loglik in names]
        if self.correct_candidate is not None:
            lines.append(f"choice      {'correct' if self.correct_candidate else 'wrong'} (candidate)")
        return remove_controls("\n".join(lines))

    __repr__ = __str__

    def record(self, study: str, model: str, condition: Condition) -> Record:
        """The answer as a record of the store."""
        episode = self.item.episode
        logliks = self.answer.logliks if len(self.answer.logliks) > 1 else ()
        true, others = logliks[0] if logliks else None, logliks[1:]
        other = max(others, key=lambda loglik: loglik.per_token, default=None)
        has_several = len(self.item.prompt.candidates) > 2
        return store.Record(
            study=study,
            model=model,
            data=episode.data,
            seed=episode.seed,
            query_id=episode.query_id,
            support_id=episode.support_id,
            pair=episode.pair,
            condition=condition.values,
            episode_id=episode.id,
            support=tuple(
                store.SupportExample(str(shown.image), shown.label, shown.true_label, shown.false)
                for shown in episode.support
            ),
            query_image=str(episode.query),
            question=self.item.question,
            true_name=episode.true_name,
            other_name=episode.other_name,
            answer=self.answer.text,
            loglik_true=true.total if true else None,
            loglik_other=other.total if other else None,
            tokens_true=true.tokens if true else None,
            tokens_other=other.tokens if other else None,
            score=self.score,
            correct_open=self.correct_open,
            correct_candidate=self.correct_candidate,
            correct_candidate_raw=self.correct_candidate_raw,
            seconds=self.answer.seconds,
            status=self.answer.status,
            cut_off=self.answer.cut_off,
            thinking=self.answer.thinking,
            correct_strict=self.verdicts.get("strict"),
            correct_paper=self.verdicts.get("paper"),
            correct_release=self.verdicts.get("release"),
            measurement=self.answer.measurement,
            other_names=self.item.prompt.candidates[1:] if has_several else None,
            loglik_others=tuple(loglik.total for loglik in others) if has_several and others else None,
            tokens_others=tuple(loglik.tokens for loglik in others) if has_several and others else None,
            loglik_true_grey=self._content_free("grey", 0),
            loglik_other_grey=self._content_free("grey", 1),
            loglik_true_black=self._content_free("black", 0),
            loglik_other_black=self._content_free("black", 1),
            loglik_true_white=self._content_free("white", 0),
            loglik_other_white=self._content_free("white", 1),
            loglik_true_noise=self._content_free("noise", 0),
            loglik_other_noise=self._content_free("noise", 1),
            prompt_tokens=self.answer.prompt_tokens,
        )

    def _content_free(self, image: str, candidate: int) -> float | None:
        logliks = self.content_free.get(image, ())
        return logliks[candidate].total if len(logliks) == 2 else None


def grade_answer(
    item: EvalItem,
    answer: Answer,
    open_rule: OpenRule | None = None,
    content_free: Mapping[str, Sequence[Loglik]] | None = None,
) -> GradedAnswer:
    """Grade an answer under all metrics.

    Args:
        item: what the model answered.
        answer: its answer.
        open_rule: the rule that grades the text, if the item is an episode; by default the item's own.
        content_free: log-likelihoods of the candidates with each image without content as the query, by its name.
    """
    per_token = [loglik.per_token for loglik in answer.logliks]
    total = [loglik.total for loglik in answer.logliks]
    is_known = answer.status == "ok"
    verdicts = item.verdicts(answer.text) if is_known else {}
    default_score = item.grade(answer.text) if is_known else None
    score = float(verdicts[open_rule]) if open_rule and verdicts else default_score
    return GradedAnswer(
        item=item,
        answer=answer,
        verdicts=verdicts,
        score=score,
        correct_open=None if score is None else score >= 0.5,
        correct_candidate=episodes.is_correct_candidate(*per_token) if len(per_token) > 1 else None,
        correct_candidate_raw=episodes.is_correct_candidate(*total) if len(total) > 1 else None,
        content_free=content_free or {},
    )


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
                for block in _blocks(list(_cells(name, "", stage))):
                    for _, answered in _answer_block(study, name, model, stage, block, advance):
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
) -> str:
    """Evaluate checkpoints on a design and those that follow it, and commit every cell that the run does not have yet.

    A cell contains some queries of one condition for one model. Its contents depend on the design only, so a killed
    run resumes with the missing cells, whatever the batch size. The same queries under all conditions are evaluated
    together, since their prompts share prefixes.

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
        report: receives the number of prompts that have been answered and the number of all, after every answer.

    Returns:
        The device that computed the last answers, or "none" when nothing was left to do.

    Raises:
        UserError: a model cannot be evaluated on the longest prompt on this machine; raised before any is loaded.
    """
    device = "none"
    stage: Design | None = design
    while stage is not None:
        computed_on = _evaluate_run_stage(
            run,
            checkpoints,
            stage,
            batch_size,
            dtype,
            fresh,
            use_cache,
            notify if stage is design else None,
            progress,
            report,
        )
        device = computed_on or device
        stage = stage.following(run.records()) if stage.following else None
    return device


def _evaluate_run_stage(
    run: Run,
    checkpoints: Sequence[Checkpoint],
    design: Design,
    batch_size: int,
    dtype: str,
    fresh: bool,
    use_cache: bool,
    notify: Callable[[str], None] | None,
    progress: bool,
    report: Callable[[int, int], None] | None,
) -> str | None:
    """Evaluate checkpoints on one design; returns the device of the last answers, or None if none were missing."""
    committed = run.committed()
    planned = _planned(checkpoints, design)
    missing = [(checkpoint, [cell for cell in cells if cell.name not in committed]) for checkpoint, cells in planned]
    total = sum(len(cell.queries) for _, cells in planned for cell in cells)
    stored = total - sum(len(cell.queries) for _, cells in missing for cell in cells)
    needed = [checkpoint for checkpoint, cells in missing if cells]
    loaded = {one.name for one in needed if stays_loaded(design, one, batch_size, dtype)}
    check_before_loading(run, needed, dtype, design, notify, loaded)
    device, done = None, count(stored + 1)
    with _progress_bar(disable=not progress) as bar:
        task = bar.add_task("", total=total, completed=stored)

        def advance() -> None:
            bar.advance(task)
            if report:
                report(next(done), total)

        for checkpoint, cells in missing:
            if not cells:
                continue
            bar.update(task, description=checkpoint.name)
            model = load_for(design, checkpoint, batch_size, dtype, fresh, use_cache)
            device = model.device
            check_logliks(checkpoint.name, model, design)
            if not models.is_reference(checkpoint):  # of which it is known
                check_support(run, checkpoint.name, model, design, notify)
            for block in _blocks(cells):
                for cell, records in _answer_block(run.study, checkpoint.name, model, design, block, advance):
                    run.commit(cell.name, records)
    return device


def cell_names(checkpoints: Sequence[Checkpoint], design: Design) -> set[str] | None:
    """The names of all cells of a run; None where other designs follow, which depend on its records.

    Args:
        checkpoints: the models to evaluate.
        design: the conditions and items.
    """
    return None if design.following else {cell.name for _, cells in _planned(checkpoints, design) for cell in cells}


def scoring_code() -> str:
    """A digest of the code that records depend on, in the package and in the libraries that models run on.

    Studies are not part of it; their designs count by their content.
    """
    return version_digest(*(f"{folder}/**/*.py" for folder in _SCORING))


@dataclass(frozen=True)
class _Cell:
    name: str
    condition: Condition
    queries: range


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


def _planned(checkpoints: Sequence[Checkpoint], design: Design) -> list[tuple[Checkpoint, list[_Cell]]]:
    return [(checkpoint, list(_cells(checkpoint.name, checkpoint.fingerprint, design))) for checkpoint in checkpoints]


def _cells(model: str, fingerprint: str, design: Design) -> Iterator[_Cell]:
    size = max(1, _CELL // design.queries_per_support) * design.queries_per_support
    for condition in design.conditions:
        if not condition.includes(model):
            continue
        key = blake2b(repr((fingerprint, sorted(condition.values.items()))).encode(), digest_size=4).hexdigest()
        words = [model.removeprefix("mini/"), *(f"{k}={v}" for k, v in condition.values.items())]
        slug = re.sub(r"[^A-Za-z0-9=.]+", "_", "-".join(words))[-80:]
        for start in range(0, condition.queries, size):
            yield _Cell(f"{slug}-{key}-{start:06}", condition, range(start, min(start + size, condition.queries)))


def _blocks(cells: Sequence[_Cell]) -> Iterator[list[_Cell]]:
    """Groups of cells that start at the same query."""
    blocks: dict[int, list[_Cell]] = {}
    for cell in cells:
        blocks.setdefault(cell.queries.start, []).append(cell)
    yield from (blocks[start] for start in sorted(blocks))


def _answer_block(
    study: str, name: str, model: Model, design: Design, cells: Sequence[_Cell], advance: Callable[[], None]
) -> Iterator[tuple[_Cell, list[Record]]]:
    """The records of a group of cells; the prompts of those that one model answers are answered together."""
    by_variant: dict[Callable[[Model], Model] | None, list[_Cell]] = defaultdict(list)
    for cell in cells:
        by_variant[cell.condition.variant].append(cell)
    for variant, of_variant in by_variant.items():
        answering = model if variant is None else variant(model)
        yield from _answer_together(study, name, answering, design, of_variant, advance)


def _answer_together(
    study: str, name: str, model: Model, design: Design, cells: Sequence[_Cell], advance: Callable[[], None]
) -> Iterator[tuple[_Cell, list[Record]]]:
    """The records of cells, whose prompts share prefixes."""
    longest = max((cell.queries for cell in cells), key=len)
    items = [(cell, cell.condition.item(query)) for query in longest for cell in cells if query in cell.queries]
    records: dict[str, list[Record]] = {cell.name: [] for cell in cells}
    asked = [(cell, item, *named) for cell, item in items for named in _prompts(item, design.calibrate)]
    prompts = [prompt for *_, prompt in asked]
    answers = model.answer(prompts, checked_images(design))
    content_free: dict[str, Sequence[Loglik]] = {}
    seconds = 0.0
    for (cell, item, image, _), answer in zip(asked, checked_answers(name, answers, prompts), strict=True):
        if image:
            content_free[image] = answer.logliks
            seconds += answer.seconds  # which are those of a whole batch, if this prompt is the first that is known
            continue
        answer = replace(answer, seconds=seconds + answer.seconds)
        graded = grade_answer(item, answer, design.open_rule, content_free)
        records[cell.name].append(graded.record(study, name, cell.condition))
        content_free, seconds = {}, 0.0
        advance()
    yield from ((cell, records[cell.name]) for cell in cells)


def _prompts(item: EvalItem, calibrate: bool) -> list[tuple[str, Prompt]]:
    """The item's prompt, without a name, after those with a named image without content, which share its support."""
    before = item.content_free_prompts() if calibrate and len(item.prompt.candidates) == 2 else {}
    return [*before.items(), ("", item.prompt)]
