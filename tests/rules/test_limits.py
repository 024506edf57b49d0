"""Everything that mails or guesses is limited, and says so with a page that helps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.core.viewer import Role
from tests.factories import Make
from tests.rules.district import addresses, rules, seed

LIMITED: dict[str, dict[str, Any]] = {
    "accounts.sign_in": {"email": "ada.coordinator@district.example"},
    "accounts.code": {"code": "000000"},
    "accounts.invite": {"email": "new@district.example", "role": "coordinator", "name": "New"},
    "accounts.fresh_link": {},
    "accounts.reset_factor": {},
    "campaigns.test": {},
    "links.fresh": {"purpose": "profile"},
    "portal.address": {"email": "new@mail.example"},
    "portal.address_code": {"code": "000000"},
}
"""Routes that mail or take guesses, with a form that does; each ends with 429."""

UNLIMITED = {
    "accounts.enter_factor": "limited; needs a half session: tests/crm/accounts/test_factor",
    "accounts.oidc_sign_in": "limited; needs a provider: tests/crm/accounts/test_oidc",
    "accounts.use_link": "a token of 256 random bits, good once",
    "accounts.sign_out": "ends one's own session",
    "asks.answer": "behind a signed link of one person and one ask; letters follow a change only",
    "event.answer": "behind a signed link of one person and one event",
    "join.join": "limited (crm/door/gate.py): tests/crm/door",
    "join.senior": "limited (crm/door/gate.py): tests/crm/door",
    "join.classmate": "limited (crm/door/gate.py): tests/crm/door",
    "join.confirm": "a token of 256 random bits; makes one record once",
    "join.offer": "behind a signed link; mails nobody",
    "rights.ask": "limited (crm/rights/wishes.py): tests/crm/rights",
    "rights.code": "needs the mailed code: tests/crm/rights",
    "rights.own_file": "behind a signed link, needs the mailed code: tests/crm/rights",
    "mail.sendgrid_events": "signed by the provider",
    "mail.sendgrid_inbound": "signed by the provider",
    "mentoring.say": "behind a signed link of one check-in; thanks once where it ends the pair",
    "portal.leave": "behind a signed link; stops mail",
    "portal.revoke": "behind a signed link, which it ends",
    "portal.save": "behind a signed link; mails nobody",
    "portal.undo": "behind a signed link; mails nobody",
    "portal.unsubscribe": "behind a signed link; stops mail, and mail programs may repeat it",
}
"""Routes that anybody may post to, and why they need no limit of their own."""

MAILS_ONCE = {
    "mentoring.close": "thanks one mentor once for one pair",
    "mentoring.end": "thanks one mentor once for one pair",
    "asks.attendance": "thanks one person once for one visit",
    "desk.take": "releases those who were asked, once, where fewer places are enough",
    "desk.unfilled": "tells one school, and those who were asked, once",
    "requests.approve": "tells one school of one decision",
    "requests.cancel": "tells those who had promised, once",
    "requests.send_back": "tells one school of one decision",
    "events.invite": "invites one person to one event once",
    "events.move": "tells those concerned of one change once",
    "rights.decline": "tells one person of one decision",
    "rights.erase": "tells one person once that they are forgotten",
    "portal.revoke": UNLIMITED["portal.revoke"],
}
"""What mails because a state changes, which it does once."""

MOST = 80


def test_whatever_anybody_may_post_to_is_limited_or_says_why_not(app: Flask) -> None:
    known = {*LIMITED, *UNLIMITED}
    open_ones = {
        rule.endpoint
        for rule in rules(app, "POST")
        if getattr(app.view_functions[rule.endpoint], "access", "") == "public"
    }
    assert open_ones - known == set(), "limit it (crm.core.throttle), or say in UNLIMITED why not"
    assert known - {rule.endpoint for rule in rules(app, "POST")} == set()


@pytest.mark.parametrize("endpoint", list(LIMITED))
def test_what_mails_or_guesses_comes_to_an_end(
    app: Flask,
    make: Make,
    session: Session,
    login_as: Callable[[User], FlaskClient],
    endpoint: str,
) -> None:
    district = seed(make)
    fields = dict(LIMITED[endpoint])
    address = next(a for r, a in addresses(app, district, "POST") if r.endpoint == endpoint)
    if endpoint in {"links.fresh"}:
        fields["token"] = district.places["token"]
    browser = login_as(district.users[Role.COORDINATOR])
    if app.view_functions[endpoint].access == "public":  # type: ignore[attr-defined]
        browser = app.test_client()
        browser.post("/sign-in", data={"email": district.users[Role.VIEWER].email})
    session.commit()
    for _ in range(MOST):
        answer = browser.post(address, data=fields)
        assert answer.status_code in {200, 303, 429}, answer.status_code
        if answer.status_code == 429:
            break
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "Wait" in answer.text or "wait" in answer.text
