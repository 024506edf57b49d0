"""A statement over many ids is planned for as many; one over few keeps its plan."""

from __future__ import annotations

import pytest
from sqlalchemy import any_, func, select, text
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.database import MANY, id_array


@pytest.mark.parametrize(("ids", "kept"), [(10, True), (MANY, True), (MANY + 1, False)])
def test_a_plan_is_kept_for_few_ids_only(session: Session, ids: int, kept: bool) -> None:
    name = f"many_{ids}"
    for start in range(8):
        found = Alumnus.id == any_(id_array(range(start, start + ids)))
        session.execute(select(func.count().label(name)).where(found))
    prepared = session.scalars(text("select statement from pg_prepared_statements")).all()
    assert any(name in one for one in prepared) is kept
