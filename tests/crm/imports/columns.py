"""The columns of every kind of file that a district brings, as its maker writes them.

Sources: PowerSchool's Students table; the state extracts of Infinite Campus and its Graduation
table; 1EdTech OneRoster 1.1; the Clearinghouse's guides to the graduates file and to the
StudentTracker report; Blackbaud's import and list names; Salesforce's data import and education
objects; CiviCRM's schema; 360Alumni's template; listmonk's export.
"""

from __future__ import annotations


def named(text: str) -> tuple[str, ...]:
    """The names between commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


COLUMNS = {
    "powerschool": named(
        """Student_Number, State_StudentNumber, First_Name, Middle_Name, Last_Name, DOB, Gender,
        Grade_Level, SchoolID, EntryDate, ExitDate, ExitCode, Enroll_Status,
        Sched_YearOfGraduation, Home_Phone, Mailing_Street, Mailing_City, Mailing_State,
        Mailing_Zip, student_email, Network_ID, Mother_Email, Father_Email, Graduated_SchoolID"""
    ),
    "infinite_campus": named(
        """stateID, personID, studentNumber, lastName, firstName, middleName, suffix, birthdate,
        grade, stateGrade, startDate, endDate, startStatus, endStatus, schoolID, school.number,
        school.name, district.number, contact.email, calendarID, diplomaType, diplomaDate"""
    ),
    "oneroster": named(
        """sourcedId, status, dateLastModified, enabledUser, orgSourcedIds, role, username,
        userIds, givenName, familyName, middleName, identifier, email, sms, phone,
        agentSourcedIds, grades, password"""
    ),
    "clearinghouse": named(
        """Student ID, First Name, Last Name, Date of Birth, Diploma Type,
        High School Graduation Date, FERPA Block, High School Name, ACT Code, SSN"""
    ),
    "studenttracker": named(
        """YOUR_UNIQUE_IDENTIFIER, FIRST_NAME, MIDDLE_NAME, LAST_NAME, NAME_SUFFIX,
        REQUESTER_RETURN_FIELD, RECORD_FOUND_Y/N, HIGH_SCHOOL_CODE, HIGH_SCHOOL_GRAD_DATE,
        COLLEGE_CODE/BRANCH, COLLEGE_NAME, COLLEGE_STATE, 2-YEAR/4-YEAR, PUBLIC/PRIVATE,
        ENROLLMENT_BEGIN, ENROLLMENT_END, ENROLLMENT_STATUS, GRADUATED, GRADUATION_DATE,
        DEGREE_TITLE, MAJOR, COLLEGE_SEQUENCE, PROGRAM_CODE, Reporting_Year, LEA"""
    ),
    "raisers_edge": named(
        """ImportID, ConsID, ConsCode, Titl1, FirstName, MidName, LastName, NickName, Suff1,
        Gender, BDay, PrimAddID, AddrLines, AddrCity, AddrState, AddrCounty, AddrZip, AddrCountry,
        PhoneNum1, PhoneType1, PhoneNum2, PhoneType2, ESRSchoolName, ESRClassOf, ESRCampus,
        ESRDegree, ESRDateEnt, ESRDateLeft, ESRDateGrad, ESRPrimAlum, ORFullName, ORIsPrimary,
        ORIsEmp, CAttrCat1, CAttrDesc1"""
    ),
    "raisers_edge_nxt": named(
        """Lookup ID, System ID, First Name, Middle Name, Last Name, Preferred Name, Suffix,
        Former Name, Birth Date, Class Year"""
    ),
    "npsp": named(
        """Contact1 Salutation, Contact1 First Name, Contact1 Last Name, Contact1 Birthdate,
        Contact1 Title, Contact1 Preferred Email, Contact1 Personal Email, Contact1 Work Email,
        Contact1 Alternate Email, Contact1 Preferred Phone, Contact1 Home Phone,
        Contact1 Mobile Phone, Contact1 Work Phone, Contact1 Other Phone, Home Street, Home City,
        Home State/Province, Home Zip/Postal Code, Home Country, Household Phone, Account1 Name,
        Campaign Member Status"""
    ),
    "eda": named(
        """First Name, Last Name, Chosen Full Name, Former Last Name, Primary Language, FERPA,
        Do Not Contact, Deceased, Alternate Email, Account, Contact, Role, Status, Start Date,
        End Date, Primary, Educational Institution Name, Graduation Date, Degree Earned"""
    ),
    "civicrm": named(
        """Contact ID, Contact Type, Contact Subtype, Do Not Email, Do Not Phone, Do Not Mail,
        Do Not Sms, Do Not Trade, No Bulk Emails (User Opt Out), Legal Identifier,
        External Identifier, Sort Name, Display Name, Nickname, Preferred Communication Method,
        Preferred Language, Contact Source, Individual Prefix, First Name, Middle Name, Last Name,
        Individual Suffix, Formal Title, Job Title, Birth Date, Deceased, Deceased Date,
        Contact is in Trash, Street Address, City, Postal Code, State, Country, Phone, Email,
        Home-Email, Home-Phone, Work-Street Address"""
    ),
    "360alumni": named(
        """Record ID, First Name, Last Name, Social Class Year (4 digits),
        Preferred Phone (mobile|work|home)"""
    ),
    "listmonk": named("uuid, email, name, attributes, status, created_at, updated_at"),
}
GENERAL_TRACKER = named(
    """Your Unique Identifier, First Name, Middle Initial, Last Name, Name Suffix,
    Requester Return Field, Record Found Y/N, Search Date, College Code/Branch, College Name,
    College State, 2-year / 4-year, Public / Private, Enrollment Begin, Enrollment End,
    Enrollment Status, Class Level, Enrollment Major 1, Enrollment CIP 1, Enrollment Major 2,
    Enrollment CIP 2, Graduated?, Graduation Date, Degree Title, Degree Major 1, Degree Major 2,
    Degree Major 3, Degree Major 4, Degree CIP 1, Degree CIP 2, Degree CIP 3, Degree CIP 4,
    College Sequence"""
)
CUT_TRACKER = named(
    """UNIQUE_ID, FIRST_NAME, MIDDLE_INIT, LAST_NAME, NAME_SUFFIX, REQ_RETURN_FIELD,
    RECORD_FOUND, COLLEGE_CODE, COLLEGE_NAME, COLLEGE_STA, A2OR4YEAR, PUBLIC_PRIVATE,
    ENROLL_BEGIN, ENROLL_END, ENROLL_STATUS, CLASS_LEVEL, ENROLL_MAJOR_1, ENROLL_CIP_1, GRADUATED,
    GRAD_DATE, DEGREE_TITLE, DEGREE_MAJOR_1, DEGREE_CIP_1, COLLEGE_SEQ"""
)
