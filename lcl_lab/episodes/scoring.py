"""When an answer is right: the two metrics, always reported both (paper section 4)."""

from __future__ import annotations

__all__ = ["right_candidate", "right_open"]


def right_open(answer: str, true_name: str, other_name: str) -> bool:
    """Open-ended: the true name is in the lower-cased answer, and the other is not in what remains.

    A model that answers something else is wrong, so a base model may score below chance.
    """
    text, true, other = answer.lower(), true_name.lower(), other_name.lower()
    return true in text and other not in text.replace(true, "")


def right_candidate(loglik_true: float, loglik_other: float) -> bool:
    """argmax over the two candidate names; a tie is no answer, and wrong."""
    return loglik_true > loglik_other
