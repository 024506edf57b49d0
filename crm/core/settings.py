"""Settings: read from the environment once, typed, checked, with every fault reported together."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from crm.core.errors import Refused

PREFIX = "HOMECOMING_"
LONGEST_GRACE = timedelta(days=90)


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("must be an http or https address such as https://alumni.district.org")
    return value.rstrip("/")


def _issuer(value: str) -> str:
    parts = urlsplit(_http_url(value))
    if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise ValueError("must be https: who signs in is decided there")
    if parts.query or parts.fragment:
        raise ValueError("must end before any ? or #")
    return value.rstrip("/")


def _database_url(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if not separator or scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise ValueError("must be a PostgreSQL address: postgresql://user@host/database")
    return f"postgresql+psycopg://{rest}"


def _smtp_url(value: str) -> str:
    if urlsplit(value).scheme not in {"smtp", "smtps"}:
        raise ValueError("must look like smtp://user:password@host:587 or smtps://host:465")
    return value


def _mail_from(value: str) -> str:
    address = value.rpartition("<")[2].rstrip("> ")
    try:
        validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(f"must hold a mail address: {error}") from error
    if any(c in value for c in "\r\n"):
        raise ValueError("must be one line")
    return value


def _public_key(value: str) -> str:
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("must be the base64 text that SendGrid shows") from error
    return value


class Settings(BaseModel):
    """Everything that may differ between two installations; names are part of the surface."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: Annotated[str, AfterValidator(_database_url)] | None = Field(
        None, description="PostgreSQL 15 or newer; without it an embedded server is started"
    )
    instance: Path = Field(Path("instance"), description="folder for the data of this installation")
    secret_key: Annotated[str, Field(min_length=16)] | None = Field(
        None, description="signs sessions and mailed links; made and kept in the instance if unset"
    )
    base_url: Annotated[str, AfterValidator(_http_url)] = Field(
        "http://127.0.0.1:8000", description="the address that mailed links begin with"
    )
    mail: Literal["mailbox", "smtp", "sendgrid"] = Field(
        "mailbox", description="where mail goes; mailbox keeps it and shows it at /mailbox"
    )
    smtp_url: Annotated[str, AfterValidator(_smtp_url)] | None = Field(
        None, description="mail server, needed when the transport is smtp"
    )
    mail_from: Annotated[str, AfterValidator(_mail_from)] = Field(
        "District Alumni Office <alumni@homecoming.example>",
        description="the sender that readers see",
    )
    postal_address: Annotated[str, Field(min_length=10, max_length=300)] = Field(
        "District Alumni Office, 100 Example Street, Springfield",
        description="printed in every mail, as the law asks",
    )
    trusted_proxies: Annotated[int, Field(ge=0, le=5)] = Field(
        0, description="how many reverse proxies stand in front of us"
    )
    send_hold: Annotated[int, Field(ge=0, le=4320)] = Field(
        25, description="minutes between hand-over and delivery, for the batch fence"
    )
    uncertain_grace: Annotated[int, Field(ge=1, le=10080)] = Field(
        15, description="minutes before a send of unknown outcome is acted on"
    )
    second_factor_grace: Annotated[int, Field(ge=0, le=LONGEST_GRACE.days)] = Field(
        7, description="days that coordinators have to set up a second factor; 0: at once"
    )
    export_alone: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        1000, description="people one account may export in a day without a second person"
    )
    oidc_issuer: Annotated[str, AfterValidator(_issuer)] | None = Field(
        None, description="the district's OpenID Connect provider; needs the two settings after it"
    )
    oidc_client_id: str | None = Field(None, description="what the provider calls us")
    oidc_client_secret: str | None = Field(
        None, repr=False, description="what only the provider and we know; never logged"
    )
    oidc_name: Annotated[str, Field(max_length=60)] = Field(
        "the district's account", description="what the button calls it: Sign in with …"
    )
    oidc_second_factor: str = Field(
        "", description="values of amr or acr by which the provider says that it saw two factors"
    )
    log: Literal["text", "json", "quiet"] = Field("text", description="how logs are written")
    sendgrid_api_key: str | None = Field(None, description="needed when the transport is sendgrid")
    sendgrid_host: Annotated[str, AfterValidator(_http_url)] = Field(
        "https://api.sendgrid.com", description="another base address: EU region, a test server"
    )
    sendgrid_webhook_public_key: Annotated[str, AfterValidator(_public_key)] | None = Field(
        None, description="checks that delivery events come from SendGrid"
    )
    sendgrid_inbound_public_key: Annotated[str, AfterValidator(_public_key)] | None = Field(
        None, description="checks that replies come from SendGrid; else the key of the events does"
    )

    @property
    def oidc_second_factor_values(self) -> frozenset[str]:
        """The values of `oidc_second_factor`, which are written with commas or blanks between."""
        return frozenset(self.oidc_second_factor.replace(",", " ").split())

    @property
    def secure(self) -> bool:
        """Whether pages are served by https, so that cookies may insist on it."""
        return self.base_url.startswith("https://")


OUTSIDE_NAMES = {
    "SENDGRID_API_KEY": "sendgrid_api_key",
    "SENDGRID_HOST": "sendgrid_host",
    "SENDGRID_WEBHOOK_PUBLIC_KEY": "sendgrid_webhook_public_key",
    "SENDGRID_INBOUND_PUBLIC_KEY": "sendgrid_inbound_public_key",
}
# Read by the bootstrap script and the tests, before there are any settings.
NOT_OURS = {"HOMECOMING_VENV", "HOMECOMING_TEST_DATABASE_URL"}


def environment_name(field: str) -> str:
    """The environment variable that sets a field."""
    for name, outside in OUTSIDE_NAMES.items():
        if outside == field:
            return name
    return PREFIX + field.upper()


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from `environ`; raises `Refused` with every fault, one line each."""
    values: dict[str, str] = {}
    faults: list[str] = []
    known = {environment_name(field): field for field in Settings.model_fields}
    for name, value in environ.items():
        if name in known:
            if value.strip():
                values[known[name]] = value.strip()
        elif name.startswith(PREFIX) and name not in NOT_OURS:
            faults.append(f"{name}: no such setting (known: {', '.join(sorted(known))})")
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        for fault in error.errors():
            message = fault["msg"].removeprefix("Value error, ")
            faults.append(f"{environment_name(str(fault['loc'][0]))}: {message}")
    if settings is not None:
        faults += _missing_together(settings)
    if faults or settings is None:
        raise Refused(faults)
    return settings


def _missing_together(settings: Settings) -> list[str]:
    """Settings that another setting makes necessary."""
    faults = []
    if settings.mail == "smtp" and not settings.smtp_url:
        faults.append("HOMECOMING_SMTP_URL: needed because HOMECOMING_MAIL is smtp")
    if settings.mail == "sendgrid" and not settings.sendgrid_api_key:
        faults.append("SENDGRID_API_KEY: needed because HOMECOMING_MAIL is sendgrid")
    if settings.mail == "sendgrid" and not settings.sendgrid_webhook_public_key:
        faults.append(
            "SENDGRID_WEBHOOK_PUBLIC_KEY: needed because HOMECOMING_MAIL is sendgrid; without "
            "delivery events an uncertain send could never be settled"
        )
    provider = ("oidc_issuer", "oidc_client_id", "oidc_client_secret")
    missing = [environment_name(field) for field in provider if not getattr(settings, field)]
    if 0 < len(missing) < len(provider):
        faults += [f"{name}: needed because another setting of the provider is" for name in missing]
    return faults


def secret_key(settings: Settings) -> str:
    """The signing key: the setting, or one made once and kept in the instance (mode 0600)."""
    if settings.secret_key:
        return settings.secret_key
    path = settings.instance / "secret-key"
    if not path.exists():
        settings.instance.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text().strip()
