"""Law 3: files, merges, un-merges, undoing and erasing never loosen what a person withdrew."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, ContactPoint
from crm.consent import queries, service
from crm.consent.models import ConsentSource
from crm.core.errors import Conflict, NotAllowed
from crm.core.viewer import SYSTEM
from crm.duplicates.merging import merge, unmerge
from crm.duplicates.models import Merge
from crm.imports.models import ImportRun, ImportState
from crm.imports.undoing import undo_import
from crm.rights.erasing import erase
from tests.crm.imports.conftest import Bring, bring, north
from tests.factories import Make

__all__ = ["bring", "north"]
PEOPLE = 3
HEAD = "Student ID,First Name,Last Name,School,Class Year,Email,Opt Out,Opt In\n"
who = st.integers(0, PEOPLE - 1)
YES = {"Y", "yes"}
mark = st.sampled_from(["Y", "N", "", "yes", "0"])
file = st.tuples(st.just("file"), st.lists(st.tuples(who, mark, mark), min_size=1, max_size=3))
pair = st.sampled_from([(a, b) for a in range(PEOPLE) for b in range(PEOPLE) if a != b])
merging = pair.map(lambda pair: ("merge", *pair))
leaving = st.tuples(st.just("leave"), who, st.sampled_from(["news", "events", None]))
place = st.integers(0, 3)
# What one says and what joins two records comes oftener than the rest: the law breaks between them.
steps = st.lists(
    st.one_of(
        file, file, leaving, leaving, leaving, merging, merging, merging,
        st.tuples(st.just("unmerge"), place),
        st.tuples(st.just("unmerge"), place),
        st.tuples(st.just("undo"), place),
        st.tuples(st.just("erase"), who),
        st.tuples(st.just("provider"), who),
        st.tuples(st.just("return"), who, st.sampled_from(["news", "events"])),
    ),
    min_size=3, max_size=8,
)  # fmt: skip


@dataclass
class World:
    """A district of a few people: what each has left, and of whom a file said that they left."""

    session: Session
    bring: Bring
    at: datetime
    left: dict[int, set[str]] = field(default_factory=lambda: {n: set() for n in range(PEOPLE)})
    told: set[int] = field(default_factory=set)

    def address(self, n: int) -> str:
        return f"p{n}@mail.example"

    def records(self, n: int) -> list[Alumnus]:
        """The records that mail to this person's address would go to."""
        rows = select(Alumnus).join(ContactPoint).where(ContactPoint.key == self.address(n))
        found = []
        for row in self.session.scalars(rows).unique():
            while row.merged_into_id is not None and row.merged_into_id != row.id:
                row = self.session.get_one(Alumnus, row.merged_into_id)
            if row.merged_into_id is None:
                found.append(row)
        return found

    def may_get(self, n: int) -> set[str]:
        """The topics that could be mailed to the person's address."""
        key = literal(self.address(n))
        if self.session.scalar(select(queries.address_suppressed(key))):
            return set()
        gets: set[str] = set()
        for record in self.records(n):
            gets |= {k for k, yes in queries.choices_of(self.session, record.id).items() if yes}
        return gets

    def file(self, lines: list[tuple[int, str, str]]) -> None:
        text = "".join(
            f"S-{n},Given{n},Family{n},201,2010,{self.address(n)},{out},{in_}\n"
            for n, out, in_ in lines
        )
        run = self.bring(HEAD + text, at=self.at)
        assert run.state is ImportState.APPLIED
        topics = {topic.key for topic in queries.topics(self.session)}
        for n in {n for n, out, _ in lines if out in YES} - self.told:
            # A file that says so again has no news for who has since asked for mail themselves.
            self.left[n] |= topics
            self.told.add(n)

    def undo(self, place: int) -> None:
        applied = ImportRun.state == ImportState.APPLIED
        runs = self.session.scalars(select(ImportRun).where(applied).order_by(ImportRun.id)).all()
        if runs:
            undo_import(self.session, runs[place % len(runs)], at=self.at, by=SYSTEM)

    def merge(self, a: int, b: int) -> None:
        first, second = self.records(a), self.records(b)
        if first and second and first[0].id != second[0].id:
            merge(self.session, first[0].id, second[0].id, at=self.at, by=SYSTEM)

    def unmerge(self, place: int) -> None:
        stand = Merge.undone_at.is_(None)
        merges = self.session.scalars(select(Merge).where(stand).order_by(Merge.id)).all()
        if merges:
            try:
                unmerge(self.session, merges[place % len(merges)].id, at=self.at, by=SYSTEM)
            except Conflict:
                self.session.expire_all()

    def erase(self, n: int) -> None:
        for record in self.records(n)[:1]:
            erase(self.session, record.id, at=self.at, by=SYSTEM)

    def provider(self, n: int) -> None:
        """A provider may tighten and not loosen."""
        for record in self.records(n)[:1]:
            said: dict[str, Any] = {"source": ConsentSource.PROVIDER, "at": self.at}
            try:
                service.grant(self.session, record.id, topic_key="news", **said)
            except NotAllowed:
                return
            raise AssertionError("a provider granted")

    def leave(self, n: int, topic: str | None) -> None:
        for record in self.records(n):
            said: dict[str, Any] = {"source": ConsentSource.LINK, "at": self.at}
            service.withdraw(self.session, record.id, topic_key=topic, **said)

    def come_back(self, n: int, topic: str) -> None:
        for record in self.records(n):
            said: dict[str, Any] = {"source": ConsentSource.LINK, "at": self.at}
            service.grant(self.session, record.id, topic_key=topic, **said)


@given(todo=steps)
@example(todo=[("merge", 0, 1), ("leave", 1, "news"), ("unmerge", 0)])
@example(todo=[("file", [(1, "Y", "")]), ("merge", 0, 1), ("unmerge", 0)])
@example(todo=[("file", [(2, "Y", "")]), ("undo", 1), ("undo", 0), ("file", [(2, "N", "Y")])])
@example(todo=[("erase", 0), ("file", [(0, "N", "Y")])])
@example(todo=[("merge", 0, 1), ("file", [(0, "Y", "")]), ("unmerge", 0)])
@example(todo=[("merge", 0, 1), ("undo", 0), ("unmerge", 0)])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_may_be_mailed_grows_by_nobody_s_act_but_the_person_s_own(
    session: Session, make: Make, bring: Bring, north: Any, now: datetime,
    todo: list[tuple[Any, ...]],
) -> None:  # fmt: skip
    outer = session.begin_nested()
    try:
        world = World(session, bring, now)
        world.file([(n, "", "") for n in range(PEOPLE)])
        for verb, *arguments in todo:
            world.at += timedelta(minutes=1)
            before = {n: world.may_get(n) for n in range(PEOPLE)}
            known = {n: bool(world.records(n)) for n in range(PEOPLE)}
            acts = {"leave": world.leave, "return": world.come_back}
            acts.get(verb, getattr(world, verb, None))(*arguments)  # type: ignore[misc]
            session.flush()
            for n in range(PEOPLE):
                gets = world.may_get(n)
                mine = verb == "return" and world.records(arguments[0]) == world.records(n)
                if mine:
                    world.left[n] -= gets
                elif verb in {"file", "leave", "erase"}:
                    # While two records are one, what either says is the word of both.
                    world.left[n] |= before[n] - gets
                assert not gets & world.left[n], (verb, arguments, n)
                if known[n] and not mine and verb != "unmerge":
                    assert gets <= before[n], (verb, arguments, n)
    finally:
        outer.rollback()
        session.expire_all()
