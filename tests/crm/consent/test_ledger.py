"""What people said we may send: added to, never rewritten; files and providers only tighten."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.consent import queries, service
from crm.consent.models import ConsentEntry, ConsentSource, SuppressionReason
from crm.core.errors import Invalid, NotAllowed
from tests.factories import Make

TOPICS = ["news", "events", "volunteering", "giving"]
LINK = ConsentSource.LINK


@pytest.fixture
def person(make: Make) -> Alumnus:
    return make.alumnus()


def entries(session: Session, person: Alumnus) -> int:
    counted = select(func.count()).where(ConsentEntry.alumnus_id == person.id)
    return int(session.scalar(counted) or 0)


def test_without_a_word_only_topics_that_need_no_agreement_are_sent(
    session: Session, person: Alumnus
) -> None:
    found = queries.choices_of(session, person.id)
    assert found == {"news": True, "events": True, "volunteering": True, "giving": False}


def test_leaving_a_topic_twice_is_recorded_once(
    session: Session, person: Alumnus, now: datetime
) -> None:
    again = [
        service.withdraw(session, person.id, topic_key="news", source=LINK, at=now) for _ in "ab"
    ]
    assert again == [True, False]
    assert entries(session, person) == 1
    assert queries.choices_of(session, person.id)["news"] is False


def test_leaving_everything_covers_every_topic_even_those_once_agreed_to(
    session: Session, person: Alumnus, now: datetime
) -> None:
    service.grant(session, person.id, topic_key="giving", source=LINK, at=now)
    service.withdraw(session, person.id, topic_key=None, source=LINK, at=now)
    assert not any(queries.choices_of(session, person.id).values())
    assert queries.left_everything(session, person.id)


def test_coming_back_to_everything_is_no_agreement_to_what_needs_its_own(
    session: Session, person: Alumnus, now: datetime
) -> None:
    service.withdraw(session, person.id, topic_key=None, source=LINK, at=now)
    service.grant(session, person.id, topic_key=None, source=LINK, at=now)
    found = queries.choices_of(session, person.id)
    assert found == {"news": True, "events": True, "volunteering": True, "giving": False}


def test_one_statement_withdraws_for_many_and_counts_what_was_news(
    session: Session, make: Make, now: datetime
) -> None:
    people = [make.alumnus() for _ in range(3)]
    service.withdraw(session, people[0].id, topic_key="news", source=LINK, at=now)
    chosen = select(Alumnus.id).where(Alumnus.id.in_([p.id for p in people]))
    count = service.withdraw_many(
        session, chosen, topic_key="news", source=ConsentSource.IMPORT, at=now, reference="import:1"
    )
    assert count == 2


@pytest.mark.parametrize("source", [ConsentSource.IMPORT, ConsentSource.PROVIDER])
def test_a_file_or_a_provider_may_never_grant(
    session: Session, person: Alumnus, now: datetime, source: ConsentSource
) -> None:
    with pytest.raises(NotAllowed):
        service.grant(session, person.id, topic_key="news", source=source, at=now)
    with pytest.raises(NotAllowed):
        service.pause(session, person.id, until=None, source=source, at=now)


def test_staff_grant_only_with_the_words_that_were_said(
    session: Session, person: Alumnus, now: datetime
) -> None:
    with pytest.raises(Invalid, match="said"):
        service.grant(
            session, person.id, topic_key="giving", source=ConsentSource.STAFF, at=now, wording=" "
        )


def test_an_unknown_topic_is_refused(session: Session, person: Alumnus, now: datetime) -> None:
    with pytest.raises(Invalid, match="no topic"):
        service.withdraw(session, person.id, topic_key="weather", source=LINK, at=now)


@pytest.mark.parametrize(
    "statement", ["update consent_entry set state = 'granted'", "delete from consent_entry"]
)
def test_the_ledger_cannot_be_rewritten(
    session: Session, person: Alumnus, now: datetime, statement: str
) -> None:
    service.withdraw(session, person.id, topic_key="news", source=LINK, at=now)
    with pytest.raises(DatabaseError, match="only ever added to"), session.begin_nested():
        session.execute(text(statement))


def test_an_address_is_suppressed_whatever_its_spelling_and_the_graver_reason_stays(
    session: Session, now: datetime
) -> None:
    def add(address: str, reason: SuppressionReason) -> int:
        return service.suppress(session, [address], reason=reason, source="test", at=now)

    assert add(" Zoe@Mail.Example", SuppressionReason.COMPLAINED) == 1
    assert add("zoe@mail.example", SuppressionReason.IMPORTED) == 0
    assert session.scalar(select(queries.address_suppression("zoe@mail.example"))) == "complained"


def test_what_was_known_before_a_person_lifted_does_not_close_the_address_again(
    session: Session, now: datetime
) -> None:
    address = "zoe@mail.example"
    bounced = SuppressionReason.BOUNCED
    service.suppress(session, [address], reason=bounced, source="test", at=now)
    later = now + timedelta(days=1)
    assert service.lift(session, address, at=later)
    service.suppress(session, [address], reason=bounced, source="test", at=now)
    assert session.scalar(select(queries.address_suppressed(address))) is False
    service.suppress(session, [address], reason=bounced, source="test", at=later + timedelta(1))
    assert session.scalar(select(queries.address_suppressed(address))) is True


def test_a_file_may_lengthen_a_pause_and_never_shorten_it(
    session: Session, person: Alumnus, now: datetime
) -> None:
    def pause(until: date) -> bool:
        return service.pause(session, person.id, until=until, source=ConsentSource.IMPORT, at=now)

    assert pause(date(2027, 1, 1))
    assert not pause(date(2026, 12, 1))
    assert pause(date(2027, 2, 1))


Step = tuple[str, Any]
TIGHTENING = [ConsentSource.IMPORT, ConsentSource.PROVIDER]
other_sources: st.SearchStrategy[Step] = st.one_of(
    st.tuples(
        st.sampled_from(["withdraw", "grant"]),
        st.tuples(st.sampled_from([*TOPICS, None]), st.sampled_from(TIGHTENING)),
    ),
    st.tuples(st.just("suppress"), st.sampled_from(list(SuppressionReason))),
    st.tuples(st.just("pause"), st.sampled_from([None, date(2026, 10, 1), date(2027, 1, 1)])),
)
own_words = st.lists(
    st.tuples(st.sampled_from(["withdraw", "grant"]), st.sampled_from([*TOPICS, None])), max_size=4
)
ADDRESS = "law@mail.example"


def refused(session: Session, person: Alumnus) -> set[str]:
    """Everything that may not be sent, as one set that may only grow."""
    session.refresh(person)
    no = {key for key, yes in queries.choices_of(session, person.id).items() if not yes}
    if session.scalar(select(queries.address_suppressed(ADDRESS))):
        no.add("address")
    paused = person.paused_until or date(2026, 9, 1)
    return no | {f"day {n}" for n in range((paused - date(2026, 9, 1)).days)}


def take(session: Session, person: Alumnus, step: Step, at: datetime) -> None:
    verb, value = step
    try:
        if verb == "suppress":
            service.suppress(session, [ADDRESS], reason=value, source="test", at=at)
        elif verb == "pause":
            service.pause(session, person.id, until=value, source=TIGHTENING[0], at=at)
        else:
            act = service.withdraw if verb == "withdraw" else service.grant
            act(session, person.id, topic_key=value[0], source=value[1], at=at)
    except NotAllowed:
        pass


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=own_words, steps=st.lists(other_sources, min_size=1, max_size=6))
def test_nothing_a_file_or_provider_does_makes_more_sendable(
    session: Session, make: Make, now: datetime, before: list[Any], steps: list[Step]
) -> None:
    with session.begin_nested() as savepoint:
        person = make.alumnus(email=None)
        for verb, topic in before:
            act = service.withdraw if verb == "withdraw" else service.grant
            act(session, person.id, topic_key=topic, source=LINK, at=now)
        no = refused(session, person)
        for step in steps:
            take(session, person, step, now)
            after = refused(session, person)
            assert no <= after
            no = after
        savepoint.rollback()
