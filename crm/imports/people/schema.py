"""The staging table of one people file: which columns it has follows from the plan."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from crm.alumni.models import ContactKind, ContactOwner
from crm.imports.mapping import Plan
from crm.imports.targets import CONTACTS, custom_name, system_of

SCALARS = {
    "given_name": "text", "middle_name": "text", "family_name": "text", "suffix": "text",
    "preferred_name": "text", "former_name": "text", "name_key": "text", "sort_key": "text",
    "family_key": "text", "birth_date": "date", "class_year": "integer", "graduated_on": "date",
    "language": "text", "city": "text", "state": "text", "postal_code": "text", "job_title": "text",
    "employer": "text", "field_of_work": "text", "college": "text", "ferpa_block": "boolean",
    "deceased": "boolean", "do_not_contact": "boolean", "opt_out": "boolean", "suppress": "boolean",
    "school_id": "bigint", "school_status": "text", "left_on": "date", "credential": "text",
    "ways": "text", "subjects": "text", "custom": "jsonb",
}  # fmt: skip
"""What a line says of a person; `ways` and `subjects` are keys joined by commas."""

SOURCES = {
    "class_year": ("class_year", "grade", "status", "graduated_on"),
    "graduated_on": ("graduated_on", "left_on"),
    "opt_out": ("opt_out", "do_not_email", "opt_in"),
    "suppress": ("do_not_email",),
    "school_id": ("school", "school.graduated"),
    "college": ("college", "school"),
    "school_status": ("status", "grade", "graduated_on"),
}
"""Which targets fill a column, where it is not the one of the same name."""
ALWAYS = frozenset({"given_name", "middle_name", "family_name", "suffix", "name_key", "sort_key",
                    "family_key"})  # fmt: skip
LEADING = {"line": "integer not null", "fate": "text", "reason": "text", "note": "text",
           "digest": "uuid"}  # fmt: skip


@dataclass(frozen=True)
class Slot:
    """A contact point that a column of the file fills."""

    number: int
    index: int
    kind: ContactKind
    owner: ContactOwner
    judged: bool
    mixed: bool = False

    @property
    def key(self) -> str:
        """The stage column of the comparable form."""
        return f"c{self.number}_key"

    @property
    def value(self) -> str:
        """The stage column of the address as shown."""
        return f"c{self.number}_value"

    @property
    def owner_column(self) -> str | None:
        """The stage column of the owner, where the owner is decided line by line."""
        return f"c{self.number}_owner" if self.kind is ContactKind.EMAIL and self.mutable else None

    @property
    def mutable(self) -> bool:
        """Whether it may hold an address of the person's own."""
        return self.judged or self.owner is ContactOwner.OWN

    @property
    def owner_sql(self) -> str:
        """The owner as an SQL expression on the stage row `r`."""
        return f"r.{self.owner_column}" if self.owner_column else f"'{self.owner.value}'"


@dataclass(frozen=True)
class Schema:
    """The columns of one staging table."""

    systems: tuple[str, ...]
    slots: tuple[Slot, ...]
    filled: frozenset[str]

    @property
    def copied(self) -> list[str]:
        """The columns that some line may fill: only these need to be sent."""
        return [name for name in self.columns if name not in SCALARS or name in self.filled]

    @property
    def columns(self) -> dict[str, str]:
        """Column → SQL type, in the order of staged rows."""
        found = dict(LEADING)
        found.update({self.id_column(system): "text" for system in self.systems})
        found.update(SCALARS)
        for slot in self.slots:
            found[slot.key] = found[slot.value] = "text"
            if slot.owner_column:
                found[slot.owner_column] = "text"
        return found

    def id_column(self, system: str) -> str:
        """The stage column that holds the ids of a system."""
        return f"ext_{self.systems.index(system)}"

    def own_slots(self, kind: ContactKind) -> tuple[Slot, ...]:
        """The slots that may hold an address of the person's own."""
        return tuple(slot for slot in self.slots if slot.kind is kind and slot.mutable)


def schema_for(plan: Plan) -> Schema:
    """The staging table that a plan needs."""
    systems = dict.fromkeys(s for t in plan.targets() if (s := system_of(t)))
    slots: list[Slot] = []
    for target, contact in CONTACTS.items():
        owner = contact.owner
        if contact.household and plan.layout.roster:
            owner = ContactOwner.PARENT
        kinds = [contact.kind, ContactKind.EMAIL] if contact.mixed else [contact.kind]
        for index, kind in product(plan.of(target), kinds):
            slots.append(Slot(len(slots), index, kind, owner, contact.judged, contact.mixed))
    targets = set(plan.targets())
    filled = {n for n in SCALARS if n in ALWAYS or targets & set(SOURCES.get(n, (n,)))}
    if plan.layout.roster and "college" not in targets:
        filled.discard("college")
    if any(custom_name(target) for target in targets):
        filled.add("custom")
    return Schema(tuple(systems), tuple(slots), frozenset(filled))
