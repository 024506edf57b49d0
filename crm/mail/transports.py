"""Which way out the settings name."""

from __future__ import annotations

from flask import Flask

from crm.mail.mailbox import MailboxTransport
from crm.mail.sendgrid import SendGridTransport
from crm.mail.smtp import SmtpTransport
from crm.mail.transport import Transport


def transport_of(app: Flask) -> Transport:
    """A new transport of the kind in the app's settings."""
    settings = app.config["SETTINGS"]
    if settings.mail == "smtp":
        return SmtpTransport(settings.smtp_url)
    if settings.mail == "sendgrid":
        return SendGridTransport(settings.sendgrid_api_key, settings.sendgrid_host)
    return MailboxTransport()
