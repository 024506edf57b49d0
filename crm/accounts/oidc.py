"""Signing in by the district's own identity provider (OpenID Connect), where it has one.

The provider proves a mail address; only that of an active account signs in, and no account is made.
The provider's answer comes by GET, which changes nothing: its page has one button, and the code is
redeemed when that is pressed. State, nonce and PKCE bind the answer to this browser (authlib).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import requests
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from flask import Flask, current_app
from flask_babel import gettext as _
from joserfc.errors import JoseError
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.accounts.sessions import digest
from crm.core.application import current_settings
from crm.core.errors import Refused
from crm.core.settings import Settings
from crm.core.throttle import TooMany, hit

log = structlog.get_logger(__name__)
TIMEOUT = 10
LEEWAY = 120
QUARTER = timedelta(minutes=15)
WELL_KNOWN = "/.well-known/openid-configuration"
BACK = "/sign-in/oidc/back"
# What the provider, the network or a tampered answer may cause; all of it is said in one sentence.
FAULTS = (
    OAuthError, JoseError, requests.RequestException, ValueError, KeyError, TypeError, RuntimeError,
)  # fmt: skip


class NotSignedIn(Refused):
    """The provider's answer signs nobody in; the sentence says what to do."""


def configured(settings: Settings) -> bool:
    """Whether this installation has a provider."""
    return settings.oidc_issuer is not None


def _client(app: Flask) -> Any:
    """The client of the configured provider; it keeps what the provider says of itself."""
    settings = current_settings()
    key = (settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret)
    kept = app.extensions.get("homecoming.oidc")
    if kept is None or kept[0] != key:
        kept = (key, _registered(settings))
        app.extensions["homecoming.oidc"] = kept
    return kept[1]


def _registered(settings: Settings) -> Any:
    oauth = OAuth(current_app)
    return oauth.register(
        "district",
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret,
        server_metadata_url=f"{settings.oidc_issuer}{WELL_KNOWN}",
        client_kwargs={
            "scope": "openid email", "code_challenge_method": "S256", "default_timeout": TIMEOUT,
        },
    )  # fmt: skip


def leave_for_provider() -> Any:
    """The redirect to the provider's own page; raises `NotSignedIn` while it cannot be reached."""
    client = _client(current_app)
    try:
        _check_issuer(client.load_server_metadata())
        return client.authorize_redirect(current_settings().base_url + BACK)
    except FAULTS as error:
        raise _away(error) from error


def redeem(session: Session, *, client: str, at: datetime) -> tuple[User, bool]:
    """The account that the provider's posted answer proves, and whether it saw a second factor.

    Raises `NotSignedIn` with a sentence, or `TooMany`.
    """
    if not hit(session, f"oidc:client:{digest(client)[:24]}", limit=30, per=QUARTER, at=at):
        raise TooMany([_("Too many tries. Wait a quarter of an hour.")])
    settings, provider = current_settings(), _client(current_app)
    options = {
        "iss": {"essential": True, "values": [_issuer(provider, settings)]},
        "aud": {"essential": True, "values": [settings.oidc_client_id]},
    }
    try:
        token = provider.authorize_access_token(claims_options=options, leeway=LEEWAY)
        claims = dict(token["userinfo"])
    except FAULTS as error:
        raise _away(error) from error
    return _account(session, claims), _saw_factor(claims, settings)


def _account(session: Session, claims: dict[str, Any]) -> User:
    address = str(claims.get("email") or "").strip().lower()
    # Some providers write their booleans as text.
    if not address or claims.get("email_verified") not in (True, "true"):
        unsure = _("Your provider did not confirm your mail address. Ask its help desk.")
        raise NotSignedIn([unsure])
    user = session.scalars(select(User).where(User.email == address, User.active)).one_or_none()
    if user is None:
        nobody = _("Nobody has an account with %(address)s. Ask a coordinator to invite you.")
        raise NotSignedIn([nobody % {"address": address}])
    return user


def _saw_factor(claims: dict[str, Any], settings: Settings) -> bool:
    """Whether one of the configured values stands in `amr` (RFC 8176) or is the `acr`."""
    wanted = settings.oidc_second_factor_values
    methods = claims.get("amr") or []
    return bool(wanted & {str(m) for m in methods}) or str(claims.get("acr", "")) in wanted


def _issuer(provider: Any, settings: Settings) -> str:
    return str(provider.server_metadata.get("issuer") or settings.oidc_issuer)


def _check_issuer(metadata: dict[str, Any]) -> None:
    """The provider must call itself what it is configured as (OpenID Connect Discovery, 4.3)."""
    if str(metadata.get("issuer", "")).rstrip("/") != current_settings().oidc_issuer:
        raise ValueError("the provider has another name than HOMECOMING_OIDC_ISSUER")


def _away(error: Exception) -> NotSignedIn:
    # Only the kind of fault: its text may quote the provider's answer.
    log.warning("oidc.failed", fault=type(error).__name__)
    if isinstance(error, requests.RequestException):
        away = _("The sign-in service does not answer. Ask for a mailed code instead.")
        return NotSignedIn([away])
    return NotSignedIn(
        [_("The sign-in service did not sign you in. Try again, or ask for a mailed code.")]
    )
