"""Puts a batch of facts before the send policy; messages with the same facts are decided once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from crm.consent.age import AgeRule
from crm.core.district import chosen
from crm.mail import facts, policy
from crm.mail.content import FALLBACK, language_for
from crm.mail.facts import Group
from crm.mail.hours import Hours, SendingHours, kept
from crm.mail.models import MessageClass

Judged = tuple[Row[Any], str, policy.Decision]


def decide_all(
    session: Session, group: Group, rows: Sequence[Row[Any]], *, moment: datetime, at: datetime
) -> list[Judged]:
    """For each row its language and decision; rows left out stay queued for another batch.

    `moment` is when the messages would leave, `at` when they are claimed.
    """
    judge = Judge(
        facts.languages(session, group.version_id), facts.gated(session, rows, at),
        chosen(session, AgeRule), chosen(session, SendingHours).hours, moment,
    )  # fmt: skip
    found = []
    addresses: dict[tuple[str, str], int | None] = {}
    inside: set[str] = set()
    sent_now: dict[int | None, int] = defaultdict(int)
    for row in rows:
        person, origin, address = row.alumnus_id, row.origin, row.address
        place = (origin, address)
        once = origin.startswith("campaign:")
        shared = once and addresses.get(place, person) != person
        extra = (at,) * sent_now[person] if person and person in sent_now else ()
        language, decision = judge.decide(row, shared=shared, extra=extra)
        if isinstance(decision, policy.Go):
            if address in inside:
                continue  # the same address twice in one hand-over: it waits for the next one
            inside.add(address)
            addresses[place] = person
            sent_now[person] += 1
        found.append((row, language or FALLBACK, decision))
    return found


class Judge:
    """Decides about the messages of one claim.

    The policy is a function of facts, and most messages of a batch have the same: people differ in
    who they are and where their mail goes, of which it only asks whether there is an address.
    """

    def __init__(
        self, written: set[str], held: Mapping[UUID, str], age: AgeRule, hours: Hours,
        moment: datetime,
    ) -> None:  # fmt: skip
        self.written, self.held, self.age, self.hours = written, held, age, hours
        self.moment = moment
        self.known: dict[tuple[object, ...], tuple[str | None, policy.Decision]] = {}

    def decide(
        self, row: Row[Any], *, shared: bool, extra: tuple[datetime, ...]
    ) -> tuple[str | None, policy.Decision]:
        """The language and the decision for one row.

        `shared`: the address got the campaign in this batch already; `extra` are moments at which
        the person got mail besides those in the row.
        """
        # Of the origin the policy hears only what the age rule makes of it.
        person, address, origin = row.alumnus_id is None, row.address is None, row.origin
        same = (person, address, origin, self.held.get(row.id), shared, extra, row[facts.DECIDES :])
        found = self.known.get(same)
        if found is None:
            found = self.known[same] = self._decide(row, shared, extra)
        return found

    def _decide(
        self, row: Row[Any], shared: bool, extra: tuple[datetime, ...]
    ) -> tuple[str | None, policy.Decision]:
        language = language_for(row.asked_language or row.language, self.written)
        known = facts_of(
            row, language, self.held.get(row.id), age=self.age, duplicate=row.duplicate or shared,
            extra=extra, hours=self.hours,
        )  # fmt: skip
        return language, policy.decide(known, at=self.moment)


def facts_of(
    row: Row[Any],
    language: str | None,
    gate: str | None,
    *,
    age: AgeRule,
    duplicate: bool,
    extra: tuple[datetime, ...] = (),
    hours: Hours = policy.USUAL,
) -> policy.Facts:
    """A row of facts as the policy takes them."""
    allowed = age.allows(
        ask=row.message_class is MessageClass.ASK, topic_key=row.topic_key, origin=row.origin
    )
    return policy.Facts(
        message_class=row.message_class, person=row.alumnus_id is not None,
        merged=row.merged_into_id is not None, deceased=bool(row.deceased),
        ferpa_block=bool(row.ferpa_block), do_not_contact=bool(row.do_not_contact),
        paused_until=row.paused_until, birth_date=row.birth_date, class_year=row.class_year,
        graduated_on=row.graduated_on, enrolled=bool(row.enrolled), for_minors=allowed,
        margin_years=age.margin_years, time_zone=row.time_zone,
        address=row.address, bounced=row.bounced, suppression=row.suppression,
        refusal=row.refusal if row.alumnus_id is not None else None, gate=gate,
        topic_paused_until=row.topic_paused_until,
        language=language, duplicate=duplicate, expires_at=row.expires_at,
        sent=(*(row.sent or ()), *extra), hours=hours, window=_window(row.send_window),
        on_cap=row.on_cap or policy.DEFER,
    )  # fmt: skip


@lru_cache(maxsize=256)
def _window(text: str | None) -> Hours | None:
    """The hours of a message's own, from the text of what is kept of them."""
    return kept(json.loads(text)) if text is not None else None
