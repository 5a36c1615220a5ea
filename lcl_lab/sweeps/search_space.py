"""The options of a sweep that have ranges, and the settings of these options that its trials have."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import product
from typing import Any

import numpy as np

from lcl_lab.atomic import canonical_json
from lcl_lab.errors import UserError
from lcl_lab.studies.study import Study
from lcl_lab.sweeps.ranges import Range, find_range

__all__ = ["SearchSpace", "SearchedOption", "Setting", "setting_name", "study_titles"]

Setting = Mapping[str, Any]
"""A value for each option with a range, by its name."""

_MOST_COMBINATIONS = 256  # of the values that a range is checked with
_REPEATS = 100  # of settings in a row, per trial, after which there seem to be no others


@dataclass(frozen=True)
class SearchedOption:
    """An option with a range.

    Attributes:
        name: what people call it: that of an option of trainings, or ``STUDY.OPTION``.
        study: the number of its study in the sweep; None for an option of trainings.
        option: its name in the training or the study.
        range: its values.
    """

    name: str
    study: int | None
    option: str
    range: Range


@dataclass(frozen=True)
class SearchSpace:
    """All options with ranges, in the order of the file.

    Attributes:
        options: the options.
    """

    options: tuple[SearchedOption, ...]

    @classmethod
    def of(cls, train: Mapping[str, Any], studies: Sequence[Mapping[str, Any]]) -> SearchSpace:
        """Find the ranges in the options of trainings and of studies.

        Raises:
            UserError: a range is wrong.
        """
        found = list(_ranges(train, "train", "", None))
        for number, (title, options) in enumerate(zip(study_titles(studies), studies, strict=True)):
            found += _ranges(options, "studies", f"{title}.", number)
        return cls(tuple(found))

    @property
    def grid(self) -> list[SearchedOption]:
        """The options whose values are all tried."""
        return [option for option in self.options if option.range.is_grid]

    @property
    def drawn(self) -> list[SearchedOption]:
        """The options whose values are drawn or suggested."""
        return [option for option in self.options if not option.range.is_grid]

    def grid_settings(self) -> list[Setting]:
        """Every combination of the values of grids."""
        return _combinations(self.grid)

    def random_settings(self, count: int, seed: int) -> list[Setting]:
        """Different settings of the other options at random; a larger number has the same ones first.

        Raises:
            UserError: there are not so many.
        """
        self.check_count(count)
        rng, settings = np.random.default_rng(seed), dict[str, Setting]()
        without = 0
        while len(settings) < count:
            setting = {option.name: option.range.draw(rng) for option in self.drawn}
            without = without + 1 if setting_name(setting) in settings else 0
            settings.setdefault(setting_name(setting), setting)
            if without > _REPEATS * count:
                reason = f"only {len(settings)} different settings were drawn; give fewer trials, or wider ranges"
                raise UserError(reason, option="trials", value=count)
        return list(settings.values())

    def check_count(self, count: int) -> None:
        """Check that there are so many different settings of the options without a grid.

        Raises:
            UserError: there are fewer.
        """
        most = math.prod(option.range.count for option in self.drawn)
        if count > most:
            reason = f"there are only {most:.0f} settings; a grid tries each of them"
            raise UserError(reason, option="trials", value=count)

    def probes(self) -> list[Setting]:
        """Settings with the ends of every range: all combinations, or one option after another where those are many."""
        lists = [option.range.probes for option in self.options]
        if math.prod(map(len, lists)) <= _MOST_COMBINATIONS:
            names = [option.name for option in self.options]
            return [dict(zip(names, values, strict=True)) for values in product(*lists)]
        first = {option.name: option.range.probes[0] for option in self.options}
        return [{**first, option.name: value} for option in self.options for value in option.range.probes]

    def between(self) -> Iterator[tuple[SearchedOption, Setting]]:
        """For each interval of real numbers, a setting with a number between its ends."""
        first = {option.name: option.range.probes[0] for option in self.options}
        for option in self.options:
            if not (option.range.is_list or option.range.is_integer):
                yield option, {**first, option.name: option.range.between}

    def filled(self, options: Mapping[str, Any], study: int | None, setting: Setting) -> dict[str, Any]:
        """Options with values in place of ranges.

        Args:
            options: those of trainings, or of a study.
            study: the number of the study; None for trainings.
            setting: the values.
        """
        values = {one.option: setting[one.name] for one in self.options if one.study == study}
        return {**options, **values}


def setting_name(setting: Setting) -> str:
    """Six hex digits that stand for a setting in the names of its trials; empty without any option."""
    return blake2b(canonical_json(setting).encode(), digest_size=3).hexdigest() if setting else ""


def _ranges(options: Mapping[str, Any], place: str, prefix: str, study: int | None) -> Iterator[SearchedOption]:
    for name, value in options.items():
        try:
            range_ = find_range(name, value)
        except UserError as error:
            where = prefix.replace(".", ": ")
            raise UserError(f"{where}{error}", option=place) from None
        if range_ is not None:
            if name == "study":
                raise UserError("study: has no ranges; list several studies", option=place)
            yield SearchedOption(f"{prefix}{name}", study, name, range_)


def study_titles(studies: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of the studies of a sweep; numbered where one occurs several times.

    Args:
        studies: their options, with the key `study`.
    """
    given = [options.get("study") for options in studies]
    names = [study.name if isinstance(study, Study) else str(study) for study in given]
    counts, seen = Counter(names), Counter[str]()
    titles = []
    for name in names:
        seen[name] += 1
        titles.append(f"{name}-{seen[name]}" if counts[name] > 1 else name)
    return titles


def _combinations(options: Sequence[SearchedOption]) -> list[Setting]:
    names = [option.name for option in options]
    return [dict(zip(names, values, strict=True)) for values in product(*(option.range.values for option in options))]
