"""Somebody who was asked."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.factories import Make
from tests.segments.story import (
    ask,
    make_request,
    make_speaker,
    token,
)


@pytest.fixture
def asked(make: Make, session: Session) -> Any:
    """Ada, asked for a talk on one of two dates, and the address of her link."""
    school = make.school()
    ada = make_speaker(make, "Ada", school)
    request = make_request(make, school, days=(20, 25))
    ask(make, request, ada)
    session.commit()
    return ada, request, f"/ask/{token(session, ada, make.at)}"
