"""The Spanish catalogue: every entry is finished, and says the same names and numbers."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Subject, Way
from crm.consent.models import Topic

ROOT = Path(__file__).parents[2]
PO = ROOT / "translations" / "es" / "LC_MESSAGES" / "messages.po"
KEYWORDS = {
    "_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2), "lazy_ngettext": (1, 2),
    "_n": (1, 2),
}  # fmt: skip
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]")


def spanish() -> Catalog:
    with PO.open("rb") as readable:
        return read_po(readable, abort_invalid=True)


def entries() -> list[Message]:
    return [message for message in spanish() if message.id]


def forms(text: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ("",))


def wrong_placeholders(source: tuple[str, ...], translated: tuple[str, ...]) -> bool:
    """A one may be said in words; the last form names exactly what the source's last one does."""
    known = set(PLACEHOLDER.findall(source[-1]))
    if any(set(PLACEHOLDER.findall(form)) - known for form in translated):
        return True
    return set(PLACEHOLDER.findall(translated[-1])) != known


def test_every_placeholder_of_a_translation_is_that_of_its_source() -> None:
    wrong = [m.id for m in entries() if wrong_placeholders(forms(m.id), forms(m.string))]
    assert wrong == []


def test_a_lost_or_misspelt_placeholder_would_be_found() -> None:
    assert wrong_placeholders(("Hello %(name)s",), ("Hola",))
    assert wrong_placeholders(("Hello %(name)s",), ("Hola %(nombre)s",))
    assert wrong_placeholders(("one day", "%(num)d days"), ("un día", "%(num)s días"))
    assert not wrong_placeholders(("one day", "%(num)d days"), ("un día", "%(num)d días"))


def test_no_translation_is_fuzzy() -> None:
    assert [m.id for m in entries() if m.fuzzy] == []


def test_no_translation_is_empty() -> None:
    assert entries()
    assert [m.id for m in entries() if not all(form.strip() for form in forms(m.string))] == []


def test_plurals_have_as_many_forms_as_the_header_says() -> None:
    count = spanish().num_plurals
    plurals = [m for m in entries() if not isinstance(m.id, str)]
    assert [m.id for m in plurals if len(forms(m.string)) != count] == []


def test_the_catalogue_names_no_places_in_files() -> None:
    assert not any(line.startswith("#:") for line in PO.read_text("utf-8").splitlines())


def test_the_words_that_the_database_brings_are_translated(session: Session) -> None:
    known = {message.id for message in entries()}
    topics = [(topic.label, topic.description) for topic in session.scalars(select(Topic))]
    words = [word for pair in topics for word in pair]
    words += [*session.scalars(select(Way.label)), *session.scalars(select(Subject.label))]
    assert len(words) > 20
    assert set(words) - known == set()


def words_of_the_program(root: Path) -> dict[str | tuple[str, ...], str]:
    """Every word for people in the code and the templates under a folder, and where it stands."""
    with (ROOT / "babel.cfg").open() as lines:
        methods, options = parse_mapping_cfg(lines)
    found = extract_from_dir(root, methods, options, keywords=KEYWORDS)
    return {words: f"{place}:{line}" for place, line, words, _, _ in found}


def known_in_spanish() -> set[str | tuple[str, ...]]:
    return {m.id if isinstance(m.id, str) else tuple(m.id) for m in entries()}


def test_every_word_of_the_program_is_translated() -> None:
    told = words_of_the_program(ROOT)
    assert len(told) > 1_000
    known = known_in_spanish()
    assert {words: place for words, place in told.items() if words not in known} == {}


def test_a_new_word_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "crm").mkdir()
    (tmp_path / "crm" / "new.py").write_text('_("A new word")\nngettext("one ox", "two oxen", 2)\n')
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "new.html").write_text("{{ _('Another new word') }}")
    found = words_of_the_program(tmp_path)
    assert set(found) == {"A new word", ("one ox", "two oxen"), "Another new word"}
    assert not set(found) & known_in_spanish()
