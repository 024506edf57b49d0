"""Who is looking: the value every scoped read takes, with no database and no Flask behind it.

Roles, permissions and the wall of law 8 stand here as data, so that one page tells who may what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What a staff account is for."""

    COORDINATOR = "coordinator"
    LIAISON = "liaison"
    SCHOOL = "school"
    VIEWER = "viewer"


class Permission(StrEnum):
    """A thing that a role may do within its scope."""

    HOME = "home"
    PEOPLE_VIEW = "people.view"
    PEOPLE_EDIT = "people.edit"
    CONTACT_VIEW = "contact.view"
    BLOCKED_VIEW = "blocked.view"
    EXPORT = "export"
    IMPORT = "import"
    SEGMENTS = "segments"
    CAMPAIGNS_VIEW = "campaigns.view"
    CAMPAIGNS_EDIT = "campaigns.edit"
    JOURNEYS_VIEW = "journeys.view"
    JOURNEYS_EDIT = "journeys.edit"
    EVENTS_VIEW = "events.view"
    EVENTS_EDIT = "events.edit"
    EVENTS_DOOR = "events.door"
    REQUESTS_VIEW = "requests.view"
    REQUESTS_CREATE = "requests.create"
    REQUESTS_ASK = "requests.ask"
    SETTINGS = "settings"
    MAILBOX = "mailbox"
    AUDIT = "audit"


P = Permission
_VIEW = frozenset(
    {
        P.HOME, P.PEOPLE_VIEW, P.SEGMENTS, P.CAMPAIGNS_VIEW, P.JOURNEYS_VIEW, P.REQUESTS_VIEW,
        P.EVENTS_VIEW,
    }
)  # fmt: skip
ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.COORDINATOR: frozenset(Permission),
    Role.LIAISON: _VIEW
    | {
        P.PEOPLE_EDIT, P.CONTACT_VIEW, P.BLOCKED_VIEW, P.REQUESTS_CREATE, P.REQUESTS_ASK,
        P.EVENTS_EDIT, P.EVENTS_DOOR,
    },
    Role.SCHOOL: frozenset(
        {
            P.HOME, P.PEOPLE_VIEW, P.REQUESTS_VIEW, P.REQUESTS_CREATE, P.EVENTS_VIEW, P.EVENTS_DOOR,
        }
    ),
    Role.VIEWER: _VIEW,
}  # fmt: skip
"""What each role may do unless the district decided otherwise."""

ALWAYS: dict[Role, frozenset[Permission]] = {role: frozenset({P.HOME}) for role in Role} | {
    Role.COORDINATOR: frozenset({P.HOME, P.PEOPLE_VIEW, P.SETTINGS, P.AUDIT})
}
"""What no district can take from a role: nobody is locked out of their own installation."""

AT_MOST: dict[Role, frozenset[Permission]] = {
    Role.COORDINATOR: frozenset(Permission),
    Role.LIAISON: ROLE_PERMISSIONS[Role.LIAISON] | {P.EXPORT},
    Role.SCHOOL: ROLE_PERMISSIONS[Role.SCHOOL] | {P.SEGMENTS, P.EVENTS_EDIT},
    Role.VIEWER: _VIEW | {P.EXPORT},
}
"""What a district can give to a role at most.

What reaches beyond a scope (imports, mailings, settings, the kept mail, the audit trail) stays with
coordinators, and no setting shows a school the addresses of those it has no yes from (law 8).
"""


def permissions_of(role: Role, changes: Mapping[str, bool]) -> frozenset[Permission]:
    """What a role may do, given what the district granted (True) or took (False) by permission."""
    granted = {p for p in Permission if changes.get(p) is True}
    taken = {p for p in Permission if changes.get(p) is False}
    return (((ROLE_PERMISSIONS[role] | granted) & AT_MOST[role]) - taken) | ALWAYS[role]


@dataclass(frozen=True)
class Viewer:
    """A staff account at work: its role and the schools it may look into.

    `school_ids` is None for the whole district; an empty set sees no alumnus at all. `permissions`
    is None for what the role includes unless a district decided otherwise.
    """

    user_id: int | None
    role: Role
    name: str = ""
    school_ids: frozenset[int] | None = field(default=None)
    permissions: frozenset[Permission] | None = field(default=None)

    @property
    def granted(self) -> frozenset[Permission]:
        """Everything this viewer may do within the scope."""
        return ROLE_PERMISSIONS[self.role] if self.permissions is None else self.permissions

    def may(self, permission: Permission) -> bool:
        """Whether the viewer has the permission."""
        return permission in self.granted

    @property
    def sight(self) -> tuple[frozenset[int] | None, bool]:
        """What decides whom this viewer sees: two of the same sight get the same counts."""
        return self.school_ids, self.may(Permission.BLOCKED_VIEW)

    @property
    def sees_district(self) -> bool:
        """Whether no school wall stands in the way."""
        return self.school_ids is None


SYSTEM = Viewer(user_id=None, role=Role.COORDINATOR, name="Homecoming")
"""The program itself at work: jobs and commands run by whoever owns the machine."""
