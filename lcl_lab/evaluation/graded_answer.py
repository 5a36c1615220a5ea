"""Answers with their grades under each metric, and as records of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lcl_lab import episodes, store
from lcl_lab.control_characters import remove_controls

if TYPE_CHECKING:
    from lcl_lab.episodes import OpenRule
    from lcl_lab.evaluation.design import Condition, EvalItem
    from lcl_lab.models import Answer, Loglik
    from lcl_lab.store import Record

__all__ = ["GradedAnswer", "grade_answer"]


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
            nearest=self.answer.nearest,
            token_logliks=tuple(loglik.token_logliks for loglik in logliks) if _has_tokens(logliks) else None,
            token_texts=tuple(loglik.token_texts for loglik in logliks) if _has_tokens(logliks) else None,
        )

    def _content_free(self, image: str, candidate: int) -> float | None:
        logliks = self.content_free.get(image, ())
        return logliks[candidate].total if len(logliks) == 2 else None


def _has_tokens(logliks: Sequence[Loglik]) -> bool:
    """Whether the tokens of all candidates are known."""
    return bool(logliks) and all(loglik.token_logliks and loglik.token_texts for loglik in logliks)


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
