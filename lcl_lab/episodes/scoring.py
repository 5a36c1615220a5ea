"""The two metrics that grade an answer; both are always reported (paper section 4)."""

from __future__ import annotations

__all__ = ["is_correct_candidate", "is_correct_open"]


def is_correct_open(answer: str, true_name: str, other_name: str) -> bool:
    """Grade generated text: it must contain the true name, and the other name must not be in the rest of it.

    Letter case does not matter. An answer that names neither is wrong, so a base model may score below chance.
    """
    text, true, other = answer.lower(), true_name.lower(), other_name.lower()
    return true in text and other not in text.replace(true, "")


def is_correct_candidate(loglik_true: float, loglik_other: float) -> bool:
    """Grade log-likelihoods of the two names: that of the true name must be the higher one; a tie is wrong."""
    return loglik_true > loglik_other
