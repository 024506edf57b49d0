"""What a person changes on their own page: everything through the areas that own it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, InterestKind
from crm.alumni.service import edit_profile, set_all_interests
from crm.consent import service as consent
from crm.consent.models import ConsentSource, SuppressionReason
from crm.consent.queries import choices_of, suppressions_of
from crm.consent.topic_pauses import pause_topic, pauses_of
from crm.core.errors import Invalid
from crm.interactions.models import Mode
from crm.interactions.service import record
from crm.links.tokens import Claim
from crm.portal import queries
from crm.portal.wishes import Wish

SOURCE = "link"
PARTS = {InterestKind.WAY: "ways", InterestKind.SUBJECT: "subjects"}
LONGEST_PAUSE = timedelta(days=730)
OWN_WISH = frozenset({SuppressionReason.UNSUBSCRIBED, SuppressionReason.IMPORTED})


@dataclass(frozen=True)
class Saved:
    """What really changed (names of fields and parts), and the wish that takes it back."""

    changed: frozenset[str]
    before: Wish


def save(session: Session, alumnus: Alumnus, wish: Wish, *, claim: Claim, at: datetime) -> Saved:
    """Do what a person asked for on their page, all of it or (raising `Invalid`) nothing.

    Counts as something that they did, once a day, even when all was right as it stood.
    """
    before = _as_it_is(session, alumnus, wish, at)
    changed = set(
        edit_profile(session, alumnus, wish.profile, by=None, at=at, source=SOURCE)
        if wish.profile
        else ()
    )
    interests = {kind: keys for kind, keys in wish.interests.items() if keys is not None}
    if interests:
        moved = set_all_interests(session, alumnus.id, interests, source=SOURCE, at=at)
        changed |= {PARTS[kind] for kind in moved}
    if wish.topics is not None and choose_topics(
        session, alumnus.id, wish.topics, claim=claim, at=at
    ):
        changed.add("topics")
    if wish.pause is not None and _pause(session, alumnus, wish.pause[0], at):
        changed.add("pause")
    if _take_breaks(session, alumnus.id, wish.breaks, claim=claim, at=at):
        changed.add("breaks")
    record(
        session, alumnus.id, occurred_at=at, kind="profile_updated", mode=Mode.COMMUNICATION,
        dedupe_key=f"profile_updated:{alumnus.id}:{at:%Y-%m-%d}", origin=claim.reference,
    )  # fmt: skip
    return Saved(frozenset(changed), before)


def _as_it_is(session: Session, alumnus: Alumnus, wish: Wish, at: datetime) -> Wish:
    """The present values of whatever the wish speaks of."""
    wanted = [kind for kind, keys in wish.interests.items() if keys is not None]
    mine = queries.interests(session, alumnus.id, wanted)
    held = pauses_of(session, alumnus.id, today=at.date()) if wish.breaks else {}
    return Wish(
        profile={name: getattr(alumnus, name, None) or "" for name in wish.profile},
        ways=mine.get(InterestKind.WAY),
        subjects=mine.get(InterestKind.SUBJECT),
        topics=None if wish.topics is None else queries.topics_of(session, alumnus.id),
        pause=None if wish.pause is None else (alumnus.paused_until,),
        breaks={key: held.get(key) for key in wish.breaks},
    )


def _pause(session: Session, alumnus: Alumnus, until: date | None, at: datetime) -> bool:
    if until == alumnus.paused_until:
        return False
    _check_day(until, at)
    done = consent.pause(session, alumnus.id, until=until, source=ConsentSource.LINK, at=at)
    session.refresh(alumnus)
    return done


def _check_day(until: date | None, at: datetime) -> None:
    if until is not None and not at.date() <= until <= (at + LONGEST_PAUSE).date():
        raise Invalid(_("Choose a day within the next two years."), field="pause")


def _take_breaks(
    session: Session,
    alumnus_id: int,
    wanted: Mapping[str, date | None],
    *,
    claim: Claim,
    at: datetime,
) -> bool:
    """Begin, change or end breaks from topics, by their own word; True if that changed any."""
    done = False
    for key, until in wanted.items():
        _check_day(until, at)
        done |= pause_topic(
            session, alumnus_id, topic_key=key, until=until, source=ConsentSource.LINK, at=at,
            reference=claim.reference,
        )  # fmt: skip
    return done


def choose_topics(
    session: Session, alumnus_id: int, wanted: Collection[str], *, claim: Claim, at: datetime
) -> bool:
    """Make `wanted` the topics that a person gets, by their own word; True if that changed any.

    Asking for mail again also lifts a bar that they, or a file on their behalf, had put on their
    own address; never one that a bounce or a complaint put there.
    """
    present = choices_of(session, alumnus_id)
    if unknown := set(wanted) - present.keys():
        raise Invalid(_("There is no such topic."), field=min(unknown))
    said = {"source": ConsentSource.LINK, "at": at, "reference": claim.reference}
    changed = joined = False
    for key, gets in present.items():
        if key in wanted and not gets:
            joined = consent.grant(session, alumnus_id, topic_key=key, **said) or joined  # type: ignore[arg-type]
        elif key not in wanted and gets:
            changed = consent.withdraw(session, alumnus_id, topic_key=key, **said) or changed  # type: ignore[arg-type]
    if joined:
        for address, reason in suppressions_of(session, alumnus_id).items():
            if reason in OWN_WISH:
                consent.lift(session, address, at=at)
    return changed or joined


def leave(
    session: Session,
    alumnus_id: int,
    topic_key: str | None,
    *,
    claim: Claim,
    at: datetime,
    source: ConsentSource = ConsentSource.LINK,
) -> Wish:
    """Stop one topic, or all mail with None; answers the wish that takes it back. Idempotent."""
    before = queries.topics_of(session, alumnus_id)
    consent.withdraw(
        session, alumnus_id, topic_key=topic_key, source=source, at=at, reference=claim.reference
    )
    return Wish(topics=before)
