"""The send policy's answers in words: what decided, on whose word, what would change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask_babel import format_date, gettext
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import Session

from crm.alumni.contacts import mask
from crm.consent.age import known_by
from crm.consent.models import ConsentEntry, Suppression
from crm.consent.queries import standing_of, suppression_of
from crm.consent.references import reference_words
from crm.consent.words import SOURCES, SUPPRESSIONS, topic_name
from crm.mail import policy, reasons
from crm.mail.models import MessageClass
from crm.mail.whether import Answer, answers, spent
from crm.web.i18n import moment_words

OFFICE = _("Only the alumni office can change that, on the record itself.")
THEMSELVES = _(
    "Only they can change that, on their own page, or by telling staff in their own words."
)
REMEDIES: dict[str, Any] = {
    reasons.MERGED: _("Look at the record that it became part of."),
    reasons.DECEASED: OFFICE,
    reasons.BLOCKED: _("They lift the block themselves, by writing to the office; no file does."),
    reasons.DO_NOT_CONTACT: OFFICE,
    reasons.UNDER_AGE: _(
        "They turn 18, or the district switches this on under Settings, Under 18."
    ),
    reasons.PAUSED: _("The pause ends by itself on the day after."),
    reasons.TOPIC_PAUSED: _("The break ends by itself on the day after."),
    reasons.CONSENT_WITHDRAWN: THEMSELVES,
    reasons.NO_CONSENT: THEMSELVES,
    reasons.TOPIC_RETIRED: _("A coordinator brings the topic back under Settings, Topics."),
    reasons.SUPPRESSED: _("Only they can lift that, by asking for mail again from this address."),
    reasons.BOUNCED: _("They give us an address that works."),
    reasons.NO_ADDRESS: _("They give us an address that works."),
}
KINDS: dict[MessageClass, Any] = {
    MessageClass.MARKETING: _("mail"),
    MessageClass.ASK: _("asks for help"),
    MessageClass.IMMEDIATE: _("codes and answers that they wait for"),
}


@dataclass(frozen=True)
class Told:
    """One answer in words: a line, and beneath it what decided and what would change it."""

    topic_key: str | None
    label: str
    kind: MessageClass
    verdict: str
    line: str
    because: tuple[tuple[str, str, str, str], ...]
    """(reason, what it says, the facts behind it, what would change it)."""
    until: datetime | None


class Evidence:
    """The rows behind the reasons of one person, read once for all answers."""

    def __init__(self, session: Session, alumnus_id: int, address: str | None, *, shown: bool):
        self.session, self.shown = session, shown
        self.entries = {row.topic.key: row.entry for row in standing_of(session, alumnus_id)}
        self.address = address
        self.suppression = suppression_of(session, address) if address else None

    def of(self, reason: str, answer: Answer) -> str:
        """The fact behind a reason, as a sentence; empty where the reason says all."""
        known = answer.known
        if reason in {reasons.CONSENT_WITHDRAWN, reasons.NO_CONSENT} and answer.topic:
            return entry_words(self.session, self.entries.get(answer.topic.key))
        if reason in {reasons.SUPPRESSED, reasons.BOUNCED} and self.suppression:
            return self._closed(self.suppression)
        if reason == reasons.UNDER_AGE:
            return age_words(known)
        if reason == reasons.PAUSED and known.paused_until:
            return gettext("The pause holds up to %(day)s.", day=_day(known.paused_until))
        if reason == reasons.TOPIC_PAUSED and known.topic_paused_until:
            return gettext("The break holds up to %(day)s.", day=_day(known.topic_paused_until))
        return ""

    def _closed(self, row: Suppression) -> str:
        address = self.address or ""
        return gettext(
            "%(address)s, since %(day)s: %(why)s.", day=_day(row.at.date()),
            address=address if self.shown else mask(address), why=SUPPRESSIONS[row.reason],
        )  # fmt: skip


def entry_words(session: Session, entry: ConsentEntry | None) -> str:
    """An entry of the ledger as a sentence: when, on whose word, by what, and in what words."""
    if entry is None:
        return gettext("No word of theirs about it is recorded.")
    words = gettext("On %(day)s: %(who)s.", day=_day(entry.at.date()), who=SOURCES[entry.source])
    by = reference_words(session, [entry.reference]).get(entry.reference)
    parts = [words, gettext("Recorded by: %(what)s.", what=by.text) if by else ""]
    if entry.wording:
        parts.append(gettext("In these words: “%(words)s”", words=entry.wording))
    return " ".join(part for part in parts if part)


def age_words(known: policy.Facts) -> str:
    """Until when somebody counts as under 18, and how we know."""
    day = policy.adult_from(known)
    how = known_by(known.birth_date, known.class_year, known.graduated_on)
    if day is None or not how:
        return gettext("They are at school, and neither a date of birth nor a class is known.")
    if how == "birth_date":
        return gettext("By their date of birth they are 18 on %(day)s.", day=_day(day))
    return gettext(
        "No date of birth is known; by their class they count as 18 from %(day)s.", day=_day(day)
    )


def told(
    session: Session, alumnus_id: int, *, at: datetime, shown: bool
) -> tuple[list[Told], list[str]]:
    """Each answer in words, and the sentences about the budget, the hour and the address.

    `shown`: whether the reader may see the person's addresses in full.
    """
    found = answers(session, alumnus_id, at=at)
    evidence = Evidence(session, alumnus_id, found[-1].known.address, shown=shown)
    return [_told(answer, evidence) for answer in found], list(_around(found[-1], evidence, at))


def _told(answer: Answer, evidence: Evidence) -> Told:
    because = tuple(
        (reason, reasons.sentence(reason), evidence.of(reason, answer),
         str(REMEDIES.get(reason, "")))
        for reason in answer.reasons
    )  # fmt: skip
    label = topic_name(answer.topic) if answer.topic else ""
    key = answer.topic.key if answer.topic else None
    return Told(
        key, label, answer.message_class, answer.verdict, _line(answer), because, answer.until
    )


def _line(answer: Answer) -> str:
    if answer.verdict == "go":
        return gettext("may go now")
    if answer.until is not None:
        return gettext("waits until %(moment)s", moment=moment_words(answer.until))
    return reasons.sentence(answer.reasons[0] if answer.reasons else None)


def _around(answer: Answer, evidence: Evidence, at: datetime) -> Iterator[str]:
    """What holds for all mail to the person: the address, the budget, the hour."""
    known = answer.known
    if known.address:
        address = known.address if evidence.shown else mask(known.address)
        yield gettext("We would write to %(address)s.", address=address)
    for used, limit in spent(known.sent, at):
        yield gettext(
            "Contact budget: %(used)s of %(most)s mails in %(days)s days are used.", used=used,
            most=limit.most, days=limit.days,
        )  # fmt: skip
    slot = policy.slot_frees(known.sent, at)
    if slot > at:
        yield gettext("There is room for another one from %(moment)s.", moment=moment_words(slot))
    local = at.astimezone(policy.zone_of(known.time_zone))
    if policy.next_open(at, known.time_zone, known.hours, known.window) > at:
        yield gettext(
            "It is %(hour)s where they live; mail does not go there at this time.",
            hour=f"{local:%H:%M}",
        )


def as_plain(told_answers: list[Told]) -> list[Mapping[str, Any]]:
    """The answers as plain values, for the command line."""
    return [
        {
            "topic": answer.topic_key, "class": answer.kind.value, "verdict": answer.verdict,
            "until": answer.until.isoformat() if answer.until else None,
            "reasons": [
                {"reason": reason, "says": says, "facts": fact, "changes": changes}
                for reason, says, fact, changes in answer.because
            ],
        }
        for answer in told_answers
    ]  # fmt: skip


def _day(day: date) -> str:
    return str(format_date(day, "medium"))  # type: ignore[no-untyped-call]
