"""Requests from a YAML or JSON file, with every fault named by file, line and field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from crm.core.errors import Refused
from segments.requests.draft import MAX_NOTE, MAX_TITLE, MOST_DATES, MOST_WEEKS, Draft, Slot
from segments.requests.models import GradeBand, Place, Supervision

MAX_BYTES = 1_000_000


def _moment(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _iso(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a date and time such as 2026-10-20T09:30") from None


def _clean(value: str) -> str:
    if "\x00" in value or any(0xD800 <= ord(c) <= 0xDFFF for c in value):
        raise ValueError("holds characters that cannot be kept")
    return value


Text = Annotated[str, AfterValidator(_clean)]
Moment = Annotated[str, BeforeValidator(_moment), AfterValidator(_iso)]


class RequestEntry(BaseModel):
    """One request in a file. Dates without a zone are in the school's own time."""

    model_config = ConfigDict(extra="forbid")

    school: Annotated[Text, BeforeValidator(lambda v: str(v) if isinstance(v, int) else v)]
    way: Text
    dates: Annotated[list[Moment], Field(min_length=1, max_length=MOST_DATES)]
    minutes: Annotated[int, Field(ge=1, le=720)] = 60
    title: Annotated[Text, Field(max_length=MAX_TITLE)] = ""
    subject: Text | None = None
    grade_band: GradeBand = GradeBand.G9_12
    pupils: int = 25
    places: int = 1
    place: Place = Place.SCHOOL
    language: Text | None = None
    supervision: Supervision = Supervision.SUPERVISED
    note: Annotated[Text, Field(max_length=MAX_NOTE)] = ""
    weeks: Annotated[int, Field(ge=1, le=MOST_WEEKS)] | None = None

    def draft(self, school_id: int, zone: ZoneInfo) -> Draft:
        """The same as the form would give."""
        length = timedelta(minutes=self.minutes)
        starts = [_aware(moment, zone) for moment in self.dates]
        return Draft(
            school_id=school_id, way_key=self.way, subject_key=self.subject, title=self.title,
            slots=tuple(Slot(start, start + length) for start in starts),
            grade_band=self.grade_band, pupils=self.pupils, places=self.places, place=self.place,
            language=self.language, supervision=self.supervision, note=self.note,
            weeks=self.weeks,
        )  # fmt: skip


def _aware(moment: Any, zone: ZoneInfo) -> datetime:
    found: datetime = moment
    return found if found.tzinfo else found.replace(tzinfo=zone)


@dataclass(frozen=True)
class Placed:
    """An entry and where it stands, to be named in whatever is said of it."""

    entry: RequestEntry
    place: str


def read_requests(path: Path) -> Sequence[Placed]:
    """The entries of a file; raises `Refused` with every fault."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Refused([f"{path}: cannot be read ({error.strerror})"]) from error
    if len(raw) > MAX_BYTES:
        raise Refused([f"{path.name}: larger than 1 MB; split the file"])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(
            [f"{path.name}: not UTF-8 at byte {error.start}; save it as UTF-8"]
        ) from error
    data, lines = _json(path, text) if path.suffix.lower() == ".json" else _yaml(path, text)
    return _entries(path, data, lines)


def _json(path: Path, text: str) -> tuple[Any, list[int]]:
    try:
        return json.loads(text), []
    except json.JSONDecodeError as error:
        place = f"{path.name}, line {error.lineno}, column {error.colno}"
        raise Refused([f"{place}: {error.msg}"]) from error
    except (RecursionError, ValueError) as error:
        raise Refused([f"{path.name}: cannot be read as JSON"]) from error


def _yaml(path: Path, text: str) -> tuple[Any, list[int]]:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return yaml.safe_load(text), _lines(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Refused([f"{path.name}{place}: {error.problem or 'cannot be read'}"]) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Refused([f"{path.name}: cannot be read as YAML ({error})"]) from error


def _lines(node: Any) -> list[int]:
    """The line on which each entry starts."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "requests":
                return _lines(value)
        return [node.start_mark.line + 1]
    if isinstance(node, yaml.SequenceNode):
        return [child.start_mark.line + 1 for child in node.value]
    return []


def _entries(path: Path, data: Any, lines: list[int]) -> Sequence[Placed]:
    if isinstance(data, dict) and set(data) == {"requests"}:
        data = data["requests"]
    listed = data if isinstance(data, list) else [data]
    if not listed or data is None:
        raise Refused([f"{path.name}: holds no request"])
    placed: list[Placed] = []
    problems: list[str] = []
    for n, item in enumerate(listed):
        place = f"{path.name}, line {lines[n]}" if n < len(lines) else f"{path.name}, entry {n + 1}"
        try:
            placed.append(Placed(RequestEntry.model_validate(item), place))
        except ValidationError as error:
            problems += [f"{place}, {fault}" for fault in _faults(error)]
    if problems:
        raise Refused(problems)
    return placed


def _faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors():
        field = ".".join(str(part) for part in fault["loc"]) or "entry"
        yield f"{field}: {fault['msg'].removeprefix('Value error, ')}"
