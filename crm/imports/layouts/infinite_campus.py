"""Infinite Campus ad hoc exports: columns are district-made, with or without a table prefix.

A filled diploma date makes a graduate. The codes of endStatus differ by state: the table below is
a start, and a mapping file brings a district's own
(`{"values": {"endStatus": {"04": "graduated"}}}`).
"""

from __future__ import annotations

from crm.imports.layout import Layout

INFINITE_CAMPUS = Layout(
    key="infinite_campus",
    label="Infinite Campus",
    roster=True,
    signature=(
        "personID", "stateID", "endStatus", "startStatus", "diplomaDate", "diplomaType",
        "calendarID", "school.number", "stateGrade", "contact.email",
    ),
    needed=2,
    columns={
        "id.sis": ("studentNumber",),
        "id.state": ("stateID",),
        "id.infinite_campus": ("personID",),
        "given_name": ("firstName",),
        "middle_name": ("middleName",),
        "family_name": ("lastName",),
        "suffix": ("suffix",),
        "preferred_name": ("alias", "nickname", "preferredName"),
        "birth_date": ("birthdate", "birthDate", "dob"),
        "grade": ("grade", "stateGrade"),
        "status": ("endStatus",),
        "left_on": ("endDate",),
        "graduated_on": ("diplomaDate",),
        "credential": ("diplomaType",),
        "class_year": ("cohortYear", "gradYear", "cohortEndYear", "cohortYearNGA", "classOf"),
        "school": ("school.number", "school.name", "schoolID", "schoolName", "school"),
        "email.student": ("contact.email", "studentEmail", "email"),
        "email": ("secondaryEmail", "personalEmail"),
        "email.parent": ("guardianEmail", "parentEmail", "parentGuardian.email", "householdEmail"),
        "phone": ("contact.cellPhone", "cellPhone", "studentCellPhone"),
        "phone.home": ("contact.homePhone", "homePhone", "householdPhone", "household.phone"),
        "phone.parent": ("guardianPhone", "parentPhone"),
        "street.home": ("address.street", "addressLine1", "mailingAddress", "street"),
        "city": ("address.city", "city"),
        "state": ("address.state", "state"),
        "postal_code": ("address.zip", "zip"),
        "language": ("homePrimaryLanguage", "homeLanguage", "language"),
        "ferpa_block": ("ferpa", "ferpaBlock", "directoryOptOut", "privacyFlag"),
        "role": ("role", "personType"),
    },
    left_out=(
        "startDate", "startStatus", "district.number", "calendarID", "calendarName", "structureID",
        "enrollmentID", "endYear", "serviceType",
    ),
    values={
        "status": {
            "g": "graduated", "grad": "graduated", "graduated": "graduated", "w": "left",
            "t": "left", "d": "left", "transfer": "left", "withdrawn": "left", "dropout": "left",
        },
    },
)  # fmt: skip
