"""The difference of two versions of a journey, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask_babel import gettext as _

from lifecycle.journeys.definition import Document, Enter
from lifecycle.journeys.steps import Step, spelled
from lifecycle.journeys.windows import spelled_window
from lifecycle.journeys.words import entry_words, kind_words, step_words

SPANS = frozenset({"wait", "max", "expires", "due"})


def differences(old: Document, new: Document) -> list[str]:
    """What the new version says otherwise; empty for the same."""
    return [*_head(old, new), *_steps(old, new)]


def _head(old: Document, new: Document) -> Iterator[str]:
    pairs = (
        (_("Name"), old.name, new.name),
        (_("Goal of the district"), old.serves, new.serves),
        (_("Who enters"), _entry(old.enter), _entry(new.enter)),
        (_("How often"), _often(old.enter), _often(new.enter)),
        (_("Who leaves at once"), old.exit, new.exit),
        (_("Goal"), _goal(old), _goal(new)),
        (_("When mail goes"), _window(old), _window(new)),
    )
    for what, before, after in pairs:
        if before != after:
            yield _changed(str(what), before, after)


def _changed(what: str, before: Any, after: Any) -> str:
    if before in (None, ""):
        return _("%(what)s: now “%(after)s”.", what=what, after=after)
    if after in (None, ""):
        return _("%(what)s: no longer “%(before)s”.", what=what, before=before)
    return _("%(what)s: was “%(before)s”, is “%(after)s”.", what=what, before=before, after=after)


def _entry(enter: Enter) -> str:
    return " · ".join(part for part in (entry_words(enter), enter.when or "") if part)


def _often(enter: Enter) -> str:
    return f"{enter.reentry} {spelled(enter.gap)}" if enter.gap else enter.reentry


def _goal(document: Document) -> str | None:
    if document.goal is None:
        return None
    does = kind_words(document.goal)
    return f"{does}, {spelled(document.goal_within)}" if document.goal_within else does


def _window(document: Document) -> str | None:
    return spelled_window(document.window) if document.window else None


def _steps(old: Document, new: Document) -> Iterator[str]:
    before = {step.id: step for step in old.steps}
    after = {step.id: step for step in new.steps}
    for name, step in before.items():
        if name not in after:
            yield _("Step %(id)s is gone: %(does)s.", id=name, does=step_words(step))
    for name, step in after.items():
        if name not in before:
            yield _("Step %(id)s is new: %(does)s.", id=name, does=step_words(step))
        elif step != before[name]:
            yield from _step(before[name], step)
    shared = [name for name in before if name in after]
    if shared != [name for name in after if name in before]:
        yield _("The steps stand in another order.")


def _step(old: Step, new: Step) -> Iterator[str]:
    if old.kind != new.kind:
        told = _("Step %(id)s", id=new.id)
        yield _changed(str(told), step_words(old), step_words(new))
        return
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    for name in after:
        if before[name] != after[name]:
            told = _("Step %(id)s, %(field)s", id=new.id, field=name)
            yield _changed(str(told), _value(name, before[name]), _value(name, after[name]))


def _value(name: str, value: Any) -> Any:
    if name in SPANS and isinstance(value, int):
        return spelled(value)
    if isinstance(value, list):
        return "; ".join(str(_value(name, item)) for item in value)
    if isinstance(value, dict):
        return " → ".join(str(item) for item in value.values())
    return value
