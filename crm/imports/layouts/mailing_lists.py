"""360Alumni's template and listmonk's subscribers: lists made for mailing."""

from __future__ import annotations

from crm.imports.layout import Layout

ALUMNI360 = Layout(
    key="360alumni",
    label="360Alumni",
    signature=("Record ID", "Social Class Year", "Preferred Phone (mobile|work|home)"),
    needed=2,
    columns={
        "id.alumni360": ("Record ID",),
        "given_name": ("First Name",),
        "middle_name": ("Middle Name",),
        "family_name": ("Last Name",),
        "former_name": ("Maiden Name", "Former Name"),
        "suffix": ("Suffix",),
        "preferred_name": ("Preferred Name", "Nickname"),
        "birth_date": ("Birth Date", "Date of Birth", "Birthday"),
        "class_year": ("Social Class Year", "Social Class Year (4 digits)", "Class Year"),
        "school": ("School", "School Name"),
        "email": ("Email", "Primary Email", "Secondary Email", "Email Address"),
        "phone": ("Mobile Phone", "Home Phone", "Work Phone"),
        "street": ("Address", "Address 1", "Home Address"),
        "city": ("City", "Home City"),
        "state": ("State", "Home State"),
        "postal_code": ("Zip", "Zip Code", "Postal Code"),
        "employer": ("Employer", "Company"),
        "job_title": ("Job Title", "Position"),
        "field_of_work": ("Industry",),
        "deceased": ("Deceased",),
        "do_not_contact": ("Do Not Contact",),
        "do_not_email": ("Do Not Email", "No Email"),
        "opt_out": ("Unsubscribed", "Opt Out", "Email Opt Out"),
    },
    left_out=(
        "Preferred Phone", "Preferred Phone (mobile|work|home)", "Preferred Email", "Country",
    ),
)  # fmt: skip

LISTMONK = Layout(
    key="listmonk",
    label="listmonk",
    signature=("attributes", "email", "uuid", "name"),
    needed=3,
    columns={
        "id.listmonk": ("uuid",),
        "name.full": ("name",),
        "email": ("email",),
        "do_not_email": ("status",),
    },
    left_out=("id", "lists", "created_at", "updated_at", "attributes"),
    values={"do_not_email": {"enabled": "no", "": "no", "*": "yes"}},
)  # fmt: skip
