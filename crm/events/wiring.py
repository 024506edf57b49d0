"""What the events area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.core.extend import NavEntry, Panel, PeriodicJob, extensions
from crm.core.keys import names_by
from crm.core.viewer import Permission
from crm.events import (
    answer_routes,
    cards,
    door,
    door_routes,
    fields,
    inviting,
    letters,
    queries,
    routes,
)
from crm.events.cli import events
from crm.events.models import Event

EVERY_SECONDS = 300
FORGOTTEN = """guest_names = '', needs = '',
    answer = case when came_at is null and event_id in (
        select id from event where state in ('open', 'closed')) then 'declined' else answer end"""
"""Who was there stays as a count; whoever was to come frees a place, which the next tick gives."""

BETTER = """o.came_at is null and (g.came_at is not null
    or coalesce(g.answered_at, '-infinity') > coalesce(o.answered_at, '-infinity'))"""
"""Of two invitations of one person the one by which they came counts, else their latest word.

If they came by both, that of the record that stays: its attendance stays too (`SAME`).
"""

SAME = f"""g.kind = '{door.KIND}' and g.origin like 'event:%'
    and o.kind = g.kind and o.origin = g.origin"""
"""One attendance, which each of two records of one person noted at the door."""


def init_app(app: Flask) -> None:
    """Register the pages, the commands, the reminders, and what events show elsewhere."""
    for area in (routes, door_routes, answer_routes):
        app.register_blueprint(area.bp)
    app.cli.add_command(events)
    known = extensions(app)
    known.object_names["event"] = names_by(Event.key, Event.texts["en"]["title"].astext)
    known.navigation.append(
        NavEntry("events.index", _("Events"), "calendar-event", 45, Permission.EVENTS_VIEW)
    )
    known.merge_fields |= {field.key: field for field in letters.FIELDS}
    known.query_fields.extend(fields.FIELDS)
    known.stripped["event_invitation"] = FORGOTTEN
    known.better["event_invitation"] = ("event_id", BETTER)
    known.same["interaction"] = SAME
    known.unmerged.append(cards.overbooked)
    known.query_users.append(queries.events_that_name)
    known.alumnus_panels.append(Panel("events", "crm/events/_panel.html", 45, cards.panel))
    known.profile_panels.append(Panel("events", "crm/events/_own.html", 20, cards.own_page))
    known.todo.append(cards.to_do)
    known.ticks.append(inviting.tick)
    known.jobs.append(PeriodicJob("events.tick", EVERY_SECONDS, inviting.tick))
