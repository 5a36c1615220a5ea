"""The log-likelihood of each token of the candidates, as strips with more colour where a token is less likely."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lcl_lab import reporting
from lcl_lab.dashboard.answer_texts import candidate_texts, other_names
from lcl_lab.dashboard.escape import escape_html

__all__ = ["STRIP_MEANING", "STRIP_STYLE", "token_strips"]

STRIP_MEANING = "Log-likelihood of each token of a name in nats; the stronger its colour, the less likely it is"
STRIP_STYLE = """
.strips { display: flex; flex-wrap: wrap; gap: 8px 24px; margin-top: 4px; font-size: 0.75rem; line-height: 1.25 }
.strips dl { display: grid; grid-template-columns: auto 1fr; gap: 1px 8px; align-items: center; margin: 0 }
.strips dl > :is(dt, dd) { margin: 0 !important; padding: 0 1px 1px 0; font-size: 0.75rem }
.strips dl > dd { display: flex; flex-wrap: wrap }
.strips dd span { text-align: center; padding: 1px 3px; min-width: 2.1rem; white-space: pre;
  border: 1px solid #88888866; margin: 0 -1px -1px 0 }
.strips dd b { display: block; min-height: 1.25em }
"""
_HIGHLIGHT, _DARKEST = "213 94 0", 60  # the colour, and its opacity for a probability of 0, in percent


def token_strips(records: Mapping[str, Mapping[str, Any]], most: int | None = None) -> str:
    """For each model a strip of tokens per candidate: of the true name, then of the others by their likelihood.

    Args:
        records: the answer of each model to one query, by the model's name.
        most: how many candidates to show; None for all.

    Returns:
        HTML; empty where no record says what the tokens are.
    """
    models = "".join(_strips(name, list(_candidates(record))[:most]) for name, record in records.items())
    return f'<div class="strips">{models}</div>' if models else ""


def _strips(model: str, candidates: Sequence[tuple[str, Sequence[str], Sequence[float]]]) -> str:
    strips = "".join(_strip(*candidate) for candidate in candidates)
    return f"<div>{escape_html(model)}<dl>{strips}</dl></div>" if strips else ""


def _candidates(record: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str], Sequence[float]]]:
    """The name of each candidate, the texts of its tokens, and their log-likelihoods."""
    names = [record["true_name"], *other_names(record)]
    tokens = dict(
        zip(names, zip(record["token_texts"] or (), record["token_logliks"] or (), strict=False), strict=False)
    )
    yield from ((name, *tokens[name]) for name in candidate_texts(record) if name in tokens)


def _strip(name: str, texts: Sequence[str], logliks: Sequence[float]) -> str:
    cells = "".join(_cell(text, loglik) for text, loglik in zip(texts, logliks, strict=False))
    return f"<dt>“{escape_html(name)}”</dt><dd>{cells}</dd>"


def _cell(text: str, loglik: float) -> str:
    opacity = round(_DARKEST * (1 - math.exp(min(loglik, 0.0))))
    number = reporting.render("{loglik:.2f}", {"loglik": loglik})
    return f'<span style="background: rgb({_HIGHLIGHT} / {opacity}%)"><b>{escape_html(text)}</b>{number}</span>'
