"""Signing in in two steps, as a browser does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pyotp
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from crm.accounts import factor
from crm.accounts.models import User
from crm.accounts.signin import sign_in_link
from crm.core.viewer import SYSTEM

Login = Callable[[User], FlaskClient]


LAPTOP = "Mozilla/5.0 (Windows NT 10.0) Firefox/142.0"


def with_factor(session: Session, user: User, at: datetime) -> tuple[str, list[str]]:
    """An authenticator for the account, set up an hour ago; answers its secret and its codes."""
    then = at - timedelta(hours=1)
    factor.begin(session, user, by=SYSTEM, at=then)
    secret = factor.pending_secret(session, user.id)
    assert secret is not None
    codes = factor.confirm(session, user, code_at(secret, then), by=SYSTEM, at=then)
    session.commit()
    return secret, codes


def code_at(secret: str, at: datetime) -> str:
    return pyotp.TOTP(secret).at(int(at.timestamp()))


def first_step(
    client: FlaskClient, session: Session, user: User, at: datetime, agent: str = LAPTOP
) -> Any:
    """Sign in by a mailed link."""
    link = sign_in_link(session, user, at=at).removeprefix("http://localhost")
    session.commit()
    return client.post(link, headers={"User-Agent": agent})


def second_step(client: FlaskClient, code: str) -> Any:
    return client.post("/sign-in/factor", data={"code": code})


def is_signed_in(client: FlaskClient) -> bool:
    return bool(client.get("/settings").status_code == 200)
