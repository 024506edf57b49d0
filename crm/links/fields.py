"""The links that letters carry: merge fields for a whole batch of recipients in one query."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from flask_babel import lazy_gettext as _
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from crm.alumni.models import ContactKind, ContactPoint
from crm.core.application import current_settings
from crm.core.extend import MergeField, Recipient
from crm.links.tokens import issue

PATHS = {
    "profile": "/me/", "unsubscribe": "/unsubscribe/", "ask": "/ask/", "event": "/event/",
    "check-in": "/check-in/", "mentor": "/mentor/",
}  # fmt: skip


def link_address(purpose: str, token: str) -> str:
    """The address of a link's page, under the configured base address."""
    return current_settings().base_url + PATHS[purpose] + token


def links_for(
    session: Session, recipients: Sequence[Recipient], purpose: str, at: datetime
) -> list[str]:
    """One address for each recipient, in order; empty for mail that goes to no alumnus."""
    points = _points(session, recipients)
    return [
        link_address(
            purpose,
            issue(
                purpose, alumnus_id=r.alumnus_id, epoch=r.link_epoch, at=at,
                contact_point_id=r.contact_point_id
                or points.get((r.alumnus_id, r.address.lower())),
                message_id=r.message_id,
            ),
        )
        if r.alumnus_id is not None
        else ""
        for r in recipients
    ]  # fmt: skip


def _points(session: Session, recipients: Sequence[Recipient]) -> dict[tuple[int, str], int]:
    """The contact points of mail that was sent to an address named with the message."""
    wanted = [
        (r.alumnus_id, r.address.lower())
        for r in recipients
        if r.alumnus_id is not None and r.contact_point_id is None
    ]
    if not wanted:
        return {}
    statement = select(ContactPoint.alumnus_id, ContactPoint.key, ContactPoint.id).where(
        ContactPoint.kind == ContactKind.EMAIL,
        tuple_(ContactPoint.alumnus_id, ContactPoint.key).in_(wanted),
    )
    return {(alumnus_id, key): point for alumnus_id, key, point in session.execute(statement)}


def _profile(session: Session, recipients: Sequence[Recipient], at: datetime) -> list[str]:
    return links_for(session, recipients, "profile", at)


def _unsubscribe(session: Session, recipients: Sequence[Recipient], at: datetime) -> list[str]:
    return links_for(session, recipients, "unsubscribe", at)


FIELDS = (
    MergeField(
        "profile_link", _("Link to their own page"), "https://…/me/…", _profile, is_link=True,
    ),
    MergeField(
        "unsubscribe_link", _("Link to stop mail"), "https://…/unsubscribe/…", _unsubscribe,
        is_link=True,
    ),
)  # fmt: skip
