"""What a file brought, as it stands afterwards."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.imports.models import ImportRun
from tests.crm.imports.test_concurrency import own_app as own_app

HEAD = (
    "Student ID|State ID|First Name|Last Name|School|Class Year|Email|Home Phone|City|Ways to Help"
)


ADA = "0007|A7|Ada|Byron|201|2010|ada@mail.example|404-555-0107|Milltown|mentor"


BEA = "0008|A8|Bea|Hill|201|2011|bea@mail.example||Oakdale|"


CAL = "0009|A9|Cal|Imani|201|2012|cal@mail.example|||"


DAN = "0010|B1|Dan|Osei|201|2013|dan@mail.example|||"


def plain(*lines: str) -> str:
    """A file without quotation marks."""
    return "".join(line.replace("|", ",") + "\n" for line in lines)


FILE = plain(HEAD, ADA, BEA, CAL, DAN)


def settled(session: Session, run: ImportRun) -> int:
    """How many lines of the import, which is the last one, were known."""
    assert run.totals
    return int(session.scalar(text("select count(*) from import_settled")) or 0)


def changed(lines: list[tuple[Any, ...]]) -> list[int]:
    return [line for line, fate, *_ in lines if fate != "unchanged"]
