"""OneRoster 1.1 `users.csv`: what both large student systems write for other programs.

Only `role` student is taken; passwords and agents (parents) are never looked at.
"""

from __future__ import annotations

from crm.imports.layout import Layout

OTHER_ROLES = (
    "administrator", "aide", "counselor", "districtadministrator", "guardian", "parent",
    "principal", "proctor", "relative", "siteadministrator", "systemadministrator", "teacher",
)  # fmt: skip
"""Every role of versions 1.1 and 1.2 but student."""
ONEROSTER = Layout(
    key="oneroster",
    label="OneRoster users",
    roster=True,
    signature=(
        "sourcedId", "dateLastModified", "enabledUser", "orgSourcedIds", "agentSourcedIds",
        "userIds",
    ),
    needed=3,
    columns={
        "id.oneroster": ("sourcedId",),
        "id.sis": ("identifier",),
        "given_name": ("givenName",),
        "middle_name": ("middleName",),
        "family_name": ("familyName",),
        "preferred_name": ("preferredGivenName", "preferredFirstName"),
        "status": ("status",),
        "grade": ("grades", "grade"),
        "birth_date": ("birthDate",),
        "school": ("orgSourcedIds", "primaryOrgSourcedId"),
        "email.student": ("email",),
        "phone": ("sms",),
        "phone.home": ("phone",),
        "role": ("role",),
    },
    left_out=(
        "dateLastModified", "enabledUser", "username", "userIds", "agentSourcedIds",
        "userMasterIdentifier", "pronouns", "resourceSourcedIds",
    ),
    values={
        "status": {"active": "enrolled", "inactive": "left", "tobedeleted": "left"},
        "role": dict.fromkeys(OTHER_ROLES, "skip"),
    },
)  # fmt: skip
