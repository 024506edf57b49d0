"""Text can be read in both colour schemes: WCAG 2.2 contrast, computed from the tokens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOKENS = (Path(__file__).parents[3] / "static" / "css" / "tokens.css").read_text()

GROUNDS = ("paper", "surface", "sunk")
TEXT = [
    *((ink, ground) for ink in ("ink", "muted", "teal", "teal-strong") for ground in GROUNDS),
    *((tone, f"{tone}-bg") for tone in ("good", "warn", "bad", "info", "quiet")),
    *((tone, ground) for tone in ("good", "warn", "bad") for ground in GROUNDS),
    *(("ink", f"{tone}-bg") for tone in ("good", "warn", "bad", "info", "quiet")),
    *((f"heat-ink-{n}", f"heat-{n}") for n in range(1, 6)),
    ("marigold", "paper"), ("marigold", "surface"), ("marigold", "sunk"),
    ("on-teal", "teal"), ("on-teal", "teal-strong"), ("on-gold", "gold"),
    ("on-bad", "bad"), ("on-bad", "bad-strong"), ("top-ink", "top"), ("top-ink", "top-raised"),
]  # fmt: skip
LINES = [
    *(("field-line", ground) for ground in GROUNDS),
    *(("focus", ground) for ground in GROUNDS),
    ("gold", "top"), ("teal", "quiet-bg"),
]  # fmt: skip


def schemes() -> dict[str, dict[str, str]]:
    light, dark = TOKENS.split("@media screen and (prefers-color-scheme: dark)")
    pattern = re.compile(r"--hc-([a-z0-9-]+): (#[0-9a-f]{6});")
    day = dict(pattern.findall(light))
    return {"light": day, "dark": {**day, **dict(pattern.findall(dark))}}


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2 definition."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(scheme: str) -> None:
    colours = schemes()[scheme]
    weak = [p for p in TEXT if contrast(colours[p[0]], colours[p[1]]) < 4.5]
    assert weak == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_border_of_a_field_and_focus_ring_can_be_seen(scheme: str) -> None:
    colours = schemes()[scheme]
    weak = [p for p in LINES if contrast(colours[p[0]], colours[p[1]]) < 3]
    assert weak == []
