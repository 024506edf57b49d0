"""The short forms in which people write steps, turned into the canonical ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

MAIN = {
    "send": "content", "wait": "wait", "wait_until": "until", "wait_for": "interaction",
    "branch": "arms", "split": "shares", "set": "custom", "enter": "journey", "task": "title",
    "ask": "way", "exit": "reason",
}  # fmt: skip
"""Kind of step, which is the word it is written with → the field of what stands behind the word."""
KINDS = tuple(MAIN)
WRITTEN = {name: kind for kind, name in MAIN.items() if kind != name} | {"subjects": "set"}
"""The field of a canonical step → the word it is written with, where they differ."""
LEADING = {
    "send": ("next",), "wait": ("next",), "wait_until": ("next",), "set": ("next",),
    "task": ("next",), "wait_for": ("yes", "no"), "enter": ("next",), "ask": ("next",),
}  # fmt: skip
"""The words by which steps lead on to the one below where nothing else is said."""
CUSTOM = "custom."


def canonical_step(kind: str, step: dict[str, Any], after: Any) -> dict[str, Any]:
    """One step in canonical form; `after` is the step below it, where it leads by default."""
    main = step.pop(kind)
    found = {"kind": kind, **step}
    if kind in _SHAPES:
        _SHAPES[kind](found, main, after)
    elif main is not None or kind != "exit":
        found[MAIN[kind]] = main
    if after is not None:
        for word in LEADING.get(kind, ()):
            found.setdefault(word, after)
    if kind == "wait_until" and isinstance(step.get("at"), int):
        found["at"] = _time_of_day(step["at"])
    if kind in ("enter", "ask") and "next" in found:
        found.setdefault("otherwise", found["next"])
    return {k: v for k, v in found.items() if v is not None}


def _time_of_day(number: int) -> str:
    """YAML reads 10:30 as 630 (sixty to the hour); a small number is an hour."""
    hours, minutes = divmod(number, 60) if number >= 60 else (number, 0)
    return f"{hours:02}:{minutes:02}"


def _branch(found: dict[str, Any], main: Any, after: Any) -> None:
    if isinstance(main, str):
        found["arms"] = [{"when": main, "next": found.pop("yes", after)}]
        found["otherwise"] = found.pop("no", after)
    else:
        found["arms"] = main
        found.setdefault("otherwise", after)


def _split(found: dict[str, Any], main: Any, after: Any) -> None:
    """`{story: 70%, short: 30%}`, or the list of weights and next that it stands for."""
    if isinstance(main, Mapping):
        main = [{"weight": _weight(weight), "next": name} for name, weight in main.items()]
    elif isinstance(main, list):
        main = [
            {**share, "weight": _weight(share.get("weight"))} if isinstance(share, Mapping)
            else share
            for share in main
        ]  # fmt: skip
    found["shares"] = main


def _weight(weight: Any) -> Any:
    """A share as a whole number; `70%` is 70."""
    text = weight.strip().removesuffix("%").strip() if isinstance(weight, str) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else weight


def _set(found: dict[str, Any], main: Any, after: Any) -> None:
    """`{subject: health, custom.reunion: invited}`."""
    if not isinstance(main, Mapping):
        found["custom"] = main
        return
    for name, value in main.items():
        if name == "subject":
            found["subjects"] = value if isinstance(value, list) else [value]
        elif name.startswith(CUSTOM):
            text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
            found.setdefault("custom", {})[name.removeprefix(CUSTOM)] = text
        else:
            found[name] = value


_SHAPES: Mapping[str, Callable[[dict[str, Any], Any, Any], None]] = {
    "branch": _branch, "split": _split, "set": _set,
}  # fmt: skip
