"""StudentTracker's detail report: what became of graduates at colleges, a line a term or degree.

Column names come with blanks, underscores, run together or cut. A status D says that somebody died;
no record found says nothing. The graduation and degree of these columns are the college's.
"""

from __future__ import annotations

from crm.imports.layout import Layout

STUDENTTRACKER = Layout(
    key="studenttracker",
    label="StudentTracker report",
    roster=True,
    signature=(
        "Your Unique Identifier", "Requester Return Field", "REQ_RETURN_FIELD", "Record Found Y/N",
        "College Code/Branch", "College Sequence", "COLLEGE_SEQ", "Enrollment Begin",
        "ENROLL_BEGIN", "2-Year/4-Year", "A2OR4YEAR", "Public/Private", "Search Date",
    ),
    needed=3,
    columns={
        "id.sis": ("Your Unique Identifier", "Unique Identifier", "UNIQUE_ID"),
        "given_name": ("First Name", "FNAME"),
        "middle_name": ("Middle Name", "Middle Initial", "MIDDLE_INIT", "MNAME"),
        "family_name": ("Last Name", "LNAME"),
        "suffix": ("Name Suffix", "Suffix"),
        "graduated_on": ("High School Grad Date", "HS_GRAD_DATE", "High School Graduation Date"),
        "college": ("College Name",),
        "deceased": ("Enrollment Status", "ENROLL_STATUS"),
    },
    left_out=(
        "Requester Return Field", "REQ_RETURN_FIELD", "Record Found Y/N", "RECORD_FOUND",
        "Search Date", "High School Code", "HS_CODE", "College Code/Branch", "COLLEGE_CODE",
        "College State", "2-Year/4-Year", "A2OR4YEAR", "Public/Private", "Enrollment Begin",
        "ENROLL_BEGIN", "Enrollment End", "ENROLL_END", "Class Level", "Graduated", "Graduated?",
        "Graduation Date", "GRAD_DATE", "Degree Title", "Major", "College Sequence", "COLLEGE_SEQ",
        "Program Code", "Reporting_Year", "LEA",
        *(f"ENROLL_{what}_{n}" for what in ("MAJOR", "CIP") for n in (1, 2)),
        *(f"Enrollment {what} {n}" for what in ("Major", "CIP") for n in (1, 2)),
        *(f"Degree {what} {n}" for what in ("Major", "CIP") for n in (1, 2, 3, 4)),
    ),
    values={"deceased": {"d": "yes", "*": "no"}},
    trimmed={"id.sis": "_"},
)  # fmt: skip
