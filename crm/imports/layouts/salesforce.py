"""Salesforce: the labels of the Nonprofit Success Pack's data import, and of the education cloud.

“Preferred Email” and “Preferred Phone” name a kind (Personal, Mobile) and hold no address. The
account of a person without an employer is their own household. Of an affiliation (account, role,
status) nobody can say whether it is a job, so it is left out. Exports of the bulk loader have the
fields' own names (`hed__Former_Last_Name__c`), which are read the same.
"""

from __future__ import annotations

from crm.imports.layout import Layout

NPSP = Layout(
    key="npsp",
    label="Salesforce NPSP",
    signature=(
        "Contact1 First Name", "Contact1 Last Name", "Contact1 Birthdate", "Contact1 Title",
        "Contact1 Personal Email", "Contact1 Preferred Email", "Account1 Name",
        "Contact1 Mobile Phone", "Household Phone", "Campaign Member Status",
    ),
    needed=2,
    columns={
        "id.salesforce": ("Contact1 Imported", "Contact1 ID", "Contact1 Contact ID"),
        "given_name": ("Contact1 First Name",),
        "middle_name": ("Contact1 Middle Name",),
        "family_name": ("Contact1 Last Name",),
        "suffix": ("Contact1 Suffix",),
        "birth_date": ("Contact1 Birthdate",),
        "job_title": ("Contact1 Title",),
        "email": (
            "Contact1 Personal Email", "Contact1 Work Email", "Contact1 Alternate Email",
            "Contact1 Other Email",
        ),
        "phone": (
            "Contact1 Mobile Phone", "Contact1 Home Phone", "Contact1 Work Phone",
            "Contact1 Other Phone", "Household Phone",
        ),
        "street": ("Home Street",),
        "city": ("Home City",),
        "state": ("Home State/Province",),
        "postal_code": ("Home Zip/Postal Code",),
        "employer": ("Account1 Name",),
        "deceased": ("Contact1 Deceased",),
        "do_not_contact": ("Contact1 Do Not Contact",),
        "do_not_email": ("Contact1 Do Not Email",),
        "opt_out": ("Contact1 Email Opt Out", "Contact1 Has Opted Out of Email"),
    },
    no_news={"employer": r".*\b(household|family|administrative account)"},
    left_out=(
        "Contact1 Salutation", "Contact1 Preferred Email", "Contact1 Preferred Phone",
        "Home Country", "Campaign Member Status",
    ),
)  # fmt: skip

EDA = Layout(
    key="eda",
    label="Salesforce education (EDA)",
    signature=(
        "Chosen Full Name", "Former Last Name", "Primary Language", "FERPA", "Alternate Email",
        "Educational Institution Name", "Degree Earned", "Preferred Email", "Do Not Contact",
        "University Email",
    ),
    needed=3,
    columns={
        "id.salesforce": ("Contact ID", "Contact", "ID"),
        "id.sis": ("Student ID", "Student Number"),
        "name.full": ("Full Name", "Name", "Chosen Full Name"),
        "given_name": ("First Name",),
        "middle_name": ("Middle Name",),
        "family_name": ("Last Name",),
        "suffix": ("Suffix",),
        "preferred_name": ("Chosen First Name", "Preferred First Name"),
        "former_name": ("Former Last Name",),
        "birth_date": ("Birthdate", "Birth Date"),
        "language": ("Primary Language",),
        "email": ("Email", "Personal Email", "Alternate Email", "Work Email", "Home Email"),
        "email.school": ("University Email", "School Email"),
        "phone": ("Mobile Phone", "Mobile", "Phone", "Home Phone"),
        "street": ("Mailing Street",),
        "city": ("Mailing City",),
        "state": ("Mailing State/Province", "Mailing State"),
        "postal_code": ("Mailing Zip/Postal Code", "Mailing Postal Code"),
        "school": ("Educational Institution Name", "Educational Institution"),
        "graduated_on": ("Graduation Date",),
        "left_on": ("End Date",),
        "credential": ("Degree Earned",),
        "class_year": ("Class Year",),
        "job_title": ("Title",),
        "ferpa_block": ("FERPA",),
        "deceased": ("Deceased",),
        "do_not_contact": ("Do Not Contact",),
        "do_not_email": ("Do Not Email",),
        "opt_out": ("Email Opt Out", "Has Opted Out of Email"),
    },
    left_out=(
        "Salutation", "Preferred Email", "Preferred Phone", "Start Date", "Mailing Country",
        "Account", "Account Name", "Account ID", "Role", "Status", "Primary",
    ),
)  # fmt: skip
