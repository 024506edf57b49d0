"""Lost classmates: nothing learnt by naming them, one invitation a year, a note for the office."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.consent import service as consent
from crm.consent.models import SuppressionReason
from crm.core import clock
from crm.core.viewer import Role
from crm.door import gate
from crm.door.forms import clean_name
from crm.door.models import ClassmateNote, NoteState
from crm.mail.models import Message
from tests.factories import Make

FORM = "/join/find-a-classmate"
Letters = Callable[..., Sequence[Message]]


def named(at: datetime, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Tomás Rivera", "school": "", "year": "", "hint": "", "sender": "Noor Vega",
        "email": "tomas@mail.example", "website": "",
        "stamp": gate.stamp(at - timedelta(seconds=10)),
    } | changes  # fmt: skip


def test_an_invitation_goes_once_a_year_in_our_own_words_and_the_address_is_forgotten(
    client: FlaskClient, session: Session, letters: Letters, now: datetime
) -> None:
    for days in (0, 30, 364, 366):
        at = now + timedelta(days=days)
        with clock.at(at):
            client.post(FORM, data=named(at, hint="ask him about the band"))
        letters(at)
    sent = letters(now + timedelta(days=367))
    assert [(m.queued_at - now).days for m in sent] == [0, 366]
    assert {m.merge["sender_name"] for m in sent} == {"Noor Vega"}
    assert not session.scalars(select(ClassmateNote)).all()


def test_neither_the_known_nor_the_suppressed_are_invited_and_the_answer_is_the_same(
    client: FlaskClient, session: Session, make: Make, letters: Letters, now: datetime,
    queries: list[str],
) -> None:  # fmt: skip
    make.alumnus(email="known@mail.example")
    for reason in SuppressionReason:
        consent.suppress(
            session, [f"{reason.value}@mail.example"], reason=reason, source="test", at=now
        )
    seen = []
    for name in ("warm-up", "new", "known", *(reason.value for reason in SuppressionReason)):
        queries.clear()
        answer = client.post(FORM, data=named(now, email=f"{name}@mail.example"))
        page = client.get(answer.headers["Location"])
        work = [q for q in queries if "SAVEPOINT" not in q]
        seen.append((answer.status_code, answer.text, page.text, work))
    assert all(each == seen[1] for each in seen[2:])
    to = {m.to_address for m in letters()}
    assert to == {"warm-up@mail.example", "new@mail.example"}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Noor Vega", "Noor Vega"), ("O’Brien-Núñez", "O’Brien-Núñez"), ("ሰላም", "ሰላም"),
        ("evil.example", "evil. example"), ("[x](y) <b>", "x y b"), ("a\r\nBcc: b", "a Bcc b"),
        ("n" * 90, "n" * 60),
    ],
)  # fmt: skip
def test_a_senders_name_carries_nothing_that_could_be_followed(written: str, kept: str) -> None:
    assert clean_name(written) == kept


@pytest.mark.parametrize("sender", ["www.x.example/win", "me@x.example", "call 555", "!!!"])
def test_a_sender_who_is_no_name_is_asked_again(
    client: FlaskClient, session: Session, now: datetime, sender: str
) -> None:
    assert client.post(FORM, data=named(now, sender=sender)).status_code == 422
    assert not session.scalars(select(ClassmateNote)).all()


def test_without_an_address_the_office_gets_a_note_and_deals_with_it(
    coordinator: FlaskClient, session: Session, letters: Letters, now: datetime
) -> None:
    coordinator.post(FORM, data=named(now, email="", hint="He moved to Macon"))
    assert list(letters()) == []
    page = coordinator.get("/classmates").text
    assert "Tomás Rivera" in page
    assert "He moved to Macon" in page
    assert "lost classmate" in coordinator.get("/").text
    note = session.scalars(select(ClassmateNote)).one()
    coordinator.post(f"/classmates/{note.id}/end", data={"state": "done"})
    assert "Tomás Rivera" not in coordinator.get("/classmates").text
    assert "Tomás Rivera" in coordinator.get("/classmates?show=ended").text
    coordinator.post(f"/classmates/{note.id}/end", data={"state": "open"})
    session.refresh(note)
    assert (note.state, note.ended_at) == (NoteState.OPEN, None)


def test_a_liaison_sees_the_notes_of_the_cluster_and_no_others(
    make: Make, login_as: Callable[[User], FlaskClient], client: FlaskClient, session: Session,
    now: datetime,
) -> None:  # fmt: skip
    mine, other = make.cluster(), make.cluster()
    here, there = make.school(cluster=mine), make.school(cluster=other)
    for name, school in (("Here", here), ("There", there)):
        client.post(FORM, data=named(now, name=name, email="", school=str(school.id)))
    client.post(FORM, data=named(now, name="Nowhere", email=""))
    liaison = login_as(make.user(Role.LIAISON, cluster=mine))
    page = liaison.get("/classmates").text
    assert "Here" in page
    assert "There" not in page
    assert "Nowhere" not in page
    foreign = session.scalars(select(ClassmateNote).where(ClassmateNote.name == "There")).one()
    answer = liaison.post(f"/classmates/{foreign.id}/end", data={"state": "done"})
    assert answer.status_code == 404
