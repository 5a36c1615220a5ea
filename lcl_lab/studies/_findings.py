"""What a study found, as the parts of a results section: sentences, figures, tables, and claims of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from lcl_lab.figures import Figure

__all__ = ["Claim", "Findings", "Section", "Table", "accuracy_table", "claim", "interval", "told_p"]

Verdict = Literal["holds", "does not hold", "cannot tell"]


@dataclass(frozen=True)
class Table:
    """Rows of text under a caption."""

    caption: str
    rows: pd.DataFrame


@dataclass(frozen=True)
class Section:
    """One finding: what was found in words, the figure that shows it, and the numbers behind it."""

    heading: str
    sentences: Sequence[str]
    figure: Figure | Image | None = None
    name: str = "figure"  # of the figure's files
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Claim:
    """A claim of the paper beside what was measured here."""

    source: str
    claim: str
    ours: str
    verdict: Verdict


@dataclass(frozen=True)
class Findings:
    """What a study found."""

    title: str
    sections: Sequence[Section]
    claims: Sequence[Claim] = ()


def interval(estimate: float, low: float, high: float, sign: bool = False, places: int = 3) -> str:
    """`0.950 [0.910, 0.980]`, with signs where it is a difference."""
    form = f"{'+' if sign else ''}.{places}f"
    return f"{estimate:{form}} [{low:{form}}, {high:{form}}]"


def told_p(p_value: float) -> str:
    """`p = 0.031`, or `p < 0.001`."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def claim(
    source: str,
    text: str,
    what: str,
    found: tuple[float, float, float],
    above: float | None = None,
    below: float | None = None,
    sign: bool = False,
) -> Claim:
    """The claim that (estimate, low, high) lies above `above` and below `below`.

    It holds if the whole interval does, and does not if the whole interval lies outside one of them.
    """
    estimate, low, high = found
    inside = (above is None or low > above) and (below is None or high < below)
    outside = (above is not None and high < above) or (below is not None and low > below)
    verdict: Verdict = "holds" if inside else "does not hold" if outside else "cannot tell"
    return Claim(source, text, f"{what} {interval(estimate, low, high, sign)}", verdict)


def accuracy_table(
    estimates: pd.DataFrame, across: str, caption: str, low: str = "low", high: str = "high", sort: bool = True
) -> Table:
    """Rows of `analysis.accuracy` by model and `across`: a row a model and metric, a column a value of `across`."""
    text = [
        interval(e, lo, hi, places=2)
        for e, lo, hi in zip(estimates["estimate"], estimates[low], estimates[high], strict=True)
    ]
    order = sorted(estimates[across].unique()) if sort else list(dict.fromkeys(estimates[across]))
    wide = estimates.assign(text=text).pivot(index=["model", "metric"], columns=across, values="text")[order]
    wide.columns = [f"{name:g}" if isinstance(name, int | float) else str(name) for name in order]
    return Table(caption, wide.fillna("").reset_index())
