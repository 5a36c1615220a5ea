"""Registration: what a study is going to do, written down before its first record, and what changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcl_lab.atomic import canonical_json, read_json, write_json
from lcl_lab.errors import UserError
from lcl_lab.studies.random_answers import findings_of_random_answers

if TYPE_CHECKING:
    from lcl_lab.evaluation import Design
    from lcl_lab.reporting import Claim
    from lcl_lab.store import Run
    from lcl_lab.studies.study import Study
    from lcl_lab.studies.study_config import StudyConfig

__all__ = ["REGISTRATION", "Registration", "read_registration", "register"]

REGISTRATION = "registration.json"
"""The copy of the registration in a run directory."""
_TEXTS = ("source", "claim", "subject", "metric")


@dataclass(frozen=True)
class Registration:
    """What was registered.

    Attributes:
        file: the name of the file that it was written to.
        time: when, in UTC.
        content: study, design, models, margins and claims.
        sha256: of the content, as 64 hex digits.
    """

    file: str
    time: str
    content: Mapping[str, Any]
    sha256: str

    def changes(self, identity: Mapping[str, Any], config: StudyConfig, claims: Sequence[Claim]) -> list[str]:
        """What differs now, such as ``design.queries: 200, now 400``; empty if nothing does.

        Args:
            identity: the configuration of the run, as stored.
            config: the options of its study.
            claims: those that its report assesses.
        """
        now = _content(str(self.content.get("study")), identity, config, claims)
        return list(_differences(self.content, json.loads(canonical_json(now))))


def register(
    file: Path, study: Study[Any], config: StudyConfig, design: Design, identity: Mapping[str, Any], run: Run
) -> Registration:
    """Write what a study is going to do, unless the file already says it, and keep a copy in the run.

    The claims are those that the analysis makes of answers drawn at random.

    Args:
        file: the registration; written if there is none.
        study: the study.
        config: its options.
        design: its design.
        identity: the configuration of the run.
        run: the open run.

    Raises:
        UserError: the run has records that are older than the registration, or the file is of another study, was edited
            after it was written, or cannot be read or written.
    """
    copy = run.path / REGISTRATION
    if not copy.exists() and (run.finished or run.committed()):
        reason = f"{run.path} has records already, so that it is too late to register them; --fresh starts a new run"
        raise UserError(reason, option="register", value=str(file))
    if not file.exists():
        names = [model["name"] for model in identity["models"]]
        claims = findings_of_random_answers(study, config, design, names).claims
        content = json.loads(canonical_json(_content(study.name, identity, config, claims)))
        written = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "content": content}
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {**written, "sha256": _digest(written)})
    registration = _read(file)
    if registration is None or registration.content.get("study") != study.name:
        raise UserError(f"is not a registration of {study.name}", option="register", value=str(file))
    earlier = read_registration(run.path)
    if earlier and earlier.sha256 != registration.sha256:
        reason = f"{run.path} was begun under another registration; --fresh starts a new run"
        raise UserError(reason, option="register", value=str(file))
    if not earlier:
        write_json(copy, {**_fields(registration), "file": file.name})
    return registration


def read_registration(run: Path) -> Registration | None:
    """The registration that a run was begun under; None if there is none.

    Raises:
        UserError: it was edited, or cannot be read.
    """
    return _read(run / REGISTRATION)


def _read(path: Path) -> Registration | None:
    if not path.exists():
        return None
    stored = read_json(path)
    if stored is None or not isinstance(stored.get("content"), dict) or "time" not in stored:
        raise UserError(f"{path} is not a registration; give a file that does not exist yet")
    registration = Registration(
        file=str(stored.get("file", path.name)),
        time=str(stored["time"]),
        content=stored["content"],
        sha256=str(stored.get("sha256")),
    )
    if _digest({"time": registration.time, "content": registration.content}) != registration.sha256:
        raise UserError(f"{path} was edited after it was written: its content does not have the SHA-256 that it states")
    return registration


def _fields(registration: Registration) -> dict[str, Any]:
    return {"time": registration.time, "content": registration.content, "sha256": registration.sha256}


def _digest(written: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(written).encode()).hexdigest()


def _content(study: str, identity: Mapping[str, Any], config: StudyConfig, claims: Sequence[Claim]) -> dict[str, Any]:
    """What is registered, as JSON values; `content` of the identity samples prompts, which the design describes."""
    return {
        "study": study,
        "design": {name: value for name, value in identity.items() if name not in ("models", "content")},
        "models": {model["name"]: model["fingerprint"] for model in identity["models"]},
        "margins": config.margins,
        "claims": [
            {**{name: getattr(claim, name) for name in _TEXTS}, "bounds": list(claim.bounds)} for claim in claims
        ],
    }


def _differences(registered: Any, now: Any, place: str = "") -> Iterator[str]:
    """The places at which two JSON values differ, with both values."""
    if isinstance(registered, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*registered, *now]):
            yield from _differences(registered.get(name), now.get(name), f"{place}.{name}" if place else str(name))
    elif place == "claims":
        yield from (f"claim dropped: {_claim(one)}" for one in registered if one not in now)
        yield from (f"claim added: {_claim(one)}" for one in now if one not in registered)
    elif registered != now:
        yield f"{place}: {_text(registered)}, now {_text(now)}"


def _claim(claim: Mapping[str, Any]) -> str:
    return f"{claim['source']}, {claim['claim']} ({claim['subject']})"


def _text(value: object) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)
