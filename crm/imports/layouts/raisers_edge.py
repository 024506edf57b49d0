"""Raiser's Edge: the import names of the database view, and the labels of NXT lists.

The older one keeps e-mail addresses as a type of phone, and education records of any school.
"""

from __future__ import annotations

from crm.imports.layout import Layout

RAISERS_EDGE = Layout(
    key="raisers_edge",
    label="Raiser’s Edge",
    signature=(
        "ConsID", "ImportID", "ConsCode", "Titl1", "Suff1", "MidName", "PrimAddID", "AddrLines",
        "PhoneNum1", "PhoneType1", "ESRSchoolName", "ESRClassOf", "ORFullName",
    ),
    needed=3,
    columns={
        "id.raisers_edge": ("ConsID", "Constituent ID"),
        "given_name": ("FirstName",),
        "middle_name": ("MidName",),
        "family_name": ("LastName", "KeyName"),
        "suffix": ("Suff1",),
        "preferred_name": ("NickName",),
        "former_name": ("MaidName", "MaidenName"),
        "birth_date": ("BDay", "BirthDate"),
        "deceased": ("Deceased", "IsDeceased"),
        "street": ("AddrLines",),
        "city": ("AddrCity",),
        "state": ("AddrState",),
        "postal_code": ("AddrZip", "AddrZIP"),
        "phone_or_email": tuple(f"PhoneNum{n}" for n in range(1, 9)),
        "email": ("EMail", "EmailNum1"),
        "school": ("ESRSchoolName",),
        "class_year": ("ESRClassOf",),
        "credential": ("ESRDegree",),
        "left_on": ("ESRDateLeft",),
        "graduated_on": ("ESRDateGrad",),
        "employer": ("ORFullName",),
        "job_title": ("ORPos", "Position"),
        "do_not_contact": ("DoNotContact", "DNContact"),
        "do_not_email": ("NoEmail", "DoNotEmail", "ReqNoEmail", "DNEmail"),
        "opt_out": ("RequestsNoEmail", "NoBulkEmail"),
    },
    left_out=(
        "ImportID", "ConsCode", "Titl1", "PrimAddID", "AddrCounty", "AddrCountry", "ESRCampus",
        "ESRDateEnt", "ESRPrimAlum", "ORIsPrimary", "ORIsEmp",
        *(f"PhoneType{n}" for n in range(1, 9)),
    ),
)  # fmt: skip

NXT = Layout(
    key="raisers_edge_nxt",
    label="Raiser’s Edge NXT",
    signature=("Lookup ID", "System ID"),
    needed=2,
    columns={
        "id.raisers_edge": ("Lookup ID",),
        "id.nxt": ("System ID",),
        "name.full": ("Name", "Full Name"),
        "given_name": ("First Name",),
        "middle_name": ("Middle Name",),
        "family_name": ("Last Name",),
        "preferred_name": ("Preferred Name",),
        "suffix": ("Suffix",),
        "former_name": ("Former Name", "Maiden Name"),
        "birth_date": ("Birth Date", "Birthdate"),
        "class_year": ("Class Year", "Class of"),
        "school": ("School", "School Name"),
        "email": ("Email", "Email Address", "Primary Email"),
        "phone": ("Phone", "Phone Number", "Primary Phone"),
        "street": ("Address", "Address Lines", "Street"),
        "city": ("City",),
        "state": ("State",),
        "postal_code": ("ZIP", "Zip Code", "Postal Code"),
        "employer": ("Employer", "Primary Business", "Organization"),
        "job_title": ("Position", "Job Title"),
        "deceased": ("Deceased",),
        "do_not_contact": ("Do not contact",),
        "do_not_email": ("Requests no email", "Do not email"),
        "opt_out": ("Email opt out", "Unsubscribed"),
        "role": ("Type", "Constituent type"),
    },
    left_out=("Title", "Age", "Inactive", "Gives anonymously", "Marital Status"),
    values={"role": {"organization": "skip"}},
)  # fmt: skip
