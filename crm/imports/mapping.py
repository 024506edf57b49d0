"""From a file's columns to targets: layout first, then what the reader of the file decided."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from crm.core.errors import Invalid, Refused
from crm.imports.layout import Layout, cut_length, header_key, never_read
from crm.imports.layouts import LAYOUTS, detect
from crm.imports.models import CustomKind
from crm.imports.reader import Table
from crm.imports.targets import IGNORE, LABELS, for_targeting, is_target

MAX_MAPPING = 256 * 1024
MEANINGS = frozenset({"enrolled", "graduated", "left", "skip"})
SECTIONS = {"columns", "values", "schools", "school_domains"}
NAMES = ("given_name", "family_name", "name.full")


@dataclass(frozen=True)
class Directions:
    """What a mapping file says: column → target, target or column → word → meaning, domains.

    `schools`: what the file calls a school → a name or number by which we know it. `orgs`: the
    same as the file itself has it, with several texts to try.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    school_domains: frozenset[str] = frozenset()
    schools: Mapping[str, str] = field(default_factory=dict)
    orgs: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """What `mapping_from` reads back: all but `orgs`, which come with the file itself."""
        return {
            "columns": dict(self.columns),
            "values": {key: dict(words) for key, words in self.values.items()},
            "schools": dict(self.schools),
            "school_domains": sorted(self.school_domains),
        }


@dataclass(frozen=True)
class Column:
    """A column of the file and its fate: `how` is layout, mapping, unknown, ignored or not_read."""

    index: int
    title: str
    target: str | None
    how: str


@dataclass(frozen=True)
class Plan:
    """How a people file is read."""

    layout: Layout
    columns: tuple[Column, ...]
    values: Mapping[str, Mapping[str, str]]
    school_domains: frozenset[str]
    schools: Mapping[str, str] = field(default_factory=dict)
    orgs: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def of(self, target: str) -> list[int]:
        """The indices of the columns with that target, left to right."""
        return [c.index for c in self.columns if c.target == target]

    def targets(self) -> list[str]:
        """Every target that some column fills, in the order of the columns."""
        return list(dict.fromkeys(c.target for c in self.columns if c.target))

    def titles(self, *how: str) -> list[str]:
        """The names of the columns with one of these fates."""
        return [c.title for c in self.columns if c.how in how]

    def targeting(self) -> list[str]:
        """The custom fields that the mapping marks for the propensity model."""
        return [t for t in self.targets() if for_targeting(t)]

    def as_json(self) -> dict[str, Any]:
        """The plan as an import keeps it."""
        return {
            "columns": [{"title": c.title, "target": c.target, "how": c.how} for c in self.columns],
            "values": {key: dict(words) for key, words in self.values.items()},
            "school_domains": sorted(self.school_domains),
            "schools": dict(self.schools),
            "orgs": {name: list(texts) for name, texts in self.orgs.items()},
        }


def plan_for(table: Table, layout: str, mapping: Directions) -> Plan:
    """How to read the file; raises `Refused` if the mapping does not fit or nobody has a name."""
    if layout != "auto" and layout not in LAYOUTS:
        known = ", ".join(sorted(LAYOUTS))
        raise Refused([f"--layout: there is no layout called {layout!r} (known: auto, {known})"])
    found = detect(table.header) if layout == "auto" else LAYOUTS[layout]
    wanted = _wanted(table, mapping)
    limit = cut_length(table.header)
    columns = tuple(_column(n, t, found, wanted, limit) for n, t in enumerate(table.header))
    targets = {column.target for column in columns}
    if not targets & set(NAMES):
        fault = (
            f"{table.name}:{table.header_line}: no column holds a name; the columns are "
            f"{', '.join(table.header[:12])}. Point at one with a mapping: "
            '{"Column": "family_name"}'
        )
        raise Refused([fault])
    values = _values(table, found, mapping, columns)
    return Plan(found, columns, values, mapping.school_domains, mapping.schools, mapping.orgs)


def _wanted(table: Table, mapping: Directions) -> dict[str, str]:
    """Column key → target as the mapping has it, checked against the file."""
    known = {header_key(title): title for title in table.header}
    wanted, faults = {}, []
    for title, target in mapping.columns.items():
        key = title if title in table.header else header_key(title)
        if not is_target(target):
            near = difflib.get_close_matches(target, LABELS, 1)
            advice = (
                f"; did you mean {near[0]}?"
                if near
                else f" (known: {', '.join(LABELS)}, custom.NAME)"
            )
            faults.append(f"mapping: column {title!r}: there is no target {target!r}{advice}")
        elif key not in known and title not in table.header:
            near = difflib.get_close_matches(title, table.header, 1)
            advice = f"; did you mean {near[0]!r}?" if near else ""
            faults.append(f"mapping: {table.name} has no column {title!r}{advice}")
        elif target != IGNORE and never_read(title):
            faults.append(f"mapping: column {title!r} is never read: it holds what we may not keep")
        else:
            wanted[key] = target
    if faults:
        raise Refused(faults)
    return wanted


def _column(
    index: int, title: str, layout: Layout, wanted: Mapping[str, str], limit: int | None = None
) -> Column:
    if never_read(title):
        return Column(index, title, None, "not_read")
    target = wanted.get(title, wanted.get(header_key(title)))
    if target is not None:
        gone = target == IGNORE
        return Column(index, title, None if gone else target, "ignored" if gone else "mapping")
    target, known = layout.read(title, limit=limit)
    if target is not None:
        return Column(index, title, target, "layout")
    return Column(index, title, None, "ignored" if known else "unknown")


def _values(
    table: Table, layout: Layout, mapping: Directions, columns: tuple[Column, ...]
) -> dict[str, dict[str, str]]:
    """Target → folded word → meaning: the layout's table with the mapping's on top."""
    values = {target: dict(words) for target, words in layout.values.items()}
    by_title = {header_key(c.title): c.target for c in columns if c.target}
    faults = []
    for name, words in mapping.values.items():
        target = name if name in LABELS else by_title.get(header_key(name))
        if target not in {"status", "grade"}:
            faults.append(f"mapping: values of {name!r}: only status and grade have a table")
            continue
        for word, meaning in words.items():
            if meaning not in MEANINGS:
                known = ", ".join(sorted(MEANINGS))
                faults.append(f"mapping: {name} {word!r}: {meaning!r} is none of {known}")
            values.setdefault(target, {})[word.strip().casefold()] = meaning
    if faults:
        raise Refused(faults)
    return values


def read_mapping(path: Path) -> Directions:
    """A mapping file, JSON or YAML; raises `Refused` naming the file and what is wrong."""
    if not path.is_file():
        raise Refused([f"{path.name}: there is no such file"])
    if path.stat().st_size > MAX_MAPPING:
        raise Refused([f"{path.name}: is too large for a mapping"])
    try:
        text = path.read_text(encoding="utf-8-sig")
        told = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise Refused([f"{path.name}: is not UTF-8"]) from error
    except json.JSONDecodeError as error:
        raise Refused([f"{path.name}:{error.lineno}:{error.colno}: {error.msg}"]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise Refused([f"{path.name}{place}: {error.problem}"]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise Refused([f"{path.name}: cannot be read as JSON or YAML"]) from error
    try:
        return mapping_from(told)
    except Invalid as error:
        raise Refused([f"{path.name}: {error}"]) from error


def mapping_from(told: Any) -> Directions:
    """A mapping from plain values: `{column: target}`, or with columns, values, school_domains."""
    if not isinstance(told, dict):
        raise Invalid('must be a table such as {"Column": "target"}')
    sections = told.keys() <= SECTIONS and not any(isinstance(v, str) for v in told.values())
    columns = told.get("columns", {}) if sections else told
    values = told.get("values", {}) if sections else {}
    domains = told.get("school_domains", []) if sections else []
    schools = told.get("schools", {}) if sections else {}
    if not isinstance(columns, dict):
        raise Invalid('columns must be a table such as {"Column": "target"}')
    if not isinstance(values, dict) or not all(isinstance(v, dict) for v in values.values()):
        raise Invalid('values must be a table such as {"status": {"04": "graduated"}}')
    if not isinstance(schools, dict) or any(isinstance(v, (dict, list)) for v in schools.values()):
        raise Invalid('schools must be a table such as {"0123": "North High School"}')
    if not isinstance(domains, list) or not all(isinstance(d, str) for d in domains):
        raise Invalid('school_domains must be a list such as ["students.district.org"]')
    return Directions(
        columns={str(title): _target(str(title), word) for title, word in columns.items()},
        values={str(k): {str(a): str(b) for a, b in v.items()} for k, v in values.items()},
        school_domains=frozenset(d.strip().lower().removeprefix("@") for d in domains),
        schools={str(a): str(b) for a, b in schools.items()},
    )


def _target(title: str, word: Any) -> str:
    """A target as a word, or as `{"target": …, "kind": "number", "targeting": true}`."""
    if isinstance(word, str):
        return word.strip()
    if isinstance(word, dict) and isinstance(word.get("target"), str):
        target, kind = word["target"].strip().rstrip("!"), word.get("kind")
        marked = word.get("targeting") is True or word["target"].strip().endswith("!")
        if kind is not None and not target.startswith("custom."):
            raise Invalid(f"column {title!r}: only a custom field has a kind: write custom.NAME")
        if kind is not None and kind not in set(CustomKind):
            known = ", ".join(CustomKind)
            raise Invalid(f"column {title!r}: the kind of a custom field is one of {known}")
        return f"{target}{f':{kind}' if kind else ''}{'!' if marked else ''}"
    raise Invalid(f'column {title!r}: write a target, such as "email" or "custom.club"')
