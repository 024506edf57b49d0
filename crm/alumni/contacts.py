"""Addresses as people write them, and the comparable form that tells two of them apart."""

from __future__ import annotations

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from crm.alumni.models import ContactKind
from crm.alumni.names import fold
from crm.core.errors import Invalid

MAX_LENGTH = 320
REGION = "US"


def email_form(text: str) -> tuple[str, str]:
    """A mail address as (value, key); raises `Invalid` with the reason if it cannot be one."""
    try:
        found = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        message = "“%(text)s” is no mail address. Write one such as name@example.org."
        raise Invalid(message, field="email", text=_short(text)) from error
    return found.normalized, found.normalized.lower()


def phone_form(text: str) -> tuple[str, str]:
    """A phone number as (value, E.164 key), read as American unless it begins with `+`."""
    try:
        number = phonenumbers.parse(text.strip(), REGION)
    except phonenumbers.NumberParseException as error:
        raise Invalid("“%(text)s” is no phone number.", field="phone", text=_short(text)) from error
    if not phonenumbers.is_possible_number(number):
        raise Invalid(
            "“%(text)s” has too many or too few digits.", field="phone", text=_short(text)
        )
    return (
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL),
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
    )


def postal_form(text: str) -> tuple[str, str]:
    """A postal address as (value with its lines kept, key without case, accents and signs)."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    value = "\n".join(line for line in lines if line)
    if not fold(value):
        raise Invalid("A postal address needs at least a street or a town.", field="postal")
    return value, fold(value)


FORMS = {
    ContactKind.EMAIL: email_form,
    ContactKind.PHONE: phone_form,
    ContactKind.POSTAL: postal_form,
}


def contact_form(kind: ContactKind, text: str) -> tuple[str, str]:
    """The (value, key) of a contact point of this kind; raises `Invalid`."""
    if len(text) > MAX_LENGTH or "\x00" in text:
        raise Invalid("Use at most %(most)s characters.", field=kind.value, most=MAX_LENGTH)
    return FORMS[kind](text)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"


def mask(address: str) -> str:
    """Enough of an address for its owner to know it: `a•••@gmail.com`."""
    local, _at, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}" if local else "•••"


def mask_phone(number: str) -> str:
    """The last two digits of a phone number."""
    return f"••• {number[-2:]}"
