"""The audit trail: searched, in words, exported; looks at addresses once an hour; no secrets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.accounts.models import LOOKED, AuditEntry, SignInCode, User
from crm.accounts.signin import sign_in_link
from crm.core import clock
from crm.core.viewer import SYSTEM, Role
from crm.mail.models import Message
from tests.factories import Make

Login = Callable[[User], FlaskClient]


def rows(client: FlaskClient, **search: str) -> list[str]:
    """The lines of the page, each as one text."""
    answer = client.get("/audit", query_string=search)
    assert answer.status_code == 200
    table = BeautifulSoup(answer.text, "html.parser").find("tbody")
    found = table.find_all("tr") if table else []
    return [" ".join(row.get_text(" ", strip=True).split()) for row in found]


def looks(session: Session) -> list[tuple[str, str]]:
    statement = select(AuditEntry.object_id, AuditEntry.detail["where"].astext)
    statement = statement.where(AuditEntry.action == LOOKED).order_by(AuditEntry.id)
    return [(key, where) for key, where in session.execute(statement)]


def test_an_edit_is_shown_with_what_was_before_and_after(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    person = make.alumnus("Zoë", "Nuñez", city="Springfield")
    form = coordinator.get(f"/people/{person.id}/edit").text
    fields = BeautifulSoup(form, "html.parser").find("input", attrs={"name": "seen"})
    assert fields is not None
    data = {"seen": str(fields["value"]), "given_name": "Zoë", "family_name": "Nuñez"}
    data |= {"city": "Riverbend", "language": "en", "class_year": "2015"}
    coordinator.post(f"/people/{person.id}/edit", data=data)
    (line,) = rows(coordinator, action="alumnus.edited")
    assert "person Zoë Nuñez" in line
    assert "city: before Springfield → after Riverbend" in line


def test_the_trail_is_searched_by_person_actor_deed_and_day(
    login_as: Login, session: Session, make: Make, now: datetime
) -> None:
    ada, ben = make.user(name="Ada"), make.user(name="Ben")
    zoe, omar = make.alumnus("Zoë", "Nuñez"), make.alumnus("Omar", "Haddad")
    for n, (user, person) in enumerate([(ada, zoe), (ben, zoe), (ada, omar)]):
        session.add(
            AuditEntry(
                at=now - timedelta(days=n), user_id=user.id, action="links.revoked",
                object_kind="alumnus", object_id=str(person.id), detail={},
            )
        )  # fmt: skip
    audit.record(session, "import.applied", kind="import", key=7, by=SYSTEM, at=now)
    client = login_as(ada)
    assert len(rows(client)) == 4
    assert len(rows(client, person="nuñez")) == 2
    assert len(rows(client, person=f"id:{omar.id}")) == 1
    assert len(rows(client, who=str(ben.id))) == 1
    assert len(rows(client, who="program")) == 1
    assert len(rows(client, action="links.revoked")) == 3
    assert len(rows(client, kind="import")) == 1
    assert len(rows(client, key=str(zoe.id))) == 2
    day = f"{now - timedelta(days=1):%Y-%m-%d}"
    assert len(rows(client, since=day)) == 3
    assert len(rows(client, until=day)) == 2
    assert len(rows(client, since=day, until=day, person="zoe")) == 1
    assert rows(client, person="nobodyatall") == []


@pytest.mark.parametrize(
    "search",
    [{"person": "clas:2015"}, {"person": "("}, {"since": "soon"}, {"until": "9999-99-99"}],
)
def test_a_search_that_means_nothing_says_so(
    coordinator: FlaskClient, search: dict[str, str]
) -> None:
    answer = coordinator.get("/audit", query_string=search)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_the_trail_leaves_as_a_file_that_no_spreadsheet_runs_and_that_is_noted(
    login_as: Login, session: Session, make: Make, now: datetime
) -> None:
    user = make.user(name="=Ada()")
    client = login_as(user)
    audit.record(
        session, "user.edited", kind="user", key=user.id, by=SYSTEM, at=now,
        before={"name": "Ada"}, after={"name": "=Ada()"},
    )  # fmt: skip
    audit.record(session, "import.applied", kind="import", key=7, by=SYSTEM, at=now)
    session.commit()
    answer = client.post("/audit/export", data={"kind": "user", "action": "user.edited"})
    assert answer.mimetype == "text/csv"
    table = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["action"] for row in table] == ["user.edited"]
    assert json.loads(table[0]["before"]) == {"name": "Ada"}
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "audit.exported")).one()
    assert (entry.user_id, entry.detail["search"]["action"]) == (user.id, "user.edited")
    whole = client.post("/audit/export").text
    assert "'=Ada()" in whole
    assert ",=Ada()" not in whole


def test_a_look_at_a_persons_addresses_is_noted_once_an_hour(
    login_as: Login, session: Session, make: Make, now: datetime
) -> None:
    person, other = make.alumnus(), make.alumnus(email=None)
    client = login_as(make.user())
    for _ in range(3):
        assert client.get(f"/people/{person.id}").status_code == 200
    client.get(f"/people/{other.id}")
    client.get("/people")
    assert looks(session) == [(str(person.id), "person")]
    with clock.at(now + timedelta(minutes=59)):
        client.get(f"/people/{person.id}")
    assert len(looks(session)) == 1
    with clock.at(now + timedelta(minutes=60)):
        client.get(f"/people/{person.id}")
    assert len(looks(session)) == 2
    ben = make.user()
    login_as(ben).get(f"/people/{person.id}")
    assert len(looks(session)) == 3
    assert "looked at addresses" in rows(login_as(ben), person=f"id:{person.id}")[0]


def test_whoever_sees_no_addresses_leaves_no_look(
    login_as: Login, session: Session, make: Make
) -> None:
    school = make.school()
    person = make.alumnus(school=school)
    client = login_as(make.user(Role.SCHOOL, school=school))
    assert client.get(f"/people/{person.id}").status_code == 200
    assert client.get(f"/people/{make.alumnus().id}").status_code == 404
    assert looks(session) == []


def test_an_export_is_a_look_at_everybody_whose_address_is_in_it(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    people = [make.alumnus("Ana", class_year=2001) for _ in range(3)]
    make.alumnus("Ana", class_year=2001, ferpa_block=True)
    make.alumnus("Bo", class_year=2002)
    session.commit()
    for _ in range(2):
        assert coordinator.post("/people/export", data={"q": "class:2001"}).status_code == 200
    assert sorted(looks(session)) == sorted((str(p.id), "export") for p in people)


def test_no_code_link_or_secret_stands_in_the_trail(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    user = make.user(email="ada@district.example")
    client.post("/sign-in", data={"email": user.email})
    merge = session.scalars(select(Message.merge)).one()
    client.post("/sign-in/code", data={"code": merge["code"]})
    link = sign_in_link(session, user, at=now)
    session.commit()
    client.post(link.removeprefix("http://localhost"))
    new = {"email": "b@district.example", "role": "coordinator"}
    invited = client.post("/settings/users/invite", data=new).text
    printed = BeautifulSoup(invited, "html.parser").find("code")
    assert printed is not None
    client.post("/settings/second-factor/begin")
    secret = BeautifulSoup(client.get("/settings/second-factor").text, "html.parser").find(
        class_="hc-key"
    )
    assert secret is not None
    secrets = [merge["code"], merge["sign_in_link"], link, printed.get_text()]
    secrets += [url.rsplit("/", 1)[1] for url in secrets[1:]]
    secrets += [secret.get_text(), secret.get_text().replace(" ", "")]
    codes = session.scalars(select(SignInCode)).all()
    secrets += [text for row in codes for text in (row.token_hash, row.code_hash) if text]
    kept = [(e.action, e.object_id, e.detail) for e in session.scalars(select(AuditEntry))]
    text = json.dumps(kept)
    assert len(kept) >= 5
    assert [found for found in secrets if found in text] == []


def test_ids_keys_and_days_of_an_entry_become_names_and_words(
    coordinator: FlaskClient, login_as: Login, session: Session, make: Make, now: datetime
) -> None:
    old, new = make.school("Lincoln High"), make.school("Washington High")
    audit.record(
        session, "school.merged", kind="school", key=old.id, by=None, at=now, on="2026-09-01",
        other=new.id, before=None, after=None,
    )  # fmt: skip
    audit.record(
        session, "rights.rule_changed", kind="setting", key="rights", by=None, at=now, days=[30, 20]
    )
    session.commit()
    rule, merged = rows(coordinator)[:2]
    assert "changed how soon data requests are answered days: before 30 → after 20" in rule
    assert "became part of another : school Lincoln High" in merged
    assert "from the day: Sep 1, 2026" in merged
    assert "with: Washington High" in merged
    spanish = rows(login_as(make.user(language="es")))[1]
    assert "anotó que pasó a formar parte de otra : escuela Lincoln High" in spanish
    assert "desde el día: 1 sept 2026" in spanish
