"""What is written about a clearance, to each side in its own language."""

from __future__ import annotations

from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.core.district import choose
from crm.core.viewer import Role, Viewer
from crm.mail.models import Message
from segments.clearance.policy import ClearancePolicy, LevelRule
from segments.requests.queries import dates_of
from tests.factories import Make
from tests.segments.story import ask, make_request, press, token


def test_each_side_reads_what_it_takes_in_its_own_language(
    client: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    teacher = make.user(Role.SCHOOL, school=school, language="es")
    rules = LevelRule(), LevelRule(lead_days=14), LevelRule()
    choose(session, ClearancePolicy(levels=rules), at=make.at)
    mine = Viewer(user_id=teacher.id, role=Role.SCHOOL, name="", school_ids=frozenset({school.id}))
    request = make_request(make, school, days=(20,), by=mine)
    selam = make.alumnus("Selam", school=school, ways=("speak",), language="am")
    ask(make, request, selam)
    choice = dates_of(session, request.id)[0]
    page = f"/ask/{token(session, selam, make.at)}"
    assert press(client, f"{page}?lang=en", f"yes:{choice.id}").status_code == 200
    merges = session.execute(
        select(Message.key, Message.merge).where(Message.key.like("%clearing%"))
    )
    levels = {key.partition(":")[0]: merge["level"] for key, merge in merges}
    assert levels == {"ask": "የጀርባ ታሪክ ማጣራት", "request": "Verificación de antecedentes"}
