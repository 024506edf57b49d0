"""PowerSchool's student export: field names as in its Students table, usually tab-delimited.

Graduates have Enroll_Status 3 and Grade_Level 99 and sit in school 999999 “Graduated Students”, so
the true school comes from Graduated_SchoolID or stays unknown. E-mails of mother, father and
guardian, the home phone and the mailing address are the parents'.
"""

from __future__ import annotations

from crm.imports.layout import Layout

POWERSCHOOL = Layout(
    key="powerschool",
    label="PowerSchool",
    roster=True,
    signature=(
        "Enroll_Status", "Sched_YearOfGraduation", "State_StudentNumber", "SchoolID", "ExitCode",
        "Graduated_SchoolID", "Network_ID", "Home_Room", "student_email", "Student_Number",
    ),
    needed=3,
    columns={
        "id.sis": ("Student_Number",),
        "id.state": ("State_StudentNumber", "State_Student_ID"),
        "id.powerschool": ("DCID", "ID", "Student_ID"),
        "given_name": ("First_Name",),
        "middle_name": ("Middle_Name",),
        "family_name": ("Last_Name",),
        "suffix": ("Suffix", "Name_Suffix"),
        "preferred_name": ("Preferred_Name", "Nickname", "Preferred_First_Name"),
        "name.full": ("LastFirst", "Student_Name"),
        "birth_date": ("DOB", "Birth_Date", "Birthdate"),
        "grade": ("Grade_Level",),
        "status": ("Enroll_Status",),
        "class_year": ("Sched_YearOfGraduation", "ClassOf", "Class_Of", "Graduation_Year"),
        "left_on": ("ExitDate",),
        "graduated_on": ("Graduation_Date", "GraduationDate", "Diploma_Date"),
        "credential": ("Diploma_Type", "DiplomaType"),
        "school": ("SchoolID", "School_Number", "School_Name", "School"),
        "school.graduated": ("Graduated_SchoolID", "Graduated_SchoolName", "Grad_SchoolID"),
        "email.student": ("student_email", "Email", "Email_Addr", "Student_Web_Email"),
        "email": ("Personal_Email", "Alternate_Email", "Home_Email"),
        "email.parent": (
            "Mother_Email", "Father_Email", "Guardian_Email", "GuardianEmail", "Parent_Email",
            "Guardian1_Email", "Guardian2_Email", "Contact1_Email", "Contact2_Email",
        ),
        "phone": ("Student_Cell", "Student_Phone", "Cell_Phone", "Mobile"),
        "phone.home": ("Home_Phone",),
        "phone.parent": (
            "Mother_Phone", "Father_Phone", "Mother_Cell", "Father_Cell", "MotherDayPhone",
            "FatherDayPhone", "Mother_Home_Phone", "Father_Home_Phone", "Guardian_Phone",
        ),
        "street.home": ("Mailing_Street", "Street"),
        "city": ("Mailing_City", "City"),
        "state": ("Mailing_State", "State"),
        "postal_code": ("Mailing_Zip", "Zip"),
        "language": ("Home_Language", "PrimaryLanguage", "Primary_Language"),
        "ferpa_block": ("FERPA", "FERPA_Block", "Directory_Opt_Out", "Exclude_From_Directory"),
        "role": ("Role", "Person_Type"),
    },
    left_out=(
        "EntryDate", "EntryCode", "ExitCode", "Network_ID", "Home_Room", "Mother", "Father",
        "Guardian", "GuardianFN", "GuardianLN", "Track", "FTEID", "ScheduleID",
    ),
    values={
        "status": {
            "-2": "left", "-1": "skip", "0": "enrolled", "1": "left", "2": "left", "3": "graduated",
            "4": "left",
        },
        "grade": {"99": "graduated"},
    },
    fake_schools=frozenset({"999999", "999998"}),
)  # fmt: skip
