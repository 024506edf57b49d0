"""A change to many people: looked at, done to them and nobody else, taken back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry, User
from crm.alumni.models import Alumnus, Interest, InterestKind
from crm.bulk import background
from crm.bulk.models import BulkState, Fate
from crm.consent.models import ConsentSource
from crm.consent.queries import choices_of
from crm.consent.service import withdraw
from crm.core.viewer import Role
from crm.imports.models import CustomField
from tests.crm.bulk.asking import WAY, ask, fates, press, run_of
from tests.factories import Make

Login = Callable[[User], FlaskClient]


def ways_of(session: Session, person: Alumnus) -> dict[str, str]:
    rows = session.execute(
        select(Interest.key, Interest.source).where(
            Interest.alumnus_id == person.id, Interest.kind == InterestKind.WAY
        )
    )
    return dict(rows.all())


def test_a_change_is_looked_at_first_and_then_done_to_those_people_and_nobody_else(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    ana, bob = make.alumnus("Ana", class_year=2015), make.alumnus("Bob", class_year=2015)
    has = make.alumnus("Has", class_year=2015, ways=("mentor",))
    dead = make.alumnus("Dead", class_year=2015, deceased=True)
    other = make.alumnus("Other", class_year=2016)
    run_id = ask(coordinator, WAY, q="class:2015")
    run = run_of(session, run_id)
    assert run.state is BulkState.READY
    assert run.totals == {"change": 2, "same": 1, "kept": 1, "kept:deceased": 1}
    assert ways_of(session, ana) == {}
    page = coordinator.get(f"/bulk/{run_id}").text
    for told in ("Set “", "Ana", "left alone: deceased – 1", "nothing is changed yet"):
        assert told in page
    late = make.alumnus("Late", class_year=2015)
    press(coordinator, run_id, "apply")
    assert run_of(session, run_id).totals == {"done": 2, "same": 1, "kept": 1, "kept:deceased": 1}
    for person in (ana, bob):
        assert ways_of(session, person) == {"mentor": f"bulk:{run_id}"}
    for person in (late, other, dead):
        assert ways_of(session, person) == {}
    assert ways_of(session, has) == {"mentor": ""}
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "bulk.applied")).one()
    assert (entry.detail["query"], entry.detail["totals"]["done"]) == ("class:2015", 2)


def test_only_those_chosen_by_hand_are_changed(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    ana, bob, cyd = (make.alumnus(name) for name in ("Ana", "Bob", "Cyd"))
    # An id of another system that reads like our number names nobody here.
    make.alumnus("Trap", external_id=str(ana.id))
    page = coordinator.get("/bulk/new", query_string={"q": "", "id": [ana.id, bob.id]}).text
    assert "2 people, chosen by hand" in page
    run_id = ask(coordinator, WAY, id=[str(ana.id), str(bob.id), "999999999", "x"])
    assert set(fates(session, run_id)) == {ana.id, bob.id}
    nobody = ask(coordinator, WAY, chosen="1")
    assert fates(session, nobody) == {}
    assert cyd.id not in fates(session, run_id)


def test_what_changed_since_stays_when_a_change_is_taken_back_and_is_listed(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    make.save(CustomField(key="club", label="Club", created_at=make.at))
    ana = make.alumnus("Ana", custom={"club": "chess", "x": "1"})
    bob, cyd = make.alumnus("Bob", custom={"x": "2"}), make.alumnus("Cyd")
    data = {"action": "custom", "key": "club", "doing": "set", "value": "choir"}
    run_id = ask(coordinator, data)
    press(coordinator, run_id, "apply")
    for person in (ana, bob, cyd):
        session.refresh(person)
        assert person.custom["club"] == "choir"
        assert person.updated_at == make.at
    cyd.custom = {"club": "band"}
    session.commit()
    press(coordinator, run_id, "undo")
    for person in (ana, bob, cyd):
        session.refresh(person)
    assert ana.custom == {"club": "chess", "x": "1"}
    assert bob.custom == {"x": "2"}
    assert cyd.custom == {"club": "band"}
    assert ana.updated_at == ana.created_at
    run = run_of(session, run_id)
    assert (run.state, run.totals) == (
        BulkState.UNDONE, {"back": 2, "stays": 1, "stays:since": 1},
    )  # fmt: skip
    page = coordinator.get(f"/bulk/{run_id}?fate=stays").text
    assert "Cyd" in page
    assert "changed by somebody since" in page
    assert "Ana" not in page


@pytest.mark.parametrize(
    "data",
    [
        {"action": "do_not_contact"},
        {"action": "withdraw", "topic": "events", "wording": "they wrote"},
        {"action": "withdraw", "topic": "*", "wording": ""},
    ],
)
def test_what_protects_people_is_done_in_bulk_and_never_taken_back_in_bulk(
    coordinator: FlaskClient, make: Make, session: Session, data: dict[str, str]
) -> None:
    ana, bob = make.alumnus("Ana"), make.alumnus("Bob", do_not_contact=True)
    withdraw(session, bob.id, topic_key=None, source=ConsentSource.LINK, at=make.at)
    run_id = ask(coordinator, data)
    assert run_of(session, run_id).totals == {"change": 1, "same": 1}
    press(coordinator, run_id, "apply")
    page = coordinator.get(f"/bulk/{run_id}").text
    assert "This stays" in page
    assert "Take it back" not in page
    refused = coordinator.post(f"/bulk/{run_id}/undo")
    assert refused.status_code == 409
    session.refresh(ana)
    if data["action"] == "do_not_contact":
        assert ana.do_not_contact
    else:
        assert choices_of(session, ana.id)["events"] is False
        reference = session.scalars(
            text("select reference from consent_entry where alumnus_id = :id").bindparams(id=ana.id)
        )
        assert set(reference) == {f"bulk:{run_id}"}
    assert "grant" not in " ".join(session.scalars(select(AuditEntry.action)))


def test_a_liaison_touches_only_their_own_people(
    make: Make, login_as: Login, session: Session
) -> None:
    school, elsewhere = make.school(), make.school()
    own, other = make.alumnus("Own", school=school), make.alumnus("Other", school=elsewhere)
    both = make.alumnus("Leaves", school=school)
    liaison = make.user(Role.LIAISON, school=school)
    browser = login_as(liaison)
    run_id = ask(browser, WAY, id=[str(p.id) for p in (own, other, both)])
    assert set(fates(session, run_id)) == {own.id, both.id}
    session.execute(
        text("update schooling set school_id = :there where alumnus_id = :id").bindparams(
            there=elsewhere.id, id=both.id
        )
    )
    session.commit()
    press(browser, run_id, "apply")
    assert fates(session, run_id) == {own.id: Fate.DONE, both.id: Fate.KEPT}
    assert ways_of(session, both) == {}
    colleague = login_as(make.user(Role.LIAISON, school=school))
    for answer in (
        colleague.get(f"/bulk/{run_id}"), colleague.post(f"/bulk/{run_id}/undo"),
    ):  # fmt: skip
        assert answer.status_code == 404
    assert login_as(make.user(Role.VIEWER)).get(f"/bulk/{run_id}").status_code == 403
    assert login_as(make.user()).get(f"/bulk/{run_id}").status_code == 200


def test_an_account_that_may_no_longer_edit_changes_nobody(
    make: Make, login_as: Login, session: Session
) -> None:
    make.user()
    user = make.user()
    person = make.alumnus()
    browser = login_as(user)
    run_id = ask(browser, WAY)
    browser.post(f"/bulk/{run_id}/apply")
    user.active = False
    session.commit()
    background.work(run_id)
    run = run_of(session, run_id)
    assert (run.state, ways_of(session, person)) == (BulkState.STOPPED, {})
    assert "no longer edit" in (run.error or "")
