"""Tokens: signed, for one purpose, for a time, revocable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from crm.links.service import revoke_links
from crm.links.tokens import LIFETIMES, LinkExpired, LinkInvalid, issue, open_link, read
from tests.factories import Make

AT = datetime(2026, 9, 15, 15, 0, 30, tzinfo=UTC)
PURPOSES = sorted(LIFETIMES)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
quick = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ids = st.integers(1, 2**63 - 1)


@pytest.fixture(autouse=True)
def inside(app: Flask) -> object:
    with app.app_context():
        yield


@quick
@given(
    purpose=st.sampled_from(PURPOSES), person=ids, epoch=st.integers(0, 10**6),
    point=st.none() | ids, message=st.none() | st.uuids(), subject=st.none() | ids,
)  # fmt: skip
def test_a_token_says_what_was_put_into_it(
    purpose: str, person: int, epoch: int, point: int | None, message: UUID | None,
    subject: int | None,
) -> None:  # fmt: skip
    token = issue(
        purpose, alumnus_id=person, epoch=epoch, at=AT, contact_point_id=point,
        message_id=message, subject=subject,
    )  # fmt: skip
    claim = read(token, purpose, at=AT)
    assert (claim.alumnus_id, claim.epoch, claim.contact_point_id) == (person, epoch, point)
    assert (claim.message_id, claim.subject) == (message, subject)
    assert claim.issued_at == AT.replace(second=0)


def test_a_usual_token_is_short() -> None:
    token = issue(
        "profile", alumnus_id=1_000_000, epoch=0, at=AT, contact_point_id=1_500_000,
        message_id=uuid4(),
    )  # fmt: skip
    assert len(token) < 100


def usual(purpose: str = "profile") -> str:
    return issue(
        purpose, alumnus_id=4711, epoch=2, at=AT, contact_point_id=99,
        message_id=UUID("a" * 32), subject=7,
    )  # fmt: skip


def test_a_token_with_any_letter_changed_is_none() -> None:
    token = usual()
    for place in range(len(token)):
        for letter in ("A", "z", "0", "-", ".", "é", "\x00"):
            changed = token[:place] + letter + token[place + 1 :]
            if changed != token:
                with pytest.raises(LinkInvalid):
                    read(changed, "profile", at=AT)


def test_every_other_last_letter_is_refused() -> None:
    token = usual()
    for letter in ALPHABET.replace(token[-1], ""):
        with pytest.raises(LinkInvalid):
            read(token[:-1] + letter, "profile", at=AT)


@quick
@given(noise=st.text(max_size=400))
def test_noise_is_no_token(noise: str) -> None:
    for purpose in PURPOSES:
        with pytest.raises(LinkInvalid):
            read(noise, purpose, at=AT)


@quick
@given(cut=st.integers(0, 88), tail=st.text(ALPHABET + ".=", max_size=8))
def test_a_token_cut_or_lengthened_is_none(cut: int, tail: str) -> None:
    token = usual()
    changed = token[:cut] + tail
    if changed != token:
        with pytest.raises(LinkInvalid):
            read(changed, "profile", at=AT)


@pytest.mark.parametrize("issued", PURPOSES)
@pytest.mark.parametrize("opened", [*PURPOSES, "sign-in", "", "Profile"])
def test_a_token_holds_for_its_own_purpose_only(issued: str, opened: str) -> None:
    if issued == opened:
        assert read(usual(issued), opened, at=AT).purpose == issued
    else:
        with pytest.raises(LinkInvalid):
            read(usual(issued), opened, at=AT)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_token_ends_with_its_time(purpose: str) -> None:
    token = usual(purpose)
    end = read(token, purpose, at=AT).expires_at
    read(token, purpose, at=end - timedelta(seconds=1))
    with pytest.raises(LinkExpired) as caught:
        read(token, purpose, at=end)
    assert caught.value.claim.alumnus_id == 4711


def test_an_unsubscribe_link_outlives_four_hundred_days() -> None:
    assert LIFETIMES["unsubscribe"] >= timedelta(days=400)
    read(usual("unsubscribe"), "unsubscribe", at=AT + timedelta(days=400))


def test_another_installation_signs_otherwise(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    token = usual()
    monkeypatch.setitem(app.config, "SECRET_KEY", "of-another-installation-0123456789")
    with pytest.raises(LinkInvalid):
        read(token, "profile", at=AT)


def test_one_number_revokes_every_link(session: Session, make: Make, now: datetime) -> None:
    person = make.alumnus()
    tokens = {p: issue(p, alumnus_id=person.id, epoch=0, at=now) for p in PURPOSES}
    for purpose, token in tokens.items():
        assert open_link(session, token, purpose, at=now).alumnus is person
    revoke_links(session, person, by=None, at=now)
    for purpose, token in tokens.items():
        with pytest.raises(LinkExpired):
            open_link(session, token, purpose, at=now)
    fresh = issue("profile", alumnus_id=person.id, epoch=person.link_epoch, at=now)
    assert open_link(session, fresh, "profile", at=now).alumnus is person


def test_the_link_of_a_merged_record_opens_the_one_that_stands_for_it(
    session: Session, make: Make, now: datetime
) -> None:
    kept = make.alumnus()
    middle = make.alumnus(merged_into_id=kept.id)
    gone = make.alumnus(merged_into_id=middle.id)
    token = issue("profile", alumnus_id=gone.id, epoch=0, at=now)
    assert open_link(session, token, "profile", at=now).alumnus.id == kept.id


def test_the_link_of_an_erased_person_opens_nothing(session: Session, now: datetime) -> None:
    token = issue("profile", alumnus_id=2**62, epoch=0, at=now)
    with pytest.raises(LinkInvalid):
        open_link(session, token, "profile", at=now)
