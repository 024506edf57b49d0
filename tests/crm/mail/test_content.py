"""Contents: merge fields, versions, files, and what they become as letters."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.core.errors import Refused
from crm.core.viewer import Role, Viewer
from crm.mail import content, fields
from crm.mail.content import FOLDER, Variant
from crm.mail.fields import FieldError, Slot
from crm.mail.letter import fill, one_line
from crm.mail.markdown import blocks, plain_text
from crm.mail.models import ContentVersion
from crm.mail.preview import preview
from tests.crm.mail.outbox import BODY, make_content
from tests.factories import Make


def test_a_merge_field_is_a_name_and_perhaps_a_default() -> None:
    assert fields.parse("Hi {{first_name}}, {{ employer | 'your work' }}!") == [
        "Hi ", Slot("first_name", "", 1, 4), ", ", Slot("employer", "your work", 1, 20), "!",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a\n {{ name.__class__ }}", (2, 2)), ("{{ f() }}", (1, 1)), ("{% if x %}", (1, 1)),
        ("x {{ name", (1, 3)), ("x }} y", (1, 3)), ("{{ a\n}}", (1, 1)), ("{# x #}", (1, 1)),
        ("{{ a | b | c }}", (1, 1)), ("{{ {{ a }} }}", (1, 1)), ("{{}}", (1, 1)),
        ("{{ Name }}", (1, 1)),
    ],
)  # fmt: skip
def test_anything_else_in_braces_is_refused_at_its_place(text: str, place: tuple[int, int]) -> None:
    with pytest.raises(FieldError) as fault:
        fields.parse(text)
    assert (fault.value.line, fault.value.column) == place


@given(st.text(max_size=60))
def test_any_text_parses_to_its_pieces_or_is_refused(text: str) -> None:
    try:
        pieces = fields.parse(text)
    except FieldError:
        return
    if all(isinstance(piece, str) for piece in pieces):
        assert "".join(str(piece) for piece in pieces) == text


def test_faults_name_part_language_line_and_column(session: Session, now: datetime) -> None:
    bad = Variant("Hi {{ first_nam }}", "", "Hello\n\n{% x %}")
    with pytest.raises(Refused) as refusal:
        content.save_content(
            session, key="Bad Key", name="", topic_key="weather", by=None, at=now,
            variants={"en": bad, "xx": Variant("a", "b", "[x]({{ first_name }})")},
        )  # fmt: skip
    told = "\n".join(refusal.value.problems)
    assert "“first_nam”; did you mean “first_name”?" in told
    assert "body (en), line 3, column 1" in told
    assert "“first_name” may not stand in the address of a link" in told
    assert all(f"{part}:" in told for part in ("key", "name", "topic", "languages"))


def test_an_equal_text_is_the_same_version_and_another_a_new_one(
    session: Session, now: datetime
) -> None:
    first = make_content(session, now)
    assert make_content(session, now, body=BODY.replace("\n", "\r\n") + "\n ") == first
    assert make_content(session, now, body="Other") != first
    numbers = session.scalars(select(ContentVersion.no).order_by(ContentVersion.no)).all()
    assert numbers == [1, 2]


def test_a_language_added_is_a_new_version(session: Session, now: datetime) -> None:
    first = make_content(session, now)
    assert make_content(session, now, languages=("en", "es")) != first


def write(folder: Path, text: str, name: str = "hello.en.md") -> None:
    (folder / name).write_text(text, encoding="utf-8")


def test_files_are_loaded_once_and_again_only_when_they_change(
    session: Session, now: datetime, tmp_path: Path
) -> None:
    write(tmp_path, "Name: Hello\nSubject: Code {{ code }}\nFields: code\n\nIt is {{ code }}.\n")
    assert content.ship(session, tmp_path, now) == 1
    assert content.ship(session, tmp_path, now) == 0
    write(tmp_path, "Name: Hello\nSubject: Hola\n\nHola.\n", "hello.es.md")
    assert content.ship(session, tmp_path, now) == 1


def test_a_shipped_content_that_staff_edited_keeps_their_words(
    session: Session, now: datetime, tmp_path: Path, make: Make
) -> None:
    write(tmp_path, "Name: Hello\nSubject: Hi\n\nOurs.\n")
    content.ship(session, tmp_path, now)
    staff = Viewer(make.user().id, Role.COORDINATOR)
    theirs = {"en": Variant("Hi", "", "Theirs.")}
    content.save_content(
        session, key="hello", name="Hello", topic_key=None, variants=theirs, by=staff, at=now
    )
    write(tmp_path, "Name: Hello\nSubject: Hi\n\nOurs, newer.\n")
    assert content.ship(session, tmp_path, now) == 0


@pytest.mark.parametrize(
    "text", ["Subjekt: x\n\nBody", "Subject: Hi {{ x }}\n\nBody", "Subject: Hi\nTopic: no\n\nBody"]
)
def test_a_faulty_file_is_named(session: Session, now: datetime, tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(Refused, match=r"hello\.\*\.md|hello\.en\.md"):
        content.ship(session, tmp_path, now)


def test_every_content_that_comes_with_the_program_loads(session: Session, now: datetime) -> None:
    content.ship_all(session, now)
    saved = session.scalar(select(func.count()).select_from(ContentVersion))
    assert saved == len(content.shipped_keys())


def test_markup_and_scripts_in_content_are_text(session: Session) -> None:
    html = "".join(b.html for b in blocks("<script>x</script> [a](javascript:x) ![i](http://x/y)"))
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html


def test_a_link_alone_is_a_button_and_plain_text_keeps_its_address() -> None:
    text = (
        "Hello *you*\n\n[Come & see](https://a.example/x)\n\n- one\n- two\n\n1. a [b](http://c.d)"
    )
    assert [b.href for b in blocks(text)] == ["", "https://a.example/x", ""]
    assert plain_text(text) == (
        "Hello you\n\nCome & see: https://a.example/x\n\n- one\n- two\n\n1. a b (http://c.d)"
    )


def test_a_preview_shows_the_persons_words_and_leads_nowhere(
    session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus("<b>Zoë</b>", employer=None)
    shown = preview(session, make_content(session, now), None, person, at=now)
    assert shown.subject == "News for <b>Zoë</b>"
    assert "&lt;b&gt;Zoë&lt;/b&gt;" in shown.html
    assert "<b>Zoë" not in shown.html
    assert "works at many places" in shown.text
    assert "/me/" not in shown.html
    assert "/unsubscribe/" not in shown.text


def test_a_letter_has_the_postal_address_a_reason_and_two_ways_out(
    session: Session, make: Make, now: datetime
) -> None:
    shown = preview(session, make_content(session, now), None, make.alumnus(), at=now)
    for part in (shown.html, shown.text):
        assert "100 Example Street" in part
        assert "You get this because" in part
        assert "News from your school" in part
        assert "No more mail from us at all" in part


def test_a_letter_says_its_language_and_direction(
    session: Session, make: Make, now: datetime
) -> None:
    version = make_content(session, now, languages=("en", "ar"))
    shown = preview(session, version, None, make.alumnus(language="ar"), at=now)
    assert shown.direction == "rtl"
    assert '<html lang="ar" dir="rtl"' in shown.html


def test_every_letter_to_alumni_is_amharic_down_to_its_footer(
    session: Session, make: Make, now: datetime
) -> None:
    selam = make.alumnus("Selam", language="am", class_year=2015)
    shipped = [key for key in content.shipped_keys() if (FOLDER / f"{key}.am.md").exists()]
    assert len(shipped) > 30
    for key in shipped:
        version = content.shipped_version(session, key, now)
        shown = preview(session, version, None, selam, at=now)
        assert shown.language == "am", key
        assert '<html lang="am" dir="ltr"' in shown.html, key
        assert "ከእኛ ማንኛውም ኢሜይል ይቁም" in shown.text, key
        written = content.variants_of(session, version)
        assert names_in(written["am"]) == names_in(written["en"]), key


def names_in(variant: Variant) -> set[str]:
    """The merge fields that a variant uses."""
    parts = (variant.subject, variant.preheader, variant.body)
    return {slot.name for part in parts for slot in fields.slots(part)}


@pytest.mark.parametrize(
    ("wanted", "reads"),
    [("es", "es"), ("es-MX", "es"), ("am", "en"), ("", "en"), (None, "en"), ("e", "en")],
)
def test_a_language_of_a_country_is_read_as_the_language(wanted: str | None, reads: str) -> None:
    assert content.language_for(wanted, {"en", "es"}) == reads
    assert content.language_for(wanted, {"fr"}) is None


@given(st.text())
def test_what_goes_into_a_header_is_one_line(value: str) -> None:
    assert not any(c < " " or c in "\x7f\x85\u2028\u2029" for c in one_line(value))


def test_a_value_is_never_read_as_a_tag() -> None:
    one, two = "hc0123456789h0z", "hc0123456789h1z"
    assert fill(f"{one} {two}", {one: two, two: "x"}) == f"{two} x"
