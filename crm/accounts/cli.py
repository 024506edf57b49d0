"""Commands of the accounts area: `users invite`, `list`, `deactivate`, `reset-factor`."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import select

from crm.accounts import factor, queries, service
from crm.accounts.models import User
from crm.core import clock
from crm.core.cli import reporting
from crm.core.database import db
from crm.core.errors import Refused
from crm.core.viewer import SYSTEM, Role
from crm.schools.models import Cluster, School

users = AppGroup("users", help="Staff accounts.")


@users.command("invite")
@click.argument("email")
@click.option("--role", type=click.Choice([r.value for r in Role]), required=True)
@click.option("--school", "schools", multiple=True, metavar="NCES", help="A school's NCES id.")
@click.option("--cluster", "clusters", multiple=True, metavar="NAME", help="A cluster's name.")
@click.option("--name", default="", help="The person's name.")
@reporting
def invite(
    email: str, role: str, schools: tuple[str, ...], clusters: tuple[str, ...], name: str
) -> dict[str, Any]:
    """Make an account; its sign-in link is mailed and printed (good once, for 24 hours)."""
    school_ids = _ids(School.id, School.nces_id, schools, "--school: no school has NCES id")
    cluster_ids = _ids(Cluster.id, Cluster.name, clusters, "--cluster: no cluster is called")
    user, link = service.invite(
        db.session(), email=email, role=Role(role), name=name, school_ids=school_ids,
        cluster_ids=cluster_ids, by=SYSTEM, at=clock.now(),
    )  # fmt: skip
    db.session.commit()
    return {"link": link, "email": user.email, "role": user.role.value, "user_id": user.id}


@users.command("list")
@reporting
def list_users() -> dict[str, Any]:
    """All accounts."""
    found = list(db.session().scalars(select(User).order_by(User.name, User.id)))
    scopes = queries.scopes_of(db.session(), [user.id for user in found])
    rows = [
        {
            "email": user.email, "name": user.name, "role": user.role.value,
            "active": user.active, "scope": scopes[user.id].names,
        }
        for user in found
    ]  # fmt: skip
    return {"users": rows}


@users.command("deactivate")
@click.argument("email")
@reporting
def deactivate(email: str) -> dict[str, Any]:
    """Close an account; its sessions end at once."""
    user = queries.user_by_email(db.session(), service.staff_address(email))
    if user is None:
        raise Refused([f"Nobody has an account with the address {email}."])
    service.deactivate(db.session(), user, by=SYSTEM, at=clock.now())
    db.session.commit()
    return {"email": user.email, "active": user.active}


@users.command("reset-factor")
@click.argument("email")
@reporting
def reset_factor(email: str) -> dict[str, Any]:
    """Take away the second factor of somebody who lost it; a mail tells them."""
    user = queries.user_by_email(db.session(), service.staff_address(email))
    if user is None:
        raise Refused([f"Nobody has an account with the address {email}."])
    had = factor.confirmed(db.session(), user.id) is not None
    factor.reset(db.session(), user, by=SYSTEM, at=clock.now())
    db.session.commit()
    return {"email": user.email, "had_factor": had}


def _ids(column: Any, key: Any, wanted: tuple[str, ...], fault: str) -> list[int]:
    """The ids of the places named, or `Refused` with those that do not exist."""
    clean = [value.strip().replace("\x00", "") for value in wanted]
    rows = db.session().execute(select(key, column).where(key.in_(clean)))
    found: dict[str, int] = dict(rows.all())
    if missing := [value for value in clean if value not in found]:
        raise Refused([f"{fault} {value}." for value in missing])
    return list(found.values())
