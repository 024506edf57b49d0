"""Every change leaves its entry in the audit trail, whoever wrote the route."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from crm.accounts.models import LOOKED, AuditEntry, User
from crm.core.viewer import Role
from crm.mail.models import Message
from tests.factories import Make
from tests.rules.district import MESSAGE, District, addresses, seed
from tests.rules.test_limits import LIMITED, MAILS_ONCE

WELCOME = (Path(__file__).parents[2] / "journeys" / "welcome.yaml").read_text()

WITHOUT_ENTRY = {
    "accounts.sign_in": "asks for a mail; nothing is changed, and who asks is not known",
    "accounts.code": "a wrong code; the right one is an entry (tests/crm/accounts)",
    "accounts.enter_factor": "needs a half session; its entries: tests/crm/accounts/test_factor",
    "accounts.confirm_factor": "needs a factor; its entries: tests/crm/accounts/test_factor",
    "accounts.add_factor": "needs a code of an app; its entry: tests/crm/accounts/test_factor",
    "accounts.renew_codes": "needs a factor; its entry: tests/crm/accounts/test_factor",
    "accounts.oidc_sign_in": "needs a provider; its entry: tests/crm/accounts/test_oidc",
    "asks.answer": "the alumnus answers; the ask's own row and an interaction keep it",
    "bulk.again": "needs a run that failed; the work itself is an entry: tests/crm/bulk",
    "bulk.ask": "asks for a look at a change; the change is an entry: tests/crm/bulk",
    "bulk.undo": "needs a change that was made; its entry: tests/crm/bulk",
    "campaigns.test": "a letter to the writer; the message's own row keeps it",
    "campaigns.write": "content has immutable versions, each with its writer",
    "desk.send": "needs somebody who may be asked; its entry: tests/segments/desk",
    "exports.again": "needs an export that failed; its entries: tests/crm/exports",
    "exports.cancel": "needs an export of one's own that waits; its entry: tests/crm/exports",
    "exports.decline": "needs a reason and somebody else's export; its entry: tests/crm/exports",
    "exports.delete": "needs an export whose file stands; its entry: tests/crm/exports",
    "exports.fetch": "needs a file that was made; its entry: tests/crm/exports",
    "imports.apply": "asks a worker; what it does is an entry (tests/crm/imports)",
    "imports.check": "a dry run changes nothing",
    "imports.choose": "a mapping of a file that is not applied yet; the application is an entry",
    "join.classmate": "a word of somebody unknown; the note's own row keeps it: tests/crm/door",
    "join.join": "nothing is changed until the link is pressed, which is an entry",
    "join.offer": "the alumnus offers; the interest's own row and an interaction keep it",
    "join.senior": "nothing is changed until the link is pressed, which is an entry",
    "journeys.retry": "needs somebody who is stuck; its entry: tests/lifecycle/journeys",
    "journeys.check": "checks a text and keeps nothing",
    "links.fresh": "mails a link to the address we hold; the message's own row keeps it",
    "mail.sendgrid_events": "the provider's word, kept as it came",
    "mail.sendgrid_inbound": "a mail that came in, kept as an interaction",
    "portal.address": "asks for a code; the change that follows is an entry",
    "portal.address_code": "needs the mailed code; its entry: tests/crm/portal",
    "portal.undo": "needs the sealed state of a change just made, which is an entry itself",
    "portal.leave": "the consent ledger keeps it, with its source",
    "portal.unsubscribe": "the consent ledger keeps it, with its source",
}
"""Routes whose POST leaves no entry here, each with the reason."""

NOT_TAUGHT = frozenset(
    {
        "bulk.apply", "bulk.stop", "consent.add_topic", "consent.close", "consent.edit_topic",
        "consent.minors", "consent.move_topic", "consent.pause", "consent.record",
        "consent.restore_topic", "consent.retire_topic", "door.check_in", "door.undo",
        "duplicates.different", "duplicates.merge", "duplicates.undo", "event.answer",
        "events.edit", "events.export", "events.invite", "events.move", "events.new",
        "exports.approve", "exports.ask", "imports.cancel", "imports.partial", "imports.stop",
        "imports.tell_meanings", "imports.upload", "imports.use_mapping", "mappings.change",
        "mappings.change_field", "mappings.delete", "people_export.people", "rights.ask",
        "rights.code", "rights.decline", "rights.erase", "rights.hold", "rights.own_file",
        "rights.person_file", "rights.release", "rights.requests", "rights.save_schedule",
        "schools.bring", "schools.change", "schools.take_back"
    }
)  # fmt: skip
"""Routes whose forms this test does not know yet; their areas' own tests look at the entries."""

TAUGHT: dict[str, dict[str, Any]] = {
    "accounts.settings": {"name": "Another Name", "language": "es"},
    "accounts.invite": {"email": "new@district.example", "role": "coordinator", "name": "New"},
    "accounts.user": {"role": "coordinator"},
    "accounts.save_roles": {"granted": ["viewer:export"]},
    "asks.attendance": {"attended": "yes", "hours": "1", "pupils": "20"},
    "campaigns.new": {"name": "New", "query": "class:2015"},
    "campaigns.edit": {"name": "Another name"},
    "clearance.record": {"level": "2", "granted_on": "2026-09-01"},
    "consent.record": {
        "word-topic": "news",
        "word-state": "withdrawn",
        "word-wording": "No mail, please.",
    },
    "imports.upload": {"file": ("Name,Grad Year\nAda,2001\n", "new.csv")},
    "journeys.publish": {"text": WELCOME.replace("Welcome", "Welcome again")},
    "mail.decide": {"how": "sent", "message": str(MESSAGE)},
    "people.add_contact": {"kind": "email", "value": "new@mail.example", "owner": "own"},
    "people.edit": {"city": "Springfield"},
    "portal.save": {"city": "Springfield"},
    "requests.create": {"title": "A nurse", "date_1": "2026-10-20", "time_1": "10:00"},
    "requests.save": {"title": "A better judge", "date_1": "2026-10-20", "time_1": "10:00"},
    "requests.send_back": {"reason": "Which day?"},
    "saved.edit": {"name": "Mentors of today"},
    "saved.new": {"name": "New", "q": "way:mentor"},
    "seniors.rule": {"enough": "80"},
    "schools.bring": {"file": ("NCESSCH,SCH_NAME\n130012009999,New High\n", "schools.csv")},
}
"""What to type into a form whose own values would change nothing."""

BEFORE = {
    "accounts.reactivate": "update staff_user set active = false where name = 'Dara Viewer'",
    "asks.attendance": """update commitment set starts_at = starts_at - interval '30 days',
        ends_at = ends_at - interval '30 days'""",
    "campaigns.stop": "update campaign set state = 'sending', ended_at = null",
    "campaigns.unschedule": "update campaign set state = 'scheduled', started_at = null",
    "imports.cancel": "update import_run set state = 'checked'",
    "interactions.take_back": "update interaction set origin = 'hand'",
    "journeys.resume": "update journey set state = 'paused'",
    "mail.decide": "update message set state = 'uncertain'",
    "requests.approve": "update request set state = 'submitted'",
    "requests.send_back": "update request set state = 'submitted'",
    "requests.submit": "update request set state = 'draft'",
    "saved.thaw": "update segment set kind = 'frozen'",
}
"""What must be so before a route has anything to do."""


def test_every_post_leaves_an_entry_and_mails_within_a_limit(
    app: Flask, make: Make, session: Session, login_as: Callable[[User], FlaskClient]
) -> None:
    district = seed(make)
    coordinator = district.users[Role.COORDINATOR].id
    office = login_as(district.users[Role.COORDINATOR])
    forms = forms_of(app, district, office)
    silent, mailing = [], []
    for rule, address in addresses(app, district, "POST"):
        if rule.endpoint in WITHOUT_ENTRY or rule.endpoint in NOT_TAUGHT:
            continue
        fields = {**forms.get(address, {}), **taught(rule.endpoint)}
        login_as(session.get_one(User, coordinator))
        with put_back(session):
            if rule.endpoint in BEFORE:
                session.execute(text(BEFORE[rule.endpoint]))
                session.commit()
            before, letters = newest(session), mailed(session)
            answer = posted(office, address, fields)
            if newest(session) == before:
                silent.append(f"{rule.endpoint} answers {answer} and leaves no entry")
            if mailed(session) > letters and rule.endpoint not in {*LIMITED, *MAILS_ONCE}:
                mailing.append(rule.endpoint)
    hint = "record it (crm.accounts.audit), teach its form to TAUGHT, or say why in WITHOUT_ENTRY"
    assert not silent, "\n".join(["", *silent, hint])
    assert not mailing, "these mail without a limit (crm.core.throttle): see test_limits.py"


def test_the_reasons_are_of_routes_that_there_are(app: Flask) -> None:
    endpoints = {r.endpoint for r in app.url_map.iter_rules() if "POST" in (r.methods or ())}
    assert (set(WITHOUT_ENTRY) | set(TAUGHT) | NOT_TAUGHT) - endpoints == set()


@contextmanager
def put_back(session: Session) -> Iterator[None]:
    """Undo what is committed meanwhile: routes commit, and one must not disturb the next."""
    session.commit()
    connection = session.connection()
    session.commit()
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        session.rollback()
        session.expunge_all()
        savepoint.rollback()


def newest(session: Session) -> int:
    """The number of entries that people could make."""
    statement = select(func.count()).where(AuditEntry.action != LOOKED)
    return session.scalar(statement.select_from(AuditEntry)) or 0


def mailed(session: Session) -> int:
    """How many messages there are."""
    return session.scalar(select(func.count()).select_from(Message)) or 0


def taught(endpoint: str) -> dict[str, Any]:
    """Fields of its form by name; a text with a file name is sent as a file."""
    return {
        name: (io.BytesIO(value[0].encode()), value[1]) if isinstance(value, tuple) else value
        for name, value in TAUGHT.get(endpoint, {}).items()
    }


def posted(browser: FlaskClient, address: str, fields: dict[str, Any]) -> str:
    """What came of it, for whoever must mend it."""
    try:
        answer = browser.post(address, data=fields)
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:120]}"
    return f"{answer.status_code} {answer.headers.get('Location', '')}"


def forms_of(app: Flask, district: District, browser: FlaskClient) -> dict[str, dict[str, Any]]:
    """The fields of the forms on all pages with the values that they come with, by address."""
    found: dict[str, dict[str, Any]] = {}
    for _, address in addresses(app, district, "GET"):
        try:
            page = browser.get(address)
        except Exception:
            continue
        if page.mimetype != "text/html":
            continue
        for form in BeautifulSoup(page.text, "html.parser").find_all("form", method="post"):
            found.setdefault(str(form.get("action") or address), values_of(form))
    return found


def values_of(form: Tag) -> dict[str, Any]:
    """What a browser would send if one pressed the form's first button."""
    values: dict[str, list[str]] = {}

    def add(tag: Tag, value: object) -> None:
        if tag.get("name"):
            values.setdefault(str(tag["name"]), []).append(str(value or ""))

    for tag in form.find_all(["input", "textarea", "select"]):
        kind = tag.get("type", "text")
        if tag.name == "textarea":
            add(tag, tag.get_text().lstrip("\r\n"))
        elif tag.name == "select":
            chosen = tag.find_all("option", selected=True) or (
                [] if tag.has_attr("multiple") else tag.find_all("option")[:1]
            )
            for option in chosen:
                add(tag, option.get("value"))
        elif kind not in {"checkbox", "radio"} or tag.has_attr("checked"):
            add(tag, tag.get("value", "on" if kind == "checkbox" else ""))
    button = form.find("button", attrs={"name": True})
    if button is not None:
        add(button, button.get("value"))
    return {name: mine if len(mine) > 1 else mine[0] for name, mine in values.items()}
