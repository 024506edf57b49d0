"""What `doctor` and the settings page look at: each finding says what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from flask import Flask
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from crm.core.database import db
from crm.core.embedded import EmbeddedServerError
from crm.core.errors import Refused
from crm.core.extend import Check, extensions
from crm.core.migrations import pending
from crm.core.models import Heartbeat
from crm.core.months import short_of, unfiled
from crm.core.settings import Settings

OLDEST_POSTGRES = 150_000
LATE = timedelta(minutes=2)
STUCK = timedelta(minutes=15)
MOST_STRAYS = 10_000
# Their owners' rules make mail from anywhere else fail DMARC.
FREE_MAIL = frozenset(
    {"gmail.com", "googlemail.com", "yahoo.com", "outlook.com", "hotmail.com", "aol.com",
     "icloud.com", "live.com", "msn.com", "proton.me"}
)  # fmt: skip
WAITING = """
select count(*) filter (where status = 'todo') as waiting,
       count(*) filter (where status = 'failed') as failed,
       min(e.at) filter (where status = 'todo') as since
from procrastinate_jobs j
left join lateral (select min(at) as at from procrastinate_events where job_id = j.id) e on true
"""


def findings(app: Flask, at: datetime) -> list[Check]:
    """Everything there is to say about this installation; nothing is changed or sent."""
    settings = app.config["SETTINGS"]
    found = [*check_settings(settings)]
    database = list(check_database(app))
    found += database
    if all(check.state != "fail" for check in database):
        found += [*check_heartbeats(at), *check_queue(at), *check_months(at)]
        for more in extensions(app).checks:
            found += more(at)
    return [*found, *check_mail(settings), *check_sending_domain(settings)]


def check_settings(settings: Settings) -> Iterator[Check]:
    """Values that are fit for trying out, and not for a district."""
    where, advice = _("set"), ""
    if not settings.secret_key:
        where = _("made here and kept in the instance folder")
        advice = _("Set HOMECOMING_SECRET_KEY where several machines run.")
    yield Check("secret key", "ok", where, advice)
    host = urlsplit(settings.base_url).hostname or ""
    if settings.secure:
        yield Check("base address", "ok", settings.base_url)
    elif host in {"127.0.0.1", "localhost", "::1"}:
        advice = _("Set HOMECOMING_BASE_URL to the https address that alumni will open.")
        detail = _("%(address)s works on this machine", address=settings.base_url)
        yield Check("base address", "warn", detail, advice)
    else:
        advice = _("Put a proxy with https before it: cookies and mailed links need it.")
        detail = _("%(address)s is not https", address=settings.base_url)
        yield Check("base address", "fail", detail, advice)
    if "postal_address" in settings.model_fields_set:
        yield Check("postal address", "ok", _("set"))
    else:
        advice = _("Set HOMECOMING_POSTAL_ADDRESS: the law asks for it in every mail.")
        yield Check("postal address", "warn", _("is the example"), advice)


def check_database(app: Flask) -> Iterator[Check]:
    """Whether it answers, is new enough and has our tables."""
    kind = _("embedded") if app.extensions["homecoming.server"] is not None else _("own")
    try:
        number = int(db.session.execute(text("show server_version_num")).scalar_one())
        missing = pending(app)
    except (SQLAlchemyError, EmbeddedServerError) as error:
        advice = _("Check HOMECOMING_DATABASE_URL, and that PostgreSQL runs.")
        detail = _("does not answer (%(fault)s)", fault=type(error).__name__)
        yield Check("database", "fail", detail, advice)
        return
    except Refused as error:
        advice = _("Install the newest version of Homecoming.")
        yield Check("migrations", "fail", str(error), advice)
        return
    finally:
        db.session.rollback()
    version = f"PostgreSQL {number // 10_000}.{number % 10_000} ({kind})"
    state = "ok" if number >= OLDEST_POSTGRES else "fail"
    yield Check("database", state, version, _("PostgreSQL 15 or newer is needed."))
    if missing:
        advice = _("Run `homecoming db upgrade`.")
        yield Check("migrations", "fail", _("%(n)s are missing", n=len(missing)), advice)
    else:
        yield Check("migrations", "ok", _("up to date"))


def check_heartbeats(at: datetime) -> Iterator[Check]:
    """When clock and worker were last heard of."""
    rows = db.session.execute(select(Heartbeat.name, Heartbeat.at))
    heard = dict(rows.all())
    db.session.rollback()
    for name in ("clock", "worker"):
        last = heard.get(name)
        advice = _("Start `homecoming serve`, or `homecoming %(name)s`.", name=name)
        if last is None:
            yield Check(name, "warn", _("has never run here"), advice)
        elif at - last > LATE:
            detail = _("was last heard of %(time)s ago", time=spell(at - last))
            yield Check(name, "fail", detail, advice)
        else:
            detail = _("beat %(time)s ago", time=spell(max(at - last, timedelta())))
            yield Check(name, "ok", detail)


def check_queue(at: datetime) -> Iterator[Check]:
    """How long jobs wait, and whether some failed."""
    row = db.session.execute(text(WAITING)).one()
    db.session.rollback()
    waited = at - row.since if row.since else timedelta()
    waiting = ngettext("%(num)s job waits", "%(num)s jobs wait", row.waiting)
    if waited > STUCK:
        detail = _("%(jobs)s, the oldest for %(time)s", jobs=waiting, time=spell(waited))
        yield Check("job queue", "warn", detail, _("Start a worker, or more of them."))
    else:
        yield Check("job queue", "ok", waiting)
    if row.failed:
        detail = _("%(n)s in the last 7 days", n=row.failed)
        yield Check("failed jobs", "warn", detail, _("The log tells why, under job.failed."))


def check_months(at: datetime) -> Iterator[Check]:
    """Whether tables kept by months have their next one, and no row that stands in none."""
    late, strays = short_of(db.session(), at), unfiled(db.session(), MOST_STRAYS)
    db.session.rollback()
    strays = {table: n for table, n in strays.items() if n}
    if late:
        detail = _("%(tables)s: the next month has no part", tables=", ".join(late))
        yield Check(
            "months", "warn", detail, _("Run `homecoming months`, and a worker and a clock.")
        )
    elif strays:
        told = ", ".join(f"{table} ({n})" for table, n in sorted(strays.items()))
        advice = _(
            "Run `homecoming months`. Rows of a month that cannot be right stay where they are."
        )
        yield Check("months", "warn", _("rows without a month: %(told)s", told=told), advice)
    else:
        yield Check("months", "ok", _("made ahead, every row in its own"))


def check_mail(settings: Settings) -> Iterator[Check]:
    """Where mail goes."""
    if settings.mail == "mailbox":
        advice = _("Set HOMECOMING_MAIL to smtp or sendgrid when alumni are to receive it.")
        yield Check("mail", "warn", _("stays here and is shown at /mailbox"), advice)
    elif settings.mail == "smtp":
        host = urlsplit(settings.smtp_url or "").hostname
        advice = _("Use smtps:// or a server with STARTTLS, and mind its hourly limit.")
        yield Check("mail", "ok", _("goes through %(host)s by SMTP", host=host), advice)
    else:
        host = urlsplit(settings.sendgrid_host).hostname
        detail = _("goes through SendGrid at %(host)s, events are signed", host=host)
        yield Check("mail", "ok", detail)


def check_sending_domain(settings: Settings) -> Iterator[Check]:
    """What can be known of the sending domain without asking the DNS."""
    domain = settings.mail_from.rpartition("@")[2].rstrip("> ").lower()
    if domain.endswith((".example", ".invalid", ".test", ".localhost")):
        advice = _("Set HOMECOMING_MAIL_FROM to an address of your district's domain.")
        state = "warn" if settings.mail == "mailbox" else "fail"
        yield Check("sender", state, _("%(domain)s is an example", domain=domain), advice)
        return
    if domain in FREE_MAIL:
        advice = _("Send from a domain of the district: mail from elsewhere fails DMARC.")
        detail = _("%(domain)s belongs to a mail provider", domain=domain)
        yield Check("sender", "fail", detail, advice)
        return
    yield Check("sender", "ok", domain)
    advice = _(
        "Publish SPF and DKIM for %(domain)s as your provider says, and a TXT record "
        "_dmarc.%(domain)s with at least v=DMARC1; p=none.", domain=domain,
    )  # fmt: skip
    detail = _("are in the DNS, which is not asked here")
    yield Check("SPF, DKIM, DMARC", "warn", detail, advice)
    if settings.secure:
        yield Check("one-click unsubscribe", "ok", _("its address is https"))
    else:
        advice = _("RFC 8058 wants https: set HOMECOMING_BASE_URL.")
        yield Check("one-click unsubscribe", "fail", _("its address is not https"), advice)


def spell(length: timedelta) -> str:
    """A length of time in its largest unit: 40 s, 12 min, 3 h, 5 d."""
    seconds = int(length.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
