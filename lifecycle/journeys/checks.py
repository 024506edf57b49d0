"""What must hold of a journey's steps before anybody walks it; pure, over the document alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lifecycle.journeys.definition import Document
from lifecycle.journeys.steps import DAY, Enroll, Exit, Send, Step, Wait, WaitFor, spelled


@dataclass(frozen=True)
class Fault:
    """Something wrong: at a step (its place from 0) or in the head; `path` leads to the word."""

    message: str
    step: int | None = None
    path: tuple[str | int, ...] = ()


def graph_faults(document: Document) -> list[Fault]:
    """Every fault in how the steps hang together: names, reach, ends, loops without time."""
    faults = [
        *_names(document),
        *_entry(document),
        *_reentry(document),
        *_itself(document),
        *_messages(document),
        *_shut(document),
    ]
    if faults:
        return faults
    return [*_unreached(document), *_endless(document), *_timeless(document)]


def _names(document: Document) -> Iterator[Fault]:
    counted = Counter(step.id for step in document.steps)
    seen: set[str] = set()
    for number, step in enumerate(document.steps):
        if step.id in seen and counted[step.id] > 1:
            yield Fault(f"another step is called “{step.id}” already", number, ("id",))
        seen.add(step.id)
        for outcome, target in step.edges.items():
            if target not in counted:
                yield Fault(
                    f"there is no step “{target}” to go to", number, (_word(step, outcome),)
                )


def _word(step: Step, outcome: str) -> str:
    if outcome.isdecimal():
        return step.kind
    if outcome in ("yes", "no", "otherwise"):
        return outcome
    return "otherwise" if outcome.startswith("not_") else "next"


def _itself(document: Document) -> Iterator[Fault]:
    for number, step in enumerate(document.steps):
        if isinstance(step, Enroll) and step.journey == document.journey:
            yield Fault("a journey cannot let people into itself", number, ("enter",))


def _messages(document: Document) -> Iterator[Fault]:
    """What a wait names as the message it waits for a click on or a reply to."""
    sending = {step.id for step in document.steps if isinstance(step, Send)}
    for number, step in enumerate(document.steps):
        if isinstance(step, WaitFor) and step.of is not None and step.of not in sending:
            yield Fault(f"`of:` names a step that sends; “{step.of}” is none", number, ("of",))


def _shut(document: Document) -> Iterator[Fault]:
    """Messages that would expire while the journey's window is shut."""
    if document.window is None:
        return
    shut = document.window.longest_shut
    for number, step in enumerate(document.steps):
        if isinstance(step, Send) and step.expires <= shut:
            told = f"it expires in {spelled(step.expires)}, but the window is shut for up to "
            yield Fault(f"{told}{-(-shut // 3600)}h", number, ("expires",))


def _entry(document: Document) -> Iterator[Fault]:
    """What lets people in, and what does not go together in it."""
    enter = document.enter
    named = [w for w in ("move", "interaction", "date") if getattr(enter, w) is not None]
    if len(named) > 1:
        yield Fault(f"only one of {' and '.join(named)} lets people in", path=("enter", named[1]))
    if not named and enter.when is None and not enter.by_hand:
        yield Fault("say who enters: `when:`, `move:`, `interaction:`, `date:` or `by_hand: true`",
                    path=("enter",))  # fmt: skip
    for word in ("before", "years"):
        if getattr(enter, word) and enter.date is None:
            yield Fault(f"`{word}:` goes with `date:` only", path=("enter", word))
    if enter.reentry == "each" and not enter.listens:
        yield Fault("reentry each goes with `move:` or `interaction:`", path=("enter", "reentry"))
    if enter.date is not None and enter.reentry == "after_exit":
        yield Fault("a date lets people in once or yearly", path=("enter", "reentry"))
    if enter.holdout is not None and document.goal is None:
        yield Fault("a hold-out needs a `goal:` to compare by", path=("enter", "holdout"))


def _reentry(document: Document) -> Iterator[Fault]:
    enter = document.enter
    if enter.reentry == "after_exit" and (enter.gap is None or enter.gap < DAY):
        yield Fault("re-entry after_exit needs `gap:` of at least 1d", path=("enter", "reentry"))
    if enter.reentry != "after_exit" and enter.gap is not None:
        yield Fault("`gap:` goes with reentry: after_exit only", path=("enter", "gap"))


def _reach(start: Iterable[str], edges: Mapping[str, Iterable[str]]) -> set[str]:
    """Everything that can be got to from the start, itself included."""
    found, todo = set(), list(start)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(edges.get(name, ()))
    return found


def _unreached(document: Document) -> Iterator[Fault]:
    edges = {step.id: step.edges.values() for step in document.steps}
    reached = _reach([document.steps[0].id], edges)
    for number, step in enumerate(document.steps):
        if step.id not in reached:
            yield Fault("no step leads here, so nobody would ever get to it", number)


def _endless(document: Document) -> Iterator[Fault]:
    back: dict[str, list[str]] = {step.id: [] for step in document.steps}
    for step in document.steps:
        for target in step.edges.values():
            back[target].append(step.id)
    ending = _reach([s.id for s in document.steps if isinstance(s, Exit)], back)
    for number, step in enumerate(document.steps):
        if step.id not in ending:
            yield Fault("no way on from here ends: let it lead to a step `exit: done`", number)


def _timeless(document: Document) -> Iterator[Fault]:
    """Loops that a person could run round without a day passing."""
    quick = {step.id: set(_quick(step)) for step in document.steps}
    for number, step in enumerate(document.steps):
        if step.id in _reach(quick[step.id], quick):
            yield Fault("this loop has no wait of at least 1d in it", number)


def _quick(step: Step) -> Iterator[str]:
    """Where a step may lead before a day is over; what is waited for may happen at once."""
    for outcome, target in step.edges.items():
        slow = isinstance(step, Wait) and step.wait >= DAY
        slow = slow or (isinstance(step, WaitFor) and outcome == "no" and step.max >= DAY)
        if not slow:
            yield target
