"""OneRoster 1.1 `orgs.csv`: the tree of a district, and what its schools are called.

A school's parent of type `local` is a cluster to us; an identifier of 12 digits is its NCES id.
Source: 1EdTech OneRoster 1.1, CSV tables, orgs.csv.
"""

from __future__ import annotations

from collections.abc import Iterator

from crm.core.errors import Refused, fault_at
from crm.imports.fixed import FixedColumns
from crm.imports.layout import header_key
from crm.imports.reader import Table
from crm.imports.values import clean
from crm.schools.aliases import nces_key
from crm.schools.models import SchoolStatus
from crm.schools.service import SchoolFacts

COLUMNS = FixedColumns(
    required=("sourcedId", "name", "type"), optional=("identifier", "parentSourcedId", "status")
)
MAX_ORGS = 5_000
GONE = frozenset({"tobedeleted", "inactive"})
Org = tuple[str, str, str, str, str, str]


def is_orgs(table: Table) -> bool:
    """Whether a table is an `orgs.csv`, by its columns."""
    keys = {header_key(title) for title in table.header}
    return {"sourcedid", "parentsourcedid", "type"} <= keys


def read_orgs(table: Table) -> Iterator[tuple[int, Org]]:
    """(line, (sourcedId, name, type, identifier, parent, status)) of each line."""
    count = 0
    for rows, _faults in COLUMNS.find(table).batches():
        for line, cells in rows:
            count += 1
            if count > MAX_ORGS:
                fault = "has more than %(most)s organizations"
                raise Refused([fault_at(f"{table.name}:{line}", fault, most=f"{MAX_ORGS:,}")])
            source, name, kind, identifier, parent, status = map(clean, cells)
            yield line, (source, name, kind.lower(), identifier, parent, status.lower())


def org_names(table: Table) -> dict[str, tuple[str, ...]]:
    """sourcedId → the texts by which a school may be known to us, surest first."""
    return {
        org[0]: tuple(text for text in (org[3], org[1]) if text)
        for _, org in read_orgs(table)
        if org[0] and org[2] == "school"
    }


def school_facts(table: Table) -> Iterator[tuple[int, SchoolFacts]]:
    """Every school of the file with its line, and the cluster it hangs below."""
    orgs = {org[0]: (line, *org) for line, org in read_orgs(table)}
    for line, source, name, kind, identifier, parent, status in orgs.values():
        if kind != "school" or not name:
            continue
        above = orgs.get(parent)
        nces = nces_key(identifier) if len(identifier) == 12 else None
        codes = (source, identifier) if identifier and not nces else (source,)
        yield line, SchoolFacts(
            name=name[:200], nces_id=nces, codes=codes,
            cluster=above[2][:200] if above and above[3] == "local" else None,
            status=SchoolStatus.CLOSED if status in GONE else SchoolStatus.OPEN,
        )  # fmt: skip
