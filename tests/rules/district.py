"""A small district with one of everything, so that every address of the app leads somewhere.

A new argument in an address is taught here: `places` answers a value for it, by endpoint, by area
or for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from crm.accounts.models import User
from crm.core.viewer import Role
from lifecycle.rehearsal.gathering import Figures, Taken
from lifecycle.rehearsal.models import Rehearsal, RehearsalState
from lifecycle.rehearsal.result import result
from tests.factories import Make
from tests.rules.seeded_outreach import MESSAGE as MESSAGE
from tests.rules.seeded_outreach import lifecycle_rows, mail_rows, segments_rows
from tests.rules.seeded_records import TOKEN as TOKEN
from tests.rules.seeded_records import (
    bulk_rows,
    door_rows,
    duplicates_rows,
    events_rows,
    exports_rows,
    import_rows,
    lineage_rows,
    links_rows,
    session_rows,
    wish_rows,
)


@dataclass
class District:
    """The seeded rows: an account of each role, and a value for each argument of an address."""

    users: dict[Role, User]
    places: dict[str, Any]

    def values_for(self, rule: Rule) -> dict[str, Any] | None:
        """A value for each argument of the rule, or None if nobody taught us one."""
        area = rule.endpoint.split(".")[0]
        found = {}
        for name in rule.arguments:
            keys = (f"{rule.endpoint}/{name}", f"{area}/{name}", name)
            found[name] = next((self.places[key] for key in keys if key in self.places), None)
        return None if None in found.values() else found


def rules(app: Flask, method: str) -> list[Rule]:
    """The rules that answer the method, files apart, in order of their address."""
    found = (r for r in app.url_map.iter_rules() if method in (r.methods or ()))
    return sorted((r for r in found if not r.endpoint.endswith("static")), key=lambda r: r.rule)


def addresses(app: Flask, district: District, method: str) -> list[tuple[Rule, str]]:
    """Each rule that answers the method, with an address of it that leads to a seeded row."""
    adapter = app.url_map.bind("localhost")
    known = ((rule, district.values_for(rule)) for rule in rules(app, method))
    return [
        (rule, adapter.build(rule.endpoint, values) + district.places.get(f"{rule.endpoint}?", ""))
        for rule, values in known
        if values is not None
    ]


def seed(make: Make) -> District:
    """Make the district; everything is flushed and rolled back with the test."""
    cluster = make.cluster("Lincoln")
    school = make.school("Lincoln High", cluster=cluster)
    users = {
        Role.COORDINATOR: make.user(name="Ada Coordinator"),
        Role.LIAISON: make.user(Role.LIAISON, cluster=cluster, name="Ben Liaison"),
        Role.SCHOOL: make.user(Role.SCHOOL, school=school, name="Chen School"),
        Role.VIEWER: make.user(Role.VIEWER, name="Dara Viewer"),
    }
    person = make.alumnus("Zoë", "Nuñez", school=school, ways=("speak",), external_id="007")
    other = make.alumnus("Omar", "Haddad", school=school)
    talk = make.interaction(person)
    places = {
        "alumnus_id": person.id,
        "school_id": school.id,
        "interaction_id": talk.id,
        "user_id": users[Role.VIEWER].id,
        "accounts.end_session_of/user_id": users[Role.COORDINATOR].id,
        "language": "en",
        "consent/key": "news",
        "rights/kind": "erase",
        "rights.person_file/kind": "json",
        "rights.own_file/kind": "json",
        **wish_rows(make, person),
        **session_rows(make.session, users[Role.COORDINATOR], make),
        **mail_rows(make, person),
        **lifecycle_rows(make, person),
        **rehearsal_rows(make),
        **segments_rows(make, person, school, users[Role.SCHOOL]),
        **import_rows(make, person),
        **links_rows(make, person),
        **exports_rows(make, users),
        **bulk_rows(make, person, users),
        **duplicates_rows(make, person, other),
        **events_rows(make, person, school),
        **lineage_rows(make, school),
        "composing.build?": "?q=class:2015+(way:speak+or+is:senior)+did(gift)+-(a+(b+or+c))",
        **door_rows(make, school),
    }
    return District(users, places)


def rehearsal_rows(make: Make) -> dict[str, Any]:
    """A rehearsal that is over, with a figure of each kind."""
    figures: Figures = {
        "before": {("early", "quiet"): 2}, "after": {("early", "aware"): 2},
        "total": {("messages",): 2, ("skipped",): 1}, "topics": {("news",): 2},
        "messages": {(0,): 2}, "sent": {(0, "news"): 2}, "days": {("2026-09-15", "news"): 2},
        "reasons": {("no_address",): 1}, "skipped": {(0, "no_address"): 1},
        "tasks": {(1,): 1}, "moves": {(0, "quiet", "aware"): 2}, "spread": {(1,): 2},
    }  # fmt: skip
    told = result(
        [Taken(figures, (), {})], weight=1.5, start=make.at, weeks=2, ladder=("quiet", "aware")
    )
    told |= {"people": 2, "population": 3, "runs": 1, "behaviour": {"mails": 9}}
    run = make.save(
        Rehearsal(
            months=1, runs=1, state=RehearsalState.READY, done=100, result=told, asked_at=make.at
        )
    )
    return {"rehearsal_id": run.id, "rehearsals/key": "welcome"}
