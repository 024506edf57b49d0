"""Who lives within so many miles of a ZIP code, by the codes that lie within them.

A distance is worked out once for each of some forty thousand ZIP codes, never for a person. The
places of the codes come with the `zipcodes` package; a person counts as living at their code's.
"""

from __future__ import annotations

import re
from functools import lru_cache

import zipcodes
from sqlalchemy import ColumnElement

from crm.alumni.conditions import ZIP
from crm.core.database import among
from crm.core.errors import Invalid
from crm.core.extend import FieldMatch, QueryContext

PLACE = re.compile(r"([0-9]{5})(?:/([0-9]{1,4})\s*(mi|km)?)?", re.IGNORECASE)
USUAL = 25
FARTHEST = 500
KM_A_MILE = 1.609344


def near(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """The query field `near:30303/25mi`: their ZIP code lies within the radius (25 miles)."""
    found = PLACE.fullmatch(match.low.strip())
    if found is None:
        raise Invalid("Write a ZIP code and how far around it, such as 30303/25mi or 30303/40km.")
    radius = float(found[2] or USUAL)
    miles = radius / KM_A_MILE if (found[3] or "").lower() == "km" else radius
    if miles > FARTHEST:
        raise Invalid("A radius has at most %(most)s miles.", most=FARTHEST)
    return among(ZIP, zips_within(found[1], round(miles, 3)))


@lru_cache(maxsize=256)
def zips_within(zip_code: str, miles: float) -> tuple[str, ...]:
    """The ZIP codes whose place lies within the radius; raises `Invalid` for one of no place."""
    known = zipcodes.matching(zip_code)  # type: ignore[no-untyped-call]
    if not known or not float(known[0]["lat"]):
        raise Invalid("Where the ZIP code %(zip_code)s lies is not known.", zip_code=zip_code)
    here = float(known[0]["lat"]), float(known[0]["long"])
    within = zipcodes.filter_by_coordinates(*here, miles)  # type: ignore[no-untyped-call]
    return tuple(sorted({zip_code, *(place["zip_code"] for place in within)}))
