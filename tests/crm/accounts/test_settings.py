"""Accounts on the settings pages: one’s own, those of others, their sessions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts import service
from crm.accounts.models import AuditEntry, StaffSession, User, UserScope
from crm.accounts.sessions import start_session
from crm.core.errors import Conflict
from crm.core.viewer import SYSTEM, Role
from crm.mail.models import Message
from tests.factories import Make

Login = Callable[[User], FlaskClient]


def test_everybody_may_change_their_own_name_and_language(
    login_as: Login, session: Session, make: Make
) -> None:
    user = make.user(Role.VIEWER, name="Bo")
    client = login_as(user)
    answer = client.post("/settings", data={"name": "Bo  Ek", "language": "es"})
    assert answer.status_code == 303
    assert (user.name, user.language) == ("Bo Ek", "es")
    assert 'lang="es"' in client.get("/settings").text


@pytest.mark.parametrize(
    "data", [{"name": ""}, {"name": "x" * 121}, {"name": "A", "language": "tlh"}]
)
def test_a_bad_name_or_language_is_refused_on_the_page(
    login_as: Login, make: Make, data: dict[str, str]
) -> None:
    user = make.user(name="Bo")
    answer = login_as(user).post("/settings", data={"language": "en", **data})
    assert answer.status_code == 200
    assert "hc-" in answer.text
    assert user.name == "Bo"


def test_i_can_end_a_session_of_mine_and_nobody_elses(
    login_as: Login, session: Session, make: Make, now: datetime
) -> None:
    user, other = make.user(), make.user()
    client = login_as(user)
    start_session(session, user, at=now, agent="Old laptop")
    start_session(session, other, at=now)
    mine = session.scalars(select(StaffSession).where(StaffSession.agent == "Old laptop")).one()
    theirs = session.scalars(select(StaffSession).where(StaffSession.user_id == other.id)).one()
    assert "Old laptop" in client.get("/settings").text
    assert client.post(f"/settings/sessions/{mine.id}/end").status_code == 303
    assert "Old laptop" not in client.get("/settings").text
    assert client.post(f"/settings/sessions/{theirs.id}/end").status_code == 404
    assert client.post(f"/settings/sessions/{10**30}/end").status_code == 404
    session.refresh(theirs)
    assert theirs.ended_at is None


def test_a_coordinator_sees_and_ends_the_sessions_of_an_account(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    user, other = make.user(Role.VIEWER), make.user(Role.VIEWER)
    for owner, agent in ((user, "Lost phone"), (user, "Old laptop"), (other, "Elsewhere")):
        start_session(session, owner, at=now, agent=agent)
    session.commit()
    rows = {row.agent: row for row in session.scalars(select(StaffSession))}
    page = f"/settings/users/{user.id}"
    lost, elsewhere = rows["Lost phone"], rows["Elsewhere"]
    assert "Lost phone" in coordinator.get(page).text
    assert coordinator.post(f"{page}/sessions/{lost.id}/end").status_code == 303
    shown = coordinator.get(page).text
    assert "Lost phone" not in shown
    assert "Old laptop" in shown
    assert coordinator.post(f"{page}/sessions/{elsewhere.id}/end").status_code == 404
    assert coordinator.post(f"{page}/sessions/end").status_code == 303
    assert "They are signed in nowhere." in coordinator.get(page).text
    session.expire_all()
    assert elsewhere.ended_at is None
    noted = select(AuditEntry.action).where(AuditEntry.object_id == str(user.id))
    assert list(session.scalars(noted.order_by(AuditEntry.id))) == [
        "user.session_ended", "user.sessions_ended",
    ]  # fmt: skip


def test_nobody_but_a_coordinator_ends_the_sessions_of_others(
    login_as: Login, session: Session, make: Make, now: datetime
) -> None:
    other = make.user(Role.VIEWER)
    start_session(session, other, at=now, agent="Elsewhere")
    client = login_as(make.user(Role.VIEWER))
    theirs = session.scalars(select(StaffSession).where(StaffSession.user_id == other.id)).one()
    base = f"/settings/users/{other.id}/sessions"
    assert client.post(f"{base}/{theirs.id}/end").status_code in {403, 404}
    assert client.post(f"{base}/end").status_code in {403, 404}
    session.refresh(theirs)
    assert theirs.ended_at is None


def test_the_audit_keeps_what_an_account_was_before_and_after(
    login_as: Login, session: Session, make: Make
) -> None:
    client = login_as(make.user(Role.VIEWER, name="Bo"))
    client.post("/settings", data={"name": "Bo Ek", "language": "es"})
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "user.edited")).one()
    assert entry.detail == {
        "before": {"name": "Bo", "language": "en"},
        "after": {"name": "Bo Ek", "language": "es"},
    }


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (X11; CrOS x86_64) Chrome/140.0 Safari/537.36", "Chrome on Chromebook"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 15.5) Firefox/142.0", "Firefox on Mac"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "Unknown device"),
    ],
)
def test_a_device_is_named_in_words(
    login_as: Login, session: Session, make: Make, now: datetime, agent: str, words: str
) -> None:
    user = make.user()
    client = login_as(user)
    start_session(session, user, at=now, agent=agent)
    page = client.get("/settings").text
    assert words in page
    assert "Mozilla" not in page


@pytest.mark.parametrize("role", [Role.LIAISON, Role.SCHOOL, Role.VIEWER])
@pytest.mark.parametrize(
    "path", ["/settings/users", "/settings/users/invite", "/settings/installation", "/audit"]
)
def test_only_coordinators_manage_accounts(
    login_as: Login, make: Make, role: Role, path: str
) -> None:
    assert login_as(make.user(role)).get(path).status_code == 403


def test_an_invitation_makes_an_account_and_mails_its_link(
    coordinator: FlaskClient, session: Session, make: Make, client: FlaskClient
) -> None:
    school = make.school("Grady High")
    data = {"email": "New@District.example", "role": "school", "schools": [school.id]}
    answer = coordinator.post("/settings/users/invite", data=data)
    user = session.scalars(select(User).where(User.email == "new@district.example")).one()
    link = session.scalars(select(Message).where(Message.to_address == user.email)).one()
    assert link.merge["sign_in_link"] in answer.text
    assert session.scalars(select(UserScope.school_id)).all() == [school.id]
    actions = set(session.scalars(select(AuditEntry.action)))
    assert actions >= {"user.invited", "user.access_changed"}
    assert "Grady High" in coordinator.get("/settings/users").text


@pytest.mark.parametrize(
    "data",
    [
        {"email": "no address", "role": "coordinator"},
        {"email": "a@district.example", "role": "school"},
        {"email": "a@district.example", "role": "king"},
        {"email": "a@district.example", "role": "school", "schools": "999999"},
        {"email": "a@district.example", "role": "school", "schools": "x"},
        {"email": "a@district.example\x00", "role": "liaison", "clusters": str(10**30)},
        {"email": "x" * 100_000, "role": "coordinator"},
    ],
)
def test_a_bad_invitation_changes_nothing(
    coordinator: FlaskClient, session: Session, data: dict[str, str]
) -> None:
    assert coordinator.post("/settings/users/invite", data=data).status_code == 200
    assert len(session.scalars(select(User)).all()) == 1
    assert session.scalars(select(Message)).all() == []


def test_a_change_of_scope_holds_for_the_next_page(
    session: Session, make: Make, now: datetime, login_as: Login
) -> None:
    cluster = make.cluster()
    school, other = make.school(cluster=cluster), make.school()
    user = make.user(Role.SCHOOL, school=other)
    service.set_access(
        session, user, role=Role.LIAISON, school_ids=(), cluster_ids=(cluster.id,), by=SYSTEM,
        at=now,
    )  # fmt: skip
    client = login_as(user)
    with client:
        client.get("/settings")
        from flask_login import current_user  # noqa: PLC0415 - bound to the request above

        assert current_user.viewer.school_ids == {school.id}
        assert current_user.viewer.role is Role.LIAISON


def test_the_last_coordinator_stays(session: Session, make: Make, now: datetime) -> None:
    only = make.user()
    with pytest.raises(Conflict):
        service.deactivate(session, only, by=SYSTEM, at=now)
    with pytest.raises(Conflict):
        service.set_access(
            session, only, role=Role.VIEWER, school_ids=(), cluster_ids=(), by=SYSTEM, at=now
        )


def test_nobody_closes_their_own_account(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    make.user()
    me = session.scalars(select(User).order_by(User.id)).first()
    assert me is not None
    assert coordinator.post(f"/settings/users/{me.id}/deactivate").status_code == 409
    assert me.active


def test_an_account_page_closes_and_opens_an_account(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    user = make.user(Role.VIEWER)
    assert coordinator.get(f"/settings/users/{user.id}").status_code == 200
    coordinator.post(f"/settings/users/{user.id}/deactivate")
    session.refresh(user)
    assert not user.active
    assert coordinator.post(f"/settings/users/{user.id}/link").status_code == 409
    coordinator.post(f"/settings/users/{user.id}/reactivate")
    session.refresh(user)
    assert user.active
    assert coordinator.get(f"/settings/users/{10**30}").status_code == 404
