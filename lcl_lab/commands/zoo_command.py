"""The commands that train, compare and list the shipped models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from lcl_lab import reporting, zoo
from lcl_lab.commands.program import Program
from lcl_lab.errors import UserError
from lcl_lab.safe_console import SafeConsole
from lcl_lab.zoo.photo_config import PhotoTrainConfig
from lcl_lab.zoo.zoo_config import ZooSeedsConfig, ZooTableConfig, ZooTrainConfig

if TYPE_CHECKING:
    from lcl_lab.analysis import Seeds

__all__ = ["zoo_photo_program", "zoo_seeds_program", "zoo_table_program", "zoo_train_program"]

_TRAIN = """Train all shipped models from scratch, and check whether each meets its release criteria.

Kill it at any moment and give the same command again: what is trained stays, what was begun resumes.
"""
_PHOTO = """Train the photo models: download published weights and openly licensed pictures, draw, train and judge.

Kill it at any moment and give the same command again: what is finished stays, a training that was begun resumes.
"""
_SEEDS = "Train 2-way with several seeds, and report the accuracy of each, their mean and standard deviation."
_TABLE = "Write the table of the shipped models into the documentation."


def zoo_train_program(name: str) -> Program[ZooTrainConfig]:
    """The command that trains the shipped models and prints how they compare with their criteria."""
    return Program(name, ZooTrainConfig, _train, _TRAIN)


def zoo_photo_program(name: str) -> Program[PhotoTrainConfig]:
    """The command that trains the photo models and prints how they compare with their criteria."""
    return Program(name, PhotoTrainConfig, _photo, _PHOTO)


def zoo_seeds_program(name: str) -> Program[ZooSeedsConfig]:
    """The command that trains `2-way` with several seeds and prints the spread."""
    return Program(name, ZooSeedsConfig, _seeds, _SEEDS)


def zoo_table_program(name: str) -> Program[ZooTableConfig]:
    """The command that writes the table of the shipped models and prints the page's path."""

    def run(config: ZooTableConfig) -> None:
        print(zoo.write_model_table(config))

    return Program(name, ZooTableConfig, run, _TABLE)


def _train(config: ZooTrainConfig) -> None:
    report = zoo.train_zoo(config)
    console = SafeConsole()
    claims = [claim.text for claim in report.claims]
    console.print(zoo.model_table(report.estimates, zoo.ZOO), *claims, sep="\n", soft_wrap=True, markup=False)
    criteria = Table("model", "", "criterion", "measured", "met")
    for result in report.criteria:
        kind = "required" if result.required else "target"
        criteria.add_row(result.model, kind, result.criterion, result.text, "yes" if result.met else "NO")
    console.print(criteria)
    seconds = Table("model", "steps", "minutes")
    for model, card in report.cards.items():
        seconds.add_row(model, str(card["steps"]), f"{card['seconds'] / 60:.1f}")
    console.print(seconds)
    console.print(f"this command: {report.seconds / 60:.1f} minutes")
    for result in report.refused.values() if config.ship else ():
        reason = f"{result.model} misses a release criterion: {result.criterion}: {result.text}"
        raise UserError(f"nothing shipped: {reason}")


def _photo(config: PhotoTrainConfig) -> None:
    report = zoo.train_photo_models(config)
    console = SafeConsole()
    names = ("prototype", *zoo.PHOTO_MODELS)
    console.print(zoo.model_table(report.estimates, names), soft_wrap=True, markup=False)
    criteria = Table("criterion", "measured", "met")
    for criterion in report.criteria:
        met = "yes" if criterion.met else "NO"
        criteria.add_row(criterion.criterion, reporting.format_number(criterion.measured, ".3f"), met)
    console.print(criteria)
    console.print(f"this command: {report.seconds / 60:.1f} minutes")
    missed = next((criterion for criterion in report.criteria if not criterion.met), None)
    if config.ship and missed:
        measured = reporting.format_number(missed.measured, ".3f")
        raise UserError(f"only the prototype is shipped: a criterion is missed: {missed.criterion}: {measured}")


def _seeds(config: ZooSeedsConfig) -> None:
    report = zoo.train_seeds(config)
    estimates = report.estimates
    console = SafeConsole()
    console.print(zoo.model_table(estimates, list(dict.fromkeys(estimates["model"]))), soft_wrap=True, markup=False)
    spread = Table(
        *("data", "shots", "all labels false", "metric", "mean over seeds", "standard deviation"),
        *("mean of new seeds, 95 %", "deviation between seeds, beyond that of the queries, 95 %"),
    )
    for (data, shots, ratio, metric), rows in estimates.groupby(["data", "shots", "false_ratio", "metric"]):
        values = rows["estimate"]
        deviation = reporting.format_number(values.std(ddof=1), ".3f") if len(values) > 1 else ""
        intervals = _intervals(report.over_seeds.get((data, shots, ratio, metric)))
        false = "yes" if ratio else ""
        mean = reporting.format_number(values.mean(), ".3f")
        spread.add_row(str(data), str(shots), false, str(metric), mean, deviation, *intervals)
    console.print(spread)


def _intervals(over_seeds: Seeds | None) -> tuple[str, str]:
    """The mean and the deviation between seeds with their intervals; empty where there is nothing to estimate from."""
    if over_seeds is None:
        return "", ""
    deviation = (over_seeds.between_seeds, over_seeds.between_seeds_low, over_seeds.between_seeds_high)
    mean = reporting.format_interval(over_seeds.mean, over_seeds.low, over_seeds.high)
    return mean, reporting.format_interval(*deviation)
