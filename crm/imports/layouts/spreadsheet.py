"""The spreadsheet that an office kept by hand, with any of the usual column names."""

from __future__ import annotations

from crm.imports.layout import Layout

SPREADSHEET = Layout(
    key="spreadsheet",
    label="Spreadsheet",
    columns={
        "id.sis": (
            "Student Number", "Student ID", "Student No", "Student #", "StudentNbr", "SIS ID",
            "Local ID", "Local Student ID",
        ),
        "id.state": ("State ID", "State Student ID", "State Student Number", "GTID"),
        "id.record": (
            "ID", "Record ID", "External ID", "External Identifier", "Constituent ID", "Alumni ID",
            "Person ID", "Lookup ID", "Contact ID",
        ),
        "name.full": ("Name", "Full Name", "Alumni Name", "Alumnus", "Student", "Display Name",
            "Student Name"),
        "given_name": ("First Name", "First", "Given Name", "Forename", "FName"),
        "middle_name": ("Middle Name", "Middle", "Middle Initial", "MI", "MName"),
        "family_name": ("Last Name", "Last", "Surname", "Family Name", "LName"),
        "suffix": ("Suffix", "Name Suffix", "Individual Suffix"),
        "preferred_name": (
            "Preferred Name", "Chosen Name", "Nickname", "Nick Name", "Goes By",
            "Preferred First Name",
        ),
        "former_name": ("Maiden Name", "Former Name", "Former Last Name", "Birth Name", "Maiden",
            "Previous Name"),
        "birth_date": ("Birth Date", "Birthdate", "Birthday", "Date of Birth", "DOB", "BDay"),
        "class_year": (
            "Class Year", "Class", "Class Of", "Grad Year", "Graduation Year", "Year", "Yr",
            "Year Graduated", "Year of Graduation", "Social Class Year", "Graduating Class",
            "Cohort",
        ),
        "graduated_on": ("Graduation Date", "Graduated On", "Grad Date", "Date Graduated",
            "Diploma Date"),
        "left_on": ("Date Left", "Left On", "Exit Date", "Withdrawal Date"),
        "status": ("Status", "Graduation Status", "Enrollment Status"),
        "credential": ("Diploma", "Diploma Type", "Credential", "Degree"),
        "school": (
            "School", "High School", "School Name", "School Attended", "School Code",
            "School Number", "School ID", "Campus", "HS", "NCES ID", "NCESSCH", "High School Name",
        ),
        "email": (
            "Email", "E-mail", "Email Address", "E-mail Address", "Personal Email", "Home Email",
            "Preferred Email", "Mail", "Alternate Email", "Email 2", "Work Email", "Primary Email",
        ),
        "email.school": ("School Email", "Student Email", "District Email"),
        "email.parent": ("Parent Email", "Guardian Email", "Mother Email", "Father Email",
            "Parent/Guardian Email"),
        "phone": (
            "Phone", "Cell", "Mobile", "Cell Phone", "Mobile Phone", "Phone Number", "Telephone",
            "Home Phone", "Preferred Phone", "Tel", "Work Phone",
        ),
        "phone.parent": ("Parent Phone", "Guardian Phone", "Mother Phone", "Father Phone"),
        "street": ("Street", "Address", "Street Address", "Address 1", "Address Line 1",
            "Mailing Address", "Home Street", "Mailing Street"),
        "city": ("City", "Town", "Mailing City", "Home City"),
        "state": ("State", "Province", "State/Province", "Mailing State", "Home State/Province"),
        "postal_code": ("Zip", "Zip Code", "Postal Code", "Postcode", "Mailing Zip",
            "Home Zip/Postal Code"),
        "language": ("Language", "Preferred Language", "Home Language", "Primary Language"),
        "job_title": ("Job Title", "Job", "Occupation", "Position", "Profession"),
        "employer": ("Employer", "Company", "Organization", "Organisation", "Current Employer",
            "Workplace"),
        "field_of_work": ("Field of Work", "Industry", "Field", "Career Field", "Career"),
        "college": ("College", "University", "College Attended", "Higher Education",
            "Postsecondary"),
        "ways": ("Ways to Help", "Ways", "Volunteer Interests", "Willing To", "How I Can Help"),
        "subjects": ("Subjects", "Topics of Interest", "Interests", "Subject"),
        "ferpa_block": ("FERPA", "FERPA Block", "FERPA Hold", "Directory Opt Out", "Privacy Flag"),
        "deceased": ("Deceased", "Is Deceased", "Passed Away"),
        "do_not_contact": ("Do Not Contact", "DNC", "No Contact"),
        "do_not_email": ("Do Not Email", "No Email", "Do Not E-mail", "Email Opt Out"),
        "opt_out": (
            "Opt Out", "Unsubscribed", "Opted Out", "Has Opted Out of Email", "Unsubscribe",
            "No Bulk Emails (User Opt Out)", "No Bulk Emails", "Unsub Time", "UNSUB_TIME",
            "Unsubscribed At", "Opt Out Date", "Email Opted Out", "Email Unsubscribed",
        ),
        "opt_in": ("Opt In", "Email Opt In", "Subscribed", "Subscribe", "Newsletter", "Opted In"),
        "role": ("Role", "Person Type", "Type", "Constituent Type", "Affiliation"),
        "grade": ("Grade", "Grade Level"),
    },
    values={
        "status": {
            "graduate": "graduated", "graduated": "graduated", "grad": "graduated",
            "alumni": "graduated", "alumnus": "graduated", "alumna": "graduated",
            "enrolled": "enrolled", "senior": "enrolled",
            "left": "left", "transferred": "left", "withdrawn": "left", "did not graduate": "left",
            "non-graduate": "left", "attended": "left",
        },
    },
)  # fmt: skip
