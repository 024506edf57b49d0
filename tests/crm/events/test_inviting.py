"""Whom an invitation reaches, in which words, and how the audience adds up."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.consent.models import ConsentSource
from crm.consent.service import withdraw
from crm.core.errors import Conflict
from crm.core.viewer import SYSTEM, Role, Viewer
from crm.events import queries, service
from crm.events.inviting import invite, preview
from crm.events.plan import Plan
from crm.mail.delivery import deliver
from crm.mail.models import MailboxItem
from tests.crm.events.conftest import Planned, invitation, invited
from tests.crm.events.letters import DAY, steps
from tests.factories import Make


def test_inviting_again_invites_only_those_who_are_not_invited_yet(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned()
    for year in (2014, 2015, 2015):
        make.alumnus(class_year=year)
    first = invite(session, event, "class:2015", by=SYSTEM, at=make.at)
    assert (first.new, first.already) == (2, 0)
    seen = preview(session, event, "class:2014..2015", by=SYSTEM, at=make.at)
    assert (seen.count, seen.new, len(seen.sample)) == (3, 1, 1)
    again = invite(session, event, "class:2014..2015", by=SYSTEM, at=make.at + DAY)
    assert (again.new, again.already) == (1, 2)
    assert steps(session, event) == {"": 3}


def test_sent_and_skipped_by_reason_and_waiting_are_the_audience(
    app: Flask, session: Session, make: Make, planned: Planned
) -> None:
    event = planned()
    people = [make.alumnus() for _ in range(3)]
    people += [make.alumnus(email=None), make.alumnus(ferpa_block=True)]
    left = make.alumnus()
    withdraw(session, left.id, topic_key="events", source=ConsentSource.LINK, at=make.at)
    invited(session, make, event, *people, left)
    session.commit()
    before = queries.mail_report(session, event)
    assert (before.audience, before.waiting) == (6, 6)
    deliver(app, at=make.at)
    after = queries.mail_report(session, event)
    assert after.adds_up
    assert (after.audience, after.sent) == (6, 3)
    assert after.skipped == {"no_address": 1, "blocked": 1, "consent_withdrawn": 1}


def test_an_invitation_is_worded_in_the_language_of_its_reader(
    app: Flask, session: Session, make: Make, planned: Planned
) -> None:
    event = planned()
    make.alumnus("Rosa", language="es", email="rosa@mail.example")
    invite(session, event, "name:rosa", by=SYSTEM, at=make.at)
    session.commit()
    deliver(app, at=make.at)
    letter = session.scalars(select(MailboxItem)).one()
    words = " ".join(letter.substitutions.values())
    assert "Reunión de la clase" in words
    assert "martes 29 de septiembre" in words
    assert "/event/" in words


def test_the_audience_of_an_event_is_of_its_place(
    session: Session, make: Make, planned: Planned
) -> None:
    lincoln, other = make.school("Lincoln High"), make.school("Other High")
    mine = make.alumnus(school=lincoln)
    make.alumnus(school=other)
    event = planned(school_id=lincoln.id)
    assert invite(session, event, "class:2015", by=SYSTEM, at=make.at).new == 1
    assert invitation(session, event, mine).invited_at == make.at


def test_a_liaison_invites_no_further_than_their_schools(
    session: Session, make: Make, planned: Planned
) -> None:
    cluster = make.cluster()
    inside = [make.school(cluster=cluster) for _ in range(2)]
    for school in inside:
        make.alumnus(school=school)
    event = planned(cluster_id=cluster.id)
    part = Viewer(1, Role.LIAISON, school_ids=frozenset({inside[0].id}))
    assert preview(session, event, "class:2015", by=part, at=make.at).count == 1


def test_a_draft_and_a_closed_event_invite_nobody(session: Session, make: Make, plan: Plan) -> None:
    event = service.create(session, plan, by=SYSTEM, at=make.at)
    with pytest.raises(Conflict):
        invite(session, event, "class:2015", by=SYSTEM, at=make.at)
    service.open_event(session, event, by=SYSTEM, at=make.at)
    service.close(session, event, by=SYSTEM, at=make.at)
    with pytest.raises(Conflict):
        invite(session, event, "class:2015", by=SYSTEM, at=make.at)
