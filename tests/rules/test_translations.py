"""The catalogues: every entry is finished, and says the same names and numbers.

Spanish has every word of the program; Amharic has what alumni and the public read.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Subject, Way
from crm.consent.models import Topic
from crm.core.extend import extensions
from crm.mail.content import FOLDER, shipped_keys
from crm.web.i18n import LANGUAGES, STAFF_LANGUAGES
from tests.rules.public_words import (
    KEYWORDS,
    ROOT,
    Said,
    templates,
    without,
    words_of_forms,
    words_of_modules,
    words_of_templates,
)

CATALOGUES = sorted(set(LANGUAGES) - {"en"})
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%s")
each_catalogue = pytest.mark.parametrize("language", CATALOGUES)
STAFF_LETTERS = {
    "attendance-reminder", "factor-reset", "new-sign-in", "request-due", "request-sent-back",
    "request-unfilled", "school-clearing", "school-confirmed", "school-reopened", "sign-in-code",
    "staff-invitation",
}  # fmt: skip
"""Letters that only staff get."""


def catalogue_of(language: str) -> Path:
    return ROOT / "translations" / language / "LC_MESSAGES" / "messages.po"


def catalogue(language: str) -> Catalog:
    with catalogue_of(language).open("rb") as readable:
        return read_po(readable, abort_invalid=True)


def entries(language: str) -> list[Message]:
    return [message for message in catalogue(language) if message.id]


def known_in(language: str) -> set[Said]:
    return {m.id if isinstance(m.id, str) else tuple(m.id) for m in entries(language)}


def forms(text: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ("",))


def wrong_placeholders(source: tuple[str, ...], translated: tuple[str, ...]) -> bool:
    """A one may be said in words; the last form names exactly what the source's last one does."""
    known = set(PLACEHOLDER.findall(source[-1]))
    if any(set(PLACEHOLDER.findall(form)) - known for form in translated):
        return True
    return set(PLACEHOLDER.findall(translated[-1])) != known


@each_catalogue
def test_every_placeholder_of_a_translation_is_that_of_its_source(language: str) -> None:
    wrong = [m.id for m in entries(language) if wrong_placeholders(forms(m.id), forms(m.string))]
    assert wrong == []


def test_a_lost_or_misspelt_placeholder_would_be_found() -> None:
    assert wrong_placeholders(("Hello %(name)s",), ("Hola",))
    assert wrong_placeholders(("Hello %(name)s",), ("Hola %(nombre)s",))
    assert wrong_placeholders(("one day", "%(num)d days"), ("un día", "%(num)s días"))
    assert not wrong_placeholders(("one day", "%(num)d days"), ("un día", "%(num)d días"))


@each_catalogue
def test_no_translation_is_fuzzy(language: str) -> None:
    assert [m.id for m in entries(language) if m.fuzzy] == []


@each_catalogue
def test_no_translation_is_empty(language: str) -> None:
    found = entries(language)
    assert found
    assert [m.id for m in found if not all(form.strip() for form in forms(m.string))] == []


@each_catalogue
def test_plurals_have_as_many_forms_as_the_header_says(language: str) -> None:
    count = catalogue(language).num_plurals
    plurals = [m for m in entries(language) if not isinstance(m.id, str)]
    assert plurals
    assert [m.id for m in plurals if len(forms(m.string)) != count] == []


@each_catalogue
def test_the_catalogue_names_no_places_in_files(language: str) -> None:
    text = catalogue_of(language).read_text("utf-8")
    assert not any(line.startswith("#:") for line in text.splitlines())


def words_of_the_database(session: Session) -> set[Said]:
    topics = [(topic.label, topic.description) for topic in session.scalars(select(Topic))]
    words = [word for pair in topics for word in pair]
    return {*words, *session.scalars(select(Way.label)), *session.scalars(select(Subject.label))}


@each_catalogue
def test_the_words_that_the_database_brings_are_translated(session: Session, language: str) -> None:
    words = words_of_the_database(session)
    assert len(words) > 20
    assert words - known_in(language) == set()


def words_of_the_program(root: Path) -> dict[Said, str]:
    """Every word for people in the code and the templates under a folder, and where it stands."""
    with (ROOT / "babel.cfg").open() as lines:
        methods, options = parse_mapping_cfg(lines)
    found = extract_from_dir(root, methods, options, keywords=KEYWORDS)
    return {words: f"{place}:{line}" for place, line, words, _, _ in found}


@pytest.mark.parametrize("language", sorted(set(STAFF_LANGUAGES) - {"en"}))
def test_every_word_of_the_program_is_in_each_language_of_staff(language: str) -> None:
    told = words_of_the_program(ROOT)
    assert len(told) > 1_000
    known = known_in(language)
    assert {words: place for words, place in told.items() if words not in known} == {}


def test_a_new_word_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "crm").mkdir()
    (tmp_path / "crm" / "new.py").write_text('_("A new word")\nngettext("one ox", "two oxen", 2)\n')
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "new.html").write_text("{{ _('Another new word') }}")
    found = words_of_the_program(tmp_path)
    assert set(found) == {"A new word", ("one ox", "two oxen"), "Another new word"}
    assert not set(found) & known_in("es")


def words_for_the_public(app: Flask) -> dict[Said, str]:
    """Every word that alumni and the public may read on a page, and where it stands."""
    shown = templates([panel.template for panel in extensions(app).profile_panels])
    return {**dict(words_of_templates(shown)), **dict(words_of_modules()), **dict(words_of_forms())}


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - set(STAFF_LANGUAGES)))
def test_every_word_for_the_public_is_in_each_of_their_languages(
    app: Flask, session: Session, language: str
) -> None:
    told = words_for_the_public(app)
    assert len(told) > 500
    known = known_in(language)
    assert {words: place for words, place in told.items() if words not in known} == {}
    # And nothing that only staff read: nobody would see when it is out of date.
    assert known - set(told) - words_of_the_database(session) == set()


def test_a_new_word_for_the_public_would_be_found(app: Flask) -> None:
    told = words_for_the_public(app)
    assert told["Stop all mail"].startswith("templates/crm/portal/profile.html")
    assert told["Schools are asking for"].startswith("templates/crm/door/_wishes.html")
    assert told["Write only your name."] == "crm/door/forms.py"
    assert told["This ask is history."] == "segments/asks/answers.py"
    assert told["Not a valid choice."] == "wtforms"
    assert "Domains of school addresses" not in told
    source = "A = _('Mine')\n\n\ndef f():\n    return _('Theirs')\n"
    assert without(source, ["f"]) == "A = _('Mine')"
    with pytest.raises(AssertionError, match="no longer there"):
        without(source, ["g"])


def test_every_letter_to_alumni_is_written_in_every_language() -> None:
    keys = set(shipped_keys())
    assert keys > STAFF_LETTERS
    missing = [
        f"{key}.{language}.md"
        for key in sorted(keys)
        for language in (STAFF_LANGUAGES if key in STAFF_LETTERS else LANGUAGES)
        if not (FOLDER / f"{key}.{language}.md").exists()
    ]
    assert missing == []
