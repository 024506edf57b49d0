"""The graduates file that a district sends to the National Student Clearinghouse each year.

A text file without column names: PH3 opens it, a PD3 line tells of one graduate in columns A to AB,
PT3 closes it with the number of lines. Of these columns the identity number and the demographics
are never read. The same data definitions also come as a table with column names.

Source: the Clearinghouse's guide to submitting a graduates file; the tag and the order within
columns A to J are written from memory of it.
"""

from __future__ import annotations

from crm.imports.layout import Frame, Layout

FRAME = Frame(
    opens="PH3",
    line="PD3",
    closes="PT3",
    columns=(
        "Record Type", "Student ID", "SSN", "First Name", "Middle Name", "Last Name", "Name Suffix",
        "Previous Last Name", "Previous First Name", "Date of Birth", "Diploma Type",
        "High School Graduation Date", "FERPA Block", "High School Name", "ACT Code", "Gender",
        "Ethnicity", "Economically Disadvantaged", "Grade 8 Mathematics", "High School Mathematics",
        "High School English", "Semesters of Mathematics", "Dual Enrollment", "ELL",
        "Advanced Placement", "Disability", "Program Code", "End of Line",
    ),
)  # fmt: skip

CLEARINGHOUSE = Layout(
    key="clearinghouse",
    label="Clearinghouse graduates file",
    roster=True,
    signature=("ACT Code", "FERPA Block", "High School Graduation Date", "Diploma Type"),
    needed=3,
    columns={
        "id.sis": ("Student ID", "StudentID"),
        "given_name": ("First Name",),
        "middle_name": ("Middle Name", "Middle Initial"),
        "family_name": ("Last Name",),
        "suffix": ("Name Suffix", "Suffix"),
        "former_name": ("Previous Last Name",),
        "birth_date": ("Date of Birth", "DOB"),
        "credential": ("Diploma Type",),
        "graduated_on": ("High School Graduation Date", "Grad Date", "Graduation Date"),
        "ferpa_block": ("FERPA Block",),
        "school": ("High School Name", "ACT Code"),
    },
    left_out=(
        "Record Type", "Previous First Name", "Grade 8 Mathematics", "High School Mathematics",
        "High School English", "Semesters of Mathematics", "Dual Enrollment", "Advanced Placement",
        "Program Code", "End of Line",
    ),
    frame=FRAME,
)  # fmt: skip
