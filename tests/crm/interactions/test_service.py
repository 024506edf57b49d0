"""Interactions are recorded once, however often they are told."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.interactions import service
from crm.interactions.models import Interaction, Mode
from tests.factories import Make


def test_the_same_thing_told_twice_is_recorded_once(session: Session, make: Make) -> None:
    person = make.alumnus()
    told = {"occurred_at": make.at, "kind": "talk_given", "mode": Mode.VOLUNTEER, "dedupe_key": "a"}
    assert service.record(session, person.id, hours=Decimal("1.5"), **told)
    assert not service.record(session, person.id, hours=Decimal(9), **told)
    row = session.scalars(select(Interaction)).one()
    assert (row.hours, row.mode, row.note, row.machine) == (
        Decimal("1.5"),
        Mode.VOLUNTEER,
        "",
        False,
    )


def test_many_rows_take_one_statement_a_batch_and_answer_how_many_were_new(
    session: Session, make: Make, queries: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [make.alumnus(email=None), make.alumnus(email=None)]
    monkeypatch.setattr(service, "BATCH", 4)
    rows = [
        {
            "alumnus_id": people[n % 2].id, "occurred_at": make.at, "kind": "replied",
            "mode": Mode.COMMUNICATION, "dedupe_key": f"reply:{n % 7}",
        }
        for n in range(9)
    ]  # fmt: skip
    queries.clear()
    assert service.record_many(session, iter(rows)) == 7
    assert len([q for q in queries if q.startswith("INSERT")]) == 3
    assert service.record_many(session, rows) == 0
    assert session.scalar(select(func.count()).select_from(Interaction)) == 7


def test_a_misspelt_column_is_the_callers_mistake(session: Session, make: Make) -> None:
    person = make.alumnus()
    with pytest.raises(TypeError, match="no hour"):
        service.record(
            session, person.id, occurred_at=make.at, kind="k", mode=Mode.VOLUNTEER,
            dedupe_key="x", hour=1,
        )  # fmt: skip
