"""Keeps the district's tree: clusters, schools and the names that files call them by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.schools.aliases import code_key, name_key
from crm.schools.lineage import When, note_import
from crm.schools.models import Cluster, School, SchoolAlias, SchoolLevel, SchoolStatus

FIELDS = ("name", "level", "status", "street", "city", "state", "postal_code")


@dataclass(frozen=True)
class SchoolFacts:
    """What a file says of one school; None means that it says nothing."""

    name: str
    nces_id: str | None = None
    level: SchoolLevel | None = None
    status: SchoolStatus | None = None
    street: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    cluster: str | None = None
    codes: tuple[str, ...] = ()


@dataclass
class Outcome:
    """What became of one school's facts: each changed field before and after, and what was made.

    `notes` are the ids of the changes that its lineage keeps, `aliases` those of new names and
    numbers, `cluster_id` that of a cluster that was made for it, `clusters` the names of its
    cluster before and after.
    """

    school_id: int
    new: bool
    fields: dict[str, list[Any]] = field(default_factory=dict)
    notes: list[int] = field(default_factory=list)
    aliases: list[int] = field(default_factory=list)
    cluster_id: int | None = None
    clusters: tuple[str | None, str | None] = (None, None)

    @property
    def changed(self) -> bool:
        """Whether the facts were news."""
        return bool(self.fields or self.aliases)


@dataclass
class Saved:
    """What became of each of a file's schools, in its order."""

    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def created(self) -> int:
        """How many schools the file made."""
        return sum(one.new for one in self.outcomes)

    @property
    def updated(self) -> int:
        """How many facts changed a school that was known."""
        return sum(one.changed and not one.new for one in self.outcomes)

    @property
    def unchanged(self) -> int:
        """How many facts were known."""
        return len(self.outcomes) - self.created - self.updated


@dataclass
class _District:
    """All schools in memory while a file is saved: a district, even a state, has few."""

    session: Session
    at: datetime
    by_nces: dict[str, School] = field(default_factory=dict)
    by_id: dict[int, School] = field(default_factory=dict)
    clusters: dict[str, Cluster] = field(default_factory=dict)
    aliases: dict[tuple[str, str], int] = field(default_factory=dict)
    named: dict[str, int] = field(default_factory=dict)
    new: set[int] = field(default_factory=set)

    def load(self) -> None:
        """Read what stands."""
        for school in self.session.scalars(select(School)):
            self.by_id[school.id] = school
            if school.nces_id:
                self.by_nces[school.nces_id] = school
        self.clusters = {c.name.casefold(): c for c in self.session.scalars(select(Cluster))}
        rows = self.session.execute(
            select(SchoolAlias.kind, SchoolAlias.key, SchoolAlias.school_id)
        )
        self.aliases = {(kind, key): school_id for kind, key, school_id in rows}
        for school in self.by_id.values():
            self.named.setdefault(name_key(school.name), school.id)

    def find(self, facts: SchoolFacts) -> School | None:
        """The school that the facts are about: by NCES id, else by code, else by name."""
        if facts.nces_id and facts.nces_id in self.by_nces:
            return self.by_nces[facts.nces_id]
        name = name_key(facts.name)
        ids = [self.aliases.get(("code", code_key(code))) for code in facts.codes]
        ids += [self.aliases.get(("name", name)), self.named.get(name)]
        for school_id in ids:
            school = self.by_id.get(school_id or 0)
            # Two schools may share a name, never an NCES id.
            if school and (not facts.nces_id or school.nces_id in (None, facts.nces_id)):
                return school
        return None

    def cluster_id(self, name: str, done: Outcome) -> int:
        """The cluster's id; a new name makes a new cluster."""
        cluster = self.clusters.get(name.casefold())
        if cluster is None:
            cluster = Cluster(name=name)
            self.session.add(cluster)
            self.session.flush()
            self.clusters[name.casefold()] = cluster
            done.cluster_id = cluster.id
        return cluster.id

    def add(self, facts: SchoolFacts) -> School:
        """A new school."""
        school = School(
            name=facts.name, nces_id=facts.nces_id, level=facts.level or SchoolLevel.HIGH,
            status=facts.status or SchoolStatus.OPEN, street=facts.street, city=facts.city,
            state=facts.state, postal_code=facts.postal_code, created_at=self.at,
        )  # fmt: skip
        self.session.add(school)
        self.session.flush()
        self.by_id[school.id] = school
        self.new.add(school.id)
        if facts.nces_id:
            self.by_nces[facts.nces_id] = school
        return school

    def change(self, school: School, facts: SchoolFacts, done: Outcome) -> None:
        """Bring the facts in; what the file leaves blank stays."""
        news = {name: getattr(facts, name) for name in FIELDS}
        if facts.nces_id and school.nces_id is None:
            news["nces_id"] = facts.nces_id
            self.by_nces[facts.nces_id] = school
        if facts.cluster:
            news["cluster_id"] = self.cluster_id(facts.cluster, done)
        changed = {n: v for n, v in news.items() if v is not None and getattr(school, n) != v}
        if changed and school.id not in self.new:
            when = When(self.at.date(), self.at, None)
            done.notes = [note.id for note in note_import(self.session, school, changed, when)]
        for name, value in changed.items():
            done.fields[name] = [getattr(school, name), value]
            setattr(school, name, value)
        if "cluster_id" in changed:
            names = {cluster.id: cluster.name for cluster in self.clusters.values()}
            done.clusters = names.get(done.fields["cluster_id"][0]), names[changed["cluster_id"]]

    def note_aliases(self, school: School, facts: SchoolFacts, done: Outcome) -> None:
        """Remember every name; one that already means another school stays with that school."""
        keys = [("name", name_key(facts.name)), *(("code", code_key(c)) for c in facts.codes)]
        if school.nces_id:
            keys.append(("nces", school.nces_id))
        new = [key for key in dict.fromkeys(keys) if key[1] and key not in self.aliases]
        made = [SchoolAlias(school_id=school.id, kind=kind, key=key) for kind, key in new]
        self.session.add_all(made)
        self.session.flush()
        done.aliases = [alias.id for alias in made]
        self.aliases.update(dict.fromkeys(new, school.id))


def save_schools(session: Session, schools: Iterable[SchoolFacts], *, at: datetime) -> Saved:
    """Create and update schools with their clusters and aliases; blank facts change nothing."""
    district = _District(session, at)
    district.load()
    saved = Saved()
    for facts in schools:
        school = district.find(facts)
        new = school is None
        school = school or district.add(facts)
        done = Outcome(school.id, new)
        district.change(school, facts, done)
        district.note_aliases(school, facts, done)
        saved.outcomes.append(done)
    session.flush()
    return saved
