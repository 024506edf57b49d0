"""Makes valid rows for tests; each takes what the test is about, flushes and answers the row."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from crm.accounts.models import User, UserScope
from crm.alumni.models import (
    Alumnus,
    ContactKind,
    ContactOwner,
    ContactPoint,
    ExternalId,
    Interest,
    InterestKind,
    Schooling,
    SchoolingStatus,
)
from crm.alumni.names import name_key, sort_key
from crm.core.viewer import Role
from crm.interactions.models import Interaction, Mode
from crm.schools.models import Cluster, School

T = TypeVar("T")
numbers = count(1)


class Make:
    """Factories bound to a session and a moment."""

    def __init__(self, session: Session, at: datetime) -> None:
        self.session = session
        self.at = at

    def save(self, row: T) -> T:
        """Add and flush any row."""
        self.session.add(row)
        self.session.flush()
        return row

    def cluster(self, name: str | None = None) -> Cluster:
        return self.save(Cluster(name=name or f"Cluster {next(numbers)}"))

    def school(
        self, name: str | None = None, *, cluster: Cluster | None = None, **values: Any
    ) -> School:
        n = next(numbers)
        values.setdefault("nces_id", f"1399999{n:05d}")
        values.setdefault("created_at", self.at)
        cluster_id = cluster.id if cluster else None
        return self.save(School(name=name or f"School {n}", cluster_id=cluster_id, **values))

    def user(
        self,
        role: Role = Role.COORDINATOR,
        *,
        school: School | None = None,
        cluster: Cluster | None = None,
        **values: Any,
    ) -> User:
        n = next(numbers)
        values = {"email": f"staff{n}@district.example", "name": f"Staff {n}", **values}
        user = self.save(User(role=role, created_at=self.at, **values))
        if school:
            self.save(UserScope(user_id=user.id, school_id=school.id))
        if cluster:
            self.save(UserScope(user_id=user.id, cluster_id=cluster.id))
        return user

    def alumnus(
        self,
        given_name: str = "Ada",
        family_name: str = "Mensah",
        *,
        school: School | None = None,
        class_year: int | None = 2015,
        email: str | None = "auto",
        ways: tuple[str, ...] = (),
        subjects: tuple[str, ...] = (),
        external_id: str | None = None,
        **values: Any,
    ) -> Alumnus:
        """An alumnus with one schooling and one own, working mail address (`email=None`: none)."""
        n = next(numbers)
        values.setdefault("graduated_on", date(class_year, 6, 1) if class_year else None)
        values.setdefault("created_at", self.at - timedelta(days=400))
        values.setdefault("updated_at", values["created_at"])
        person = Alumnus(
            given_name=given_name, family_name=family_name, class_year=class_year, **values
        )
        person.name_key = name_key(person)
        person.sort_key = sort_key(person)
        self.save(person)
        school = school or self.school()
        status = SchoolingStatus.GRADUATED
        self.save(
            Schooling(
                alumnus_id=person.id, school_id=school.id, class_year=class_year, status=status
            )
        )
        if email:
            self.email(
                person, f"{given_name}.{n}@mail.example".lower() if email == "auto" else email
            )
        for kind, keys in ((InterestKind.WAY, ways), (InterestKind.SUBJECT, subjects)):
            for key in keys:
                self.save(Interest(alumnus_id=person.id, kind=kind, key=key, since=self.at))
        if external_id:
            self.save(ExternalId(alumnus_id=person.id, system="sis", value=external_id))
        return person

    def email(self, person: Alumnus, value: str, **values: Any) -> ContactPoint:
        values = {"owner": ContactOwner.OWN, "preferred": True, **values}
        return self.save(
            ContactPoint(
                alumnus_id=person.id, kind=ContactKind.EMAIL, value=value, key=value.lower(),
                created_at=self.at, updated_at=self.at, **values,
            )
        )  # fmt: skip

    def interaction(
        self,
        person: Alumnus,
        kind: str = "talk_given",
        mode: Mode = Mode.VOLUNTEER,
        *,
        days_ago: float = 10,
        **values: Any,
    ) -> Interaction:
        occurred_at = self.at - timedelta(days=days_ago)
        values.setdefault("dedupe_key", f"test:{next(numbers)}")
        return self.save(
            Interaction(
                alumnus_id=person.id, occurred_at=occurred_at, kind=kind, mode=mode, **values
            )
        )
