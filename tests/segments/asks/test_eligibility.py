"""Law 6: nobody is asked who may not be; each obstacle alone, and random calendars."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from crm.accounts.access import viewer_for
from crm.alumni.models import Alumnus, ContactOwner, ContactPoint, ContactStatus, Interest
from crm.consent.models import ConsentSource, SuppressionReason
from crm.consent.service import suppress, withdraw
from crm.core.errors import Conflict, Invalid
from crm.core.viewer import SYSTEM, Role
from crm.mail.delivery import deliver
from crm.mail.models import Message, MessageClass, MessageState
from crm.mail.outbox import message_id
from segments.asks.eligibility import WORDS, need_of, why_not
from segments.asks.models import Ask, AskState, Commitment, CommitmentState
from segments.asks.rules import NEVER, hold_until, later_choices
from segments.asks.service import Pick, send_wave, settle_unsent
from segments.clearance.models import Clearance
from segments.clearance.rules import Grant, cleared, needed_level
from segments.requests.draft import Draft
from segments.requests.models import Place, RequestState, Supervision
from segments.requests.service import create_request
from tests.factories import Make
from tests.segments.story import ask, ask_of, make_request, make_speaker, slot

Change = Callable[[Make, Alumnus], Any]


def past_ask(make: Make, person: Alumnus, days_ago: int, state: AskState, **values: Any) -> Ask:
    asked_at = make.at - timedelta(days=days_ago)
    values = {"way_key": "speak", "answered_at": asked_at, "reasons": [], **values}
    return make.save(Ask(alumnus_id=person.id, state=state, asked_at=asked_at, **values))


def point_of(make: Make, person: Alumnus) -> ContactPoint:
    statement = select(ContactPoint).where(ContactPoint.alumnus_id == person.id)
    return make.session.scalars(statement).one()


def put(**values: Any) -> Change:
    """Set columns of the person."""

    def change(make: Make, person: Alumnus) -> None:
        for name, value in values.items():
            setattr(person, name, value)

    return change


def promised(make: Make, person: Alumnus) -> None:
    other = make_request(make, make.school(), days=(20,))
    earlier = past_ask(make, person, 90, AskState.ACCEPTED, request_id=other.id)
    times = slot(make.at, 20)
    make.save(
        Commitment(
            ask_id=earlier.id, request_id=other.id, alumnus_id=person.id, created_at=make.at,
            starts_at=times.starts_at, ends_at=times.ends_at, state=CommitmentState.PLANNED,
        )
    )  # fmt: skip


OBSTACLES: dict[str, Change] = {
    "way_not_offered": lambda make, person: make.session.execute(
        delete(Interest).where(Interest.alumnus_id == person.id)
    ),
    "deceased": put(deceased=True),
    "blocked": put(ferpa_block=True),
    "do_not_contact": put(do_not_contact=True),
    "under_age": put(birth_date=date(2009, 9, 16)),
    "paused": put(paused_until=date(2026, 9, 15)),
    "no_address": lambda make, person: setattr(
        point_of(make, person), "status", ContactStatus.BOUNCED
    ),
    "consent_withdrawn": lambda make, person: withdraw(
        make.session, person.id, topic_key="volunteering", source=ConsentSource.STAFF, at=make.at
    ),
    "said_never": lambda make, person: past_ask(
        make, person, 900, AskState.DECLINED, note="never", rest_until=NEVER,
        answered_at=make.at + timedelta(days=1),
    ),
    "said_later": lambda make, person: past_ask(
        make, person, 90, AskState.ACCEPTED, note="later", rest_until=date(2026, 9, 16)
    ),
    "being_asked": lambda make, person: ask(make, make_request(make, make.school()), person),
    "asked_lately": lambda make, person: past_ask(make, person, 59, AskState.NONE),
    "said_no_lately": lambda make, person: past_ask(make, person, 179, AskState.DECLINED),
    "asked_often": lambda make, person: [
        past_ask(make, person, 100 + n, AskState.NONE, way_key="mentor") for n in range(4)
    ],
    "not_cleared": lambda make, person: make.session.execute(
        delete(Clearance).where(Clearance.alumnus_id == person.id)
    ),
    "busy": promised,
}  # fmt: skip


@pytest.mark.parametrize("word", OBSTACLES)
def test_each_obstacle_keeps_a_person_from_being_asked(
    session: Session, make: Make, word: str
) -> None:
    request = make_request(make, make.school())
    person = make_speaker(make, "Ada")
    need = need_of(session, request, make.at)
    assert why_not(session, need, person.id) == []
    OBSTACLES[word](make, person)
    session.flush()
    assert word in why_not(session, need, person.id)
    assert word in WORDS
    before = session.scalar(select(func.count(Ask.id)))
    wave = ask(make, request, person)
    assert wave.asked == ()
    assert person.id in wave.left_out
    assert session.scalar(select(func.count(Ask.id))) == before


def test_an_address_of_a_parent_or_one_never_to_be_mailed_is_none(
    session: Session, make: Make
) -> None:
    request = make_request(make, make.school())
    ada, ben = make_speaker(make, "Ada"), make_speaker(make, "Ben")
    point_of(make, ada).owner = ContactOwner.PARENT
    suppress(
        session, [point_of(make, ben).value], reason=SuppressionReason.COMPLAINED, source="test",
        at=make.at,
    )  # fmt: skip
    need = need_of(session, request, make.at)
    assert why_not(session, need, ada.id) == ["no_address"]
    assert why_not(session, need, ben.id) == ["no_address"]


def test_the_contact_budget_of_all_schools_together_is_kept(
    app: Flask, session: Session, make: Make
) -> None:
    request = make_request(make, make.school())
    person = make_speaker(make, "Ada")
    need = need_of(session, request, make.at)
    version = ask(make, make_request(make, make.school()), make_speaker(make, "Ben"))
    assert version.asked
    for n in range(2):
        assert why_not(session, need, person.id) == []
        make.save(sent_message(session, make, person, n))
    assert why_not(session, need, person.id) == ["contact_budget"]


def sent_message(session: Session, make: Make, person: Alumnus, n: int) -> Message:
    """A campaign's letter that went to somebody yesterday."""
    one = session.scalars(select(Message)).first()
    yesterday = make.at - timedelta(days=1)
    return Message(
        id=message_id(f"news:{n}"), key=f"news:{n}", alumnus_id=person.id,
        message_class=MessageClass.MARKETING, origin="campaign:news",
        version_id=one.version_id if one else 0, state=MessageState.ACCEPTED,
        queued_at=yesterday, not_before=yesterday, accepted_at=yesterday,
    )  # fmt: skip


def test_an_interest_renewed_after_a_never_counts_again(session: Session, make: Make) -> None:
    request = make_request(make, make.school())
    person = make_speaker(make, "Ada")
    past_ask(make, person, 900, AskState.DECLINED, note="never", rest_until=NEVER)
    assert why_not(session, need_of(session, request, make.at), person.id) == []


def test_a_no_to_one_way_is_no_no_to_another(session: Session, make: Make) -> None:
    request = make_request(make, make.school())
    person = make_speaker(make, "Ada")
    past_ask(make, person, 100, AskState.DECLINED, way_key="mentor")
    assert why_not(session, need_of(session, request, make.at), person.id) == []


def test_a_letter_that_never_went_costs_no_rest(app: Flask, session: Session, make: Make) -> None:
    person = make_speaker(make, "Ada")
    request = make_request(make, make.school())
    ask(make, request, person)
    person.do_not_contact = True
    session.commit()
    deliver(app, at=make.at)
    assert settle_unsent(session) == 1
    found = ask_of(session, person)
    assert (found.state, found.note) == (AskState.CANCELLED, "do_not_contact")
    person.do_not_contact = False
    session.flush()
    other = make_request(make, make.school())
    assert why_not(session, need_of(session, other, make.at), person.id) == []


def test_nobody_is_asked_without_the_school_s_approval(session: Session, make: Make) -> None:
    school = make.school()
    teacher = viewer_for(session, make.user(Role.SCHOOL, school=school))
    draft = Draft(school_id=school.id, way_key="speak", slots=(slot(make.at, 20),))
    request = create_request(session, draft, by=teacher, at=make.at)
    with pytest.raises(Conflict):
        ask(make, request, make_speaker(make, "Ada"))
    request.state = RequestState.APPROVED
    with pytest.raises(Invalid):
        send_wave(session, request, [], by=SYSTEM, at=make.at)
    with pytest.raises(Invalid):
        send_wave(session, request, [Pick(n) for n in range(60)], by=SYSTEM, at=make.at)
    with pytest.raises(Conflict):
        ask(make, request, make_speaker(make, "Ada"), at=make.at + timedelta(days=20))


days = st.integers(-30, 60)


@st.composite
def calendars(draw: Any) -> list[tuple[int, int, int, int | None, int | None]]:
    """Grants as (level, granted, length, revoked, school index), in days from today."""
    return draw(
        st.lists(
            st.tuples(
                st.integers(1, 3), st.integers(-60, 0), st.integers(1, 120),
                st.none() | days, st.none() | st.integers(0, 1),
            ),
            max_size=4,
        )
    )  # fmt: skip


@given(
    people=st.lists(calendars(), min_size=1, max_size=3),
    date_choices=st.lists(st.integers(2, 60), min_size=1, max_size=3, unique=True),
    supervision=st.sampled_from(list(Supervision)),
    place=st.sampled_from(list(Place)),
)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_ask_goes_to_anybody_who_lacks_clearance_on_every_date(
    session: Session, make: Make, people: Any, date_choices: Any, supervision: Any, place: Any
) -> None:
    with session.begin_nested() as undo:
        schools = make.school(), make.school()
        request = make_request(
            make, schools[0], days=tuple(date_choices), supervision=supervision, place=place
        )
        today = make.at.date()
        held: dict[int, list[Grant]] = {}
        asked = []
        for calendar in people:
            person = make.alumnus("Ada", ways=("speak",))
            asked.append(person)
            held[person.id] = []
            for level, granted, length, revoked, where in calendar:
                start = today + timedelta(days=granted)
                grant = Grant(
                    level, start, start + timedelta(days=length),
                    None if revoked is None else today + timedelta(days=revoked),
                    None if where is None else schools[where].id,
                )  # fmt: skip
                held[person.id].append(grant)
                make.save(Clearance(alumnus_id=person.id, recorded_at=make.at, **vars(grant)))
        wave = ask(make, request, *asked)
        level = needed_level(supervision, place)
        reached = set(session.scalars(select(Ask.alumnus_id).where(Ask.id.in_(wave.asked))))
        dates = [today + timedelta(days=n) for n in date_choices]
        for person in asked:
            may = any(
                cleared(held[person.id], level=level, on=on, school_id=schools[0].id)
                for on in dates
            )
            assert (person.id in reached) == may
        undo.rollback()


def test_holds_end_a_day_before_the_last_date_or_halfway(make: Make) -> None:
    at = make.at
    assert hold_until(at, [at + timedelta(days=20)]) == at + timedelta(hours=72)
    assert hold_until(at, [at + timedelta(days=2)]) == at + timedelta(days=1)
    assert hold_until(at, [at + timedelta(hours=20)]) == at + timedelta(hours=10)


@given(st.dates(date(2020, 1, 1), date(2060, 12, 31)))
def test_later_is_never_just_ahead(today: date) -> None:
    for day in later_choices(today).values():
        assert timedelta(days=45) <= day - today <= timedelta(days=45 + 366)
