"""Who is looking: the value every scoped read takes, with no database and no Flask behind it.

Roles, permissions and the wall of law 8 stand here as data, so that one page tells who may what.
"""

from __future__ import annotations

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
    REQUESTS_VIEW = "requests.view"
    REQUESTS_CREATE = "requests.create"
    REQUESTS_ASK = "requests.ask"
    SETTINGS = "settings"
    MAILBOX = "mailbox"
    AUDIT = "audit"


P = Permission
_VIEW = frozenset(
    {P.HOME, P.PEOPLE_VIEW, P.SEGMENTS, P.CAMPAIGNS_VIEW, P.JOURNEYS_VIEW, P.REQUESTS_VIEW}
)
ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.COORDINATOR: frozenset(Permission),
    Role.LIAISON: _VIEW
    | {P.PEOPLE_EDIT, P.CONTACT_VIEW, P.BLOCKED_VIEW, P.REQUESTS_CREATE, P.REQUESTS_ASK},
    Role.SCHOOL: frozenset({P.HOME, P.PEOPLE_VIEW, P.REQUESTS_VIEW, P.REQUESTS_CREATE}),
    Role.VIEWER: _VIEW,
}


@dataclass(frozen=True)
class Viewer:
    """A staff account at work: its role and the schools it may look into.

    `school_ids` is None for the whole district; an empty set sees no alumnus at all.
    """

    user_id: int | None
    role: Role
    name: str = ""
    school_ids: frozenset[int] | None = field(default=None)

    def may(self, permission: Permission) -> bool:
        """Whether the role includes the permission."""
        return permission in ROLE_PERMISSIONS[self.role]

    @property
    def sees_district(self) -> bool:
        """Whether no school wall stands in the way."""
        return self.school_ids is None


SYSTEM = Viewer(user_id=None, role=Role.COORDINATOR, name="Homecoming")
"""The program itself at work: jobs and commands run by whoever owns the machine."""
