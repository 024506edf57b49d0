"""Whose address a column holds: the graduate's own, the school's, or a parent's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from crm.alumni.contacts import postal_form
from crm.alumni.models import ContactKind, ContactOwner
from crm.alumni.names import fold
from crm.core.errors import Invalid
from crm.imports.people.cells import Cells, Fault, faulting
from crm.imports.people.schema import Schema, Slot
from crm.imports.values import parse_email, parse_phone

PUBLIC_HOSTS = frozenset(
    [
        "gmail.com",
        "googlemail.com",
        "yahoo.com",
        "ymail.com",
        "rocketmail.com",
        "hotmail.com",
        "outlook.com",
        "live.com",
        "msn.com",
        "icloud.com",
        "me.com",
        "mac.com",
        "aol.com",
        "comcast.net",
        "att.net",
        "bellsouth.net",
        "sbcglobal.net",
        "verizon.net",
        "charter.net",
        "cox.net",
        "earthlink.net",
        "proton.me",
        "protonmail.com",
        "gmx.com",
        "mail.com",
        "zoho.com",
        "hey.com",
        "fastmail.com",
    ]
)
"""Mail hosts open to everybody: an address there is never a school's."""
_SEVERAL = re.compile(r"[;,\s/|]+")
_K12 = re.compile(r".*\.k12\.[a-z]{2}\.us")
OWN, SCHOOL = ContactOwner.OWN.value, ContactOwner.SCHOOL.value


class Contacts:
    """Fills the contact slots of each batch; learns the district's mail domains from the file."""

    def __init__(self, schema: Schema, school_domains: Iterable[str]) -> None:
        self.schema = schema
        self.school_domains = set(school_domains)
        self.phones = faulting(parse_phone)
        self.street_lines: dict[int, list[str]] = {}

    def fill(self, cells: Cells, towns: list[str]) -> dict[str, list[Any]]:
        """Stage column → values for every slot; `towns` is the last line of each postal address."""
        found: dict[str, list[Any]] = {}
        # Schools' and parents' columns come first: they tell what an own column may not claim.
        for slot in sorted(self.schema.slots, key=lambda s: (s.mutable, not s.judged)):
            pairs = self._pairs(slot, cells, towns)
            keys = [pair[1] if pair else None for pair in pairs]
            owners = self._owners(slot, keys) if slot.owner_column else [None] * len(keys)
            self._give_way(slot, keys, owners, found)
            if slot.owner_column:
                found[slot.owner_column] = owners
            found[slot.key] = keys
            found[slot.value] = [
                pair[0] if key and pair else None for pair, key in zip(pairs, keys, strict=True)
            ]
        return found

    def _pairs(self, slot: Slot, cells: Cells, towns: list[str]) -> list[Any]:
        texts = cells.text(slot.index)
        if slot.mixed:
            mail = slot.kind is ContactKind.EMAIL
            texts = [text if ("@" in text) is mail else "" for text in texts]
        if slot.kind is ContactKind.EMAIL:
            self._take_first(slot, cells, texts)
            values: list[Any] = list(map(_email, texts))
        elif slot.kind is ContactKind.PHONE:
            values = list(map(self.phones.__getitem__, texts))
        else:
            values = list(map(_postal, texts, towns))
        for row, value in enumerate(values):
            if value.__class__ is Fault:
                title = cells.titles[slot.index]
                cells.note(row, f"{title} “{texts[row][:40]}” {value}; left out")
                values[row] = None
        return values

    def _take_first(self, slot: Slot, cells: Cells, texts: list[str]) -> None:
        """Of several addresses in one cell the first is read; the others are named."""
        for row, text in enumerate(texts):
            if text.count("@") > 1:
                first, *others = [t for t in _SEVERAL.split(text) if "@" in t]
                if others:
                    texts[row] = first.strip("<>")
                    title = cells.titles[slot.index]
                    left = ", ".join(others)[:120]
                    cells.note(row, f"{title} holds several addresses; {left} was left out")

    def _owners(self, slot: Slot, keys: list[str | None]) -> list[str | None]:
        """own or school for each address of a column that may hold either."""
        domains = [key.rpartition("@")[2] if key else "" for key in keys]
        if slot.judged:
            schools = {d for d in set(domains) if d and d not in PUBLIC_HOSTS}
            self.school_domains |= schools
        else:
            schools = {d for d in set(domains) if d in self.school_domains or _K12.fullmatch(d)}
        return [(SCHOOL if d in schools else OWN) if d else None for d in domains]

    def _give_way(
        self, slot: Slot, keys: list[str | None], owners: list[Any], found: dict[str, list[Any]]
    ) -> None:
        """Take an address out of a column if an earlier one has it: a line says a thing once."""
        others = [
            found[other.key]
            for other in self.schema.slots
            if other.kind is slot.kind and other is not slot and other.key in found
        ]
        for other in others:
            if set(keys).isdisjoint(other):
                continue
            for row, (mine, theirs) in enumerate(zip(keys, other, strict=True)):
                if mine is not None and mine == theirs:
                    keys[row] = owners[row] = None


def _email(text: str) -> tuple[str, str] | Fault | None:
    if not text:
        return None
    try:
        return parse_email(text)
    except ValueError as error:
        return Fault(str(error))


def _postal(street: str, town: str) -> tuple[str, str] | Fault | None:
    if not street:
        return None
    value = f"{street}\n{town}" if town else street
    if street.isascii() and (key := fold(value)):
        return value, key
    try:
        return postal_form(f"{street}\n{town}")
    except Invalid:
        return Fault("is no address")
