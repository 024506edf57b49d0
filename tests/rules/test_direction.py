"""Pages written from right to left: nothing of ours is tied to a side of the screen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from crm.links.tokens import issue
from crm.web import i18n
from tests.factories import Make

ROOT = Path(__file__).resolve().parents[2]
SIDES = re.compile(
    r"(?:margin|padding|border)-(?:left|right)|(?<![\w-])(?:left|right)\s*:"
    r"|(?:text-align|float|clear)\s*:\s*(?:left|right)"
)
HELPERS = re.compile(r"\b(?:ms|me|ps|pe|text|float|border|rounded)-(?:start|end|auto|[0-5])\b")


def rules(sheet: Path) -> list[str]:
    """The rules of a style sheet that hold in both directions, comments left out."""
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
    found = re.findall(r"([^{}]+)\{([^{}]*)\}", text)
    return [f"{who.strip()} {what}" for who, what in found if '[dir="rtl"]' not in who]


@pytest.mark.parametrize(
    "sheet", sorted((ROOT / "static" / "css").glob("*.css")), ids=lambda path: path.name
)
def test_our_styles_name_beginning_and_end_and_never_left_and_right(sheet: Path) -> None:
    assert [rule for rule in rules(sheet) if SIDES.search(rule)] == []


def test_every_borrowed_class_that_names_a_side_is_mirrored() -> None:
    templates = "".join(path.read_text() for path in (ROOT / "templates").rglob("*.html"))
    styles = (ROOT / "static" / "css" / "homecoming.css").read_text()
    used = set(HELPERS.findall(" ".join(re.findall(r'class="([^"]*)"', templates))))
    assert {name for name in used if f'[dir="rtl"] .{name} ' not in styles} == set()
    assert used


def test_main_pages_open_from_right_to_left(
    coordinator: FlaskClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for known in (i18n.LANGUAGES, i18n.STAFF_LANGUAGES):
        monkeypatch.setitem(known, "ar", "العربية")
    rosa = make.alumnus("Rosa")
    make.session.commit()
    tokens = {
        purpose: issue(purpose, alumnus_id=rosa.id, epoch=rosa.link_epoch, at=make.at)
        for purpose in ("profile", "unsubscribe")
    }
    me, leave = f"/me/{tokens['profile']}", f"/unsubscribe/{tokens['unsubscribe']}"
    ours = ("/", "/people", f"/people/{rosa.id}", f"/people/{rosa.id}/consent", "/events")
    for path in (me, f"{me}/data", f"{me}/address", leave, *ours):
        assert '<html lang="ar" dir="rtl">' in coordinator.get(f"{path}?lang=ar").text, path
