"""What the public door registers with the app."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Flask
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.extend import Deed, Keep, NavEntry, Panel, PeriodicJob, Personal, extensions
from crm.core.jobs import jobs
from crm.core.viewer import Permission
from crm.door import classmates, joining, offers, routes, seniors, staff_routes, words
from crm.door.models import ClassmateInvited, ClassmateNote, JoinPending, NoteState
from crm.links.tokens import Claim
from crm.rights import schedule

EVERY = 120
THEIRS = "select key from contact_point where alumnus_id in ({gone})"


def own_page(
    _session: Session, alumnus: Alumnus, _claim: Claim, at: datetime
) -> Mapping[str, Any] | None:
    """What schools ask for, on a person's own page."""
    return offers.own_page(alumnus, at)


def init_app(app: Flask) -> None:
    """Register the pages, the jobs behind them, what they keep and for how long."""
    for bp in (routes.bp, staff_routes.bp, staff_routes.notes):
        app.register_blueprint(bp)
    known = extensions(app)
    jobs(app).register(joining.LETTER, joining.letter)
    jobs(app).register(classmates.INVITE, classmates.invite)
    known.jobs.append(PeriodicJob("door.letters", EVERY, joining.letters))
    known.jobs.append(PeriodicJob("door.classmates", EVERY, classmates.invitations))
    known.todo += [seniors.to_do, classmates.to_do]
    known.navigation += [
        NavEntry("seniors.index", _("Seniors"), "mortarboard", 55, Permission.PEOPLE_VIEW),
        NavEntry("classmates.index", _("Lost classmates"), "search-heart", 79,
                 Permission.PEOPLE_EDIT, _("Records")),
    ]  # fmt: skip
    known.settings_pages.append(
        NavEntry("seniors.rule", _("Seniors"), "mortarboard", 12, Permission.SETTINGS,
                 _("District"))
    )  # fmt: skip
    known.references["join"] = words.references
    known.profile_panels.append(Panel("wishes", "crm/door/_wishes.html", 40, own_page))
    known.personal |= {
        "join_pending": Personal(
            Deed.EMPTIED, f"alumnus_id in ({{gone}}) or email_key in ({THEIRS})",
            "email = '', email_key = '', wish = '{{}}', token_hash = null, mailed_at = now()",
        ),
        "classmate_note": Personal(
            Deed.EMPTIED, f"lower(email) in ({THEIRS})",
            "email = '', state = 'dismissed', ended_at = now()",
        ),
        "classmate_invited": Personal(
            Deed.KEPT, "false", why="a keyed hash, which nobody can read back, for a year"
        ),
    }  # fmt: skip
    _keep(app)


def _keep(app: Flask) -> None:
    schedule.register(
        extensions(app),
        Keep("join_pending", _("Sign-ups that wait for their link"),
             _("nobody exists by them; the link is good for three days"),
             JoinPending.__table__, JoinPending.expires_at, 0, 0, 0),  # type: ignore[arg-type]
        Keep("classmate_note", _("Notes about lost classmates"),
             _("once they were dealt with"), ClassmateNote.__table__,  # type: ignore[arg-type]
             ClassmateNote.ended_at, 90, 1, 365,
             ClassmateNote.state.in_([NoteState.DONE, NoteState.DISMISSED])),
        Keep("classmate_invited", _("That an address was invited by a classmate"),
             _("so that nobody is invited twice in a year"),
             ClassmateInvited.__table__, ClassmateInvited.at, 365, 365, 365),  # type: ignore[arg-type]
    )  # fmt: skip
