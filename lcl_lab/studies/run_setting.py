"""What a report's methods paragraph says about the run: models, data, sizes, grading, margins, seeds and version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING, Any

from lcl_lab import analysis, concepts, episodes, reporting, store
from lcl_lab.concepts.datasets import registered_datasets
from lcl_lab.concepts.renamed_dataset import USUAL
from lcl_lab.studies.study_config import EpisodeConfig

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.episodes import OpenRule
    from lcl_lab.reporting import Findings
    from lcl_lab.studies.study_config import StudyConfig

__all__ = ["grading_rule", "with_setting"]


def with_setting(
    config: StudyConfig, findings: Findings, records: pd.DataFrame, identities: Iterable[Mapping[str, Any]] = ()
) -> Findings:
    """Findings that know what was evaluated.

    Args:
        config: the options of the study.
        findings: what it found.
        records: the records that the findings are from.
        identities: the stored configurations of their runs, which have the fingerprints.
    """
    if records.empty:
        return findings
    conditions = [name for name in records.columns if name not in store.FIXED]
    sizes = records.groupby(["model", *conditions], dropna=False, observed=True).size()
    models, data = _fingerprints(identities)
    setting = reporting.Setting(
        models={name: models.get(name) for name in map(str, records["model"].unique())},
        data={name: data.get(name) for name in map(str, records["data"].unique())},
        seeds=tuple(sorted(map(int, records["seed"].unique()))),
        answers=len(records),
        queries=(int(sizes.min()), int(sizes.max())),
        clusters=int(records["pair"].nunique()),
        units="concept pairs" if isinstance(config, EpisodeConfig) else "clusters",
        grading=grading_rule(config),
        has_questions=not isinstance(config, EpisodeConfig) or bool(records["other_name"].eq("").any()),
        ties=bool(analysis.is_tie(records).any()),
        has_several=analysis.has_several_names(records),
        margins=config.margins,
        version=metadata.version("lcl_lab"),
    )
    return replace(findings, setting=setting)


def _fingerprints(identities: Iterable[Mapping[str, Any]]) -> tuple[dict[str, str], dict[str, str]]:
    """The fingerprints of models and of datasets by their names."""
    models: dict[str, str] = {}
    data: dict[str, str] = {}
    for identity in identities:
        models |= {model["name"]: model["fingerprint"] for model in identity.get("models", [])}
        if isinstance(identity.get("data"), Mapping):
            data[identity["data"]["name"]] = identity["data"]["fingerprint"]
        if "world" in identity:  # where questions are about the embedded world, whatever the episodes are from
            data[concepts.world_100().name] = identity["world"]
    return models, data


def grading_rule(config: StudyConfig) -> OpenRule | None:
    """The rule that graded generated answers to episodes; None in a study without episodes."""
    if not isinstance(config, EpisodeConfig):
        return None
    if config.open_rule:
        return config.open_rule
    if config.data in concepts.DATASETS and config.names == USUAL:
        return episodes.default_rule(concepts.load_dataset(config.data))
    return episodes.default_rule(registered_datasets().get(config.data))
