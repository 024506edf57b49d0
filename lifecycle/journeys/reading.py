"""Reads a journey from YAML; every fault is named with its line and step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import ValidationError

from crm.core.errors import Refused
from lifecycle.journeys.checks import Fault, graph_faults
from lifecycle.journeys.definition import Document
from lifecycle.journeys.shorthand import KINDS, WRITTEN, canonical_step
from lifecycle.journeys.windows import canonical_window

LARGEST = 100_000
DEEPEST = 10
Path = tuple[str | int, ...]


@dataclass
class Source:
    """A YAML text as plain values, with the line of each of them."""

    name: str
    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of the nearest thing that stands in the text."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def problem(self, path: Path, message: str) -> None:
        """Note a fault at its place."""
        step = self._step(path)
        where = f"{self.name}:{self.line(path)}: " + (f"step {step}: " if step else "")
        self.problems.append(where + message)

    def _step(self, path: Path) -> str:
        if len(path) < 2 or path[0] != "steps" or not isinstance(path[1], int):
            return ""
        steps = self.value.get("steps") if isinstance(self.value, Mapping) else None
        step = steps[path[1]] if isinstance(steps, list) and path[1] < len(steps) else None
        name = step.get("id") if isinstance(step, Mapping) else None
        return str(name)[:60] if name else f"number {path[1] + 1}"


def read_document(text: str, name: str = "journey.yaml") -> Document:
    """The journey that a YAML text describes; raises `Refused` naming every fault found in it."""
    source = read_source(text, name)
    if not isinstance(source.value, Mapping):
        raise Refused([f"{name}:1: write a journey as `journey:`, `name:`, `enter:`, `steps:` …"])
    try:
        document = Document.model_validate_json(json.dumps(_plain_form(source)))
    except ValidationError as error:
        for fault in error.errors():
            path = _source_path(fault["loc"])
            source.problem(path, _said(fault, path))
        raise Refused(source.problems) from error
    for found in graph_faults(document):
        source.problem(_place(found), found.message)
    if source.problems:
        raise Refused(source.problems)
    return document


def locate(text: str, name: str, faults: Sequence[Fault]) -> list[str]:
    """Faults found elsewhere (in the database), each with its line in the text."""
    source = read_source(text, name)
    for found in faults:
        source.problem(_place(found), found.message)
    return source.problems


def _place(found: Fault) -> Path:
    return ("steps", found.step, *found.path) if found.step is not None else found.path


def read_source(text: str, name: str) -> Source:
    """The text as plain values; raises `Refused` for what is no (harmless) YAML."""
    source = Source(name)
    if len(text) > LARGEST:
        raise Refused([f"{name}: a journey has at most {LARGEST} characters"])
    try:
        _harmless(text, name)
        node = yaml.compose(text, yaml.SafeLoader)
        source.value = _value(node, (), source) if node else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise Refused([f"{where}: {error.problem or 'not YAML'}"]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Refused([f"{name}: this is not YAML that can be read: {_first(error)}"]) from error
    return source


def _harmless(text: str, name: str) -> None:
    """Refuse, before anything is built, what a journey never has: aliases and deep nesting."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise Refused([f"{name}: write out what stands behind * and &: there are no aliases"])
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise Refused([f"{name}: a journey is nested at most {DEEPEST} deep"])


def _first(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _value(node: yaml.Node, path: Path, source: Source) -> Any:
    """A YAML node as plain values, noting the line of each; a key written twice is a fault."""
    source.lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, n), source) for n, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            source.lines[(*path, key)] = key_node.start_mark.line + 1
            if key in found:
                source.problem((*path, key), f"“{key[:60]}” stands twice")
            found[key] = _value(value_node, (*path, key), source)
            source.lines[(*path, key)] = key_node.start_mark.line + 1
        return found
    plain = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"}
    if node.tag in plain:
        loaded: Any = yaml.safe_load(node.value) if len(node.value) < 20 else str(node.value)
        return loaded
    return str(node.value)


def _plain_form(source: Source) -> dict[str, Any]:
    """The short forms people write turned into the canonical ones."""
    value = dict(source.value)
    if isinstance(value.get("enter"), str):
        value["enter"] = {"when": value["enter"]}
    if isinstance(value.get("goal"), Mapping):
        goal = dict(value["goal"])
        value["goal"] = goal.pop("event", None)
        value["goal_within"] = goal.pop("within", None)
        value |= {f"goal.{name}": thing for name, thing in goal.items()}
    if "window" in value:
        value["window"] = canonical_window(value["window"])
    steps = value.get("steps")
    if isinstance(steps, list):
        value["steps"] = list(_steps(steps, source))
    return value


def _steps(steps: list[Any], source: Source) -> Iterator[Any]:
    for number, step in enumerate(steps):
        path = ("steps", number)
        if not isinstance(step, Mapping):
            source.problem(path, "a step is written as `id:` and one of " + ", ".join(KINDS))
            yield step
            continue
        kinds = [kind for kind in KINDS if kind in step]
        if len(kinds) != 1:
            source.problem(path, "a step has exactly one of " + ", ".join(KINDS))
            yield {"kind": "exit", "id": step.get("id", f"step-{number}")}
            continue
        following = steps[number + 1] if number + 1 < len(steps) else None
        after = following.get("id") if isinstance(following, Mapping) else None
        yield canonical_step(kinds[0], dict(step), after)


def _source_path(where: Sequence[str | int]) -> Path:
    """The place in the text of a fault in the canonical form."""
    path = list(where)
    if len(path) > 2 and path[0] == "steps":
        del path[2]  # the kind, by which the step's form was chosen
    if path[:1] == ["window"]:
        return tuple("hours" if part in ("opens", "closes") else part for part in path)
    if path[:1] != ["steps"]:
        return tuple(path)
    return tuple(
        WRITTEN.get(p, p) if isinstance(p, str) and n > 1 else p for n, p in enumerate(path)
    )


def _said(fault: Any, path: Path) -> str:
    """The fault in words that say what to do."""
    last = path[-1] if path else ""
    kind = fault["type"]
    if kind == "missing" and last in ("next", "yes", "no", "otherwise"):
        return f"nothing comes after it: say `{last}:`, or end with a step `exit: done`"
    if kind == "missing" and last == "max":
        return "a wait_for needs `max:`, the longest it may wait (such as 10d)"
    if kind == "missing":
        return f"`{last}:` is missing"
    if kind == "extra_forbidden":
        return f"“{str(last)[:60]}” means nothing here"
    if kind == "string_type" and isinstance(fault["input"], bool):
        return f"{last}: write it in quotes, YAML takes yes, no, on and off for true or false"
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"{last}: {message}" if last != "" else message
