"""What the rank looks at of the people who may be asked for a way, as arrays with a row each.

Some statements for any number of people; numbers only, names are read of whom a page shows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, and_, column, func, literal_column, select
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus, Interest, InterestKind, Schooling
from crm.core.viewer import Viewer
from crm.interactions.models import Interaction, Mode
from segments.asks.models import Ask, AskState
from segments.targeting.matrices import read_matrix
from segments.targeting.models import PropensityModel, ScoreBlock
from segments.targeting.scores import SIZE
from segments.targeting.service import EVERY_WAY

Numbers = NDArray[np.float64]
Ids = NDArray[np.int64]
Flags = NDArray[np.bool_]
YEAR = timedelta(days=365)
NOWHERE = 0.0
ASKS = ("asks", "asks_year", "yeses", "last_ask")
DEEDS = ("deeds", "deeds_year", "last_deed")
FEW = 4
"""Of fewer subjects everybody who cares for one is read, and else the subjects of people."""
NOBODY = np.empty((0, 2))


@dataclass(frozen=True)
class People:
    """Arrays with a row a person, in the order of ids; NaN where something is not known.

    Words (`city`, `code` of five digits, `state`, `language`, `work`) are hashes, 0 for none.
    Moments are seconds since 1970. `ties` and `subjects` are pairs of a row and a school's id, or
    the hash of a subject. `offers` and `score` are of one way to help (`helping`).
    """

    ids: Ids
    class_year: Numbers
    city: Numbers
    code: Numbers
    state: Numbers
    language: Numbers
    work: Numbers
    offers: Flags
    score: Numbers
    deeds: Numbers
    deeds_year: Numbers
    last_deed: Numbers
    asks: Numbers
    asks_year: Numbers
    yeses: Numbers
    last_ask: Numbers
    ties: tuple[Ids, Ids]
    subjects: tuple[Ids, Numbers]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Ids) -> People:
        """These rows (ascending) alone."""
        plain = {
            column.name: getattr(self, column.name)[rows]
            for column in fields(self)
            if column.name not in ("ties", "subjects")
        }
        place = np.full(len(self), -1)
        place[rows] = np.arange(len(rows))
        return People(
            **plain, ties=_kept(place, *self.ties), subjects=_kept(place, *self.subjects)
        )  # fmt: skip

    def helping(self, offers: Flags, score: Numbers) -> People:
        """The same people as seen for one way to help."""
        return replace(self, offers=offers, score=score)

    def rows_of(self, ids: Ids) -> Ids:
        """The rows of these people, who must all be here."""
        return np.searchsorted(self.ids, ids).astype(np.int64)


def _kept(place: Ids, row: Ids, what: Any) -> Any:
    kept = place[row] >= 0
    return place[row[kept]], what[kept]


def hashed(word: Any) -> Any:
    """The number that stands for a word, 0 for none."""
    return func.coalesce(func.hashtext(func.nullif(word, "")), NOWHERE)


def load_people(session: Session, ids: Ids, viewer: Viewer) -> People:
    """What is known of those of these people (each once) whom a viewer may know of and who may be
    written to by their own row; without their history, ties and subjects."""
    main = read_matrix(session, _plain(these(ids), viewer))
    main = main[np.argsort(main[:, 0], kind="stable")]
    nothing = np.empty(0, dtype=np.int64)
    counts = {name: np.zeros(len(main)) for name in (*ASKS[:-1], *DEEDS[:-1])}
    moments = {name: np.full(len(main), np.nan) for name in (ASKS[-1], DEEDS[-1])}
    return People(
        ids=main[:, 0].astype(np.int64), class_year=main[:, 1], city=main[:, 2], code=main[:, 3],
        state=main[:, 4], language=main[:, 5], work=main[:, 6],
        offers=np.zeros(len(main), dtype=bool), score=np.full(len(main), np.nan),
        ties=(nothing, nothing), subjects=(nothing, np.empty(0)), **counts, **moments,
    )  # fmt: skip


def recall(session: Session, people: People, rows: Ids, at: datetime) -> None:
    """Fill in what these rows were asked and gave up to a moment."""
    wanted = these(people.ids[rows])
    for names, statement in ((ASKS, _asks(wanted, at)), (DEEDS, _deeds(wanted, at))):
        found = read_matrix(session, statement)
        place = people.rows_of(found[:, 0].astype(np.int64))
        for n, name in enumerate(names, 1):
            getattr(people, name)[place] = found[:, n]


def related(
    session: Session, people: People, near: Collection[int], subjects: Collection[str]
) -> People:
    """The same people with their ties to these schools and their interest in these subjects.

    Few schools and subjects are read by theirs, and many by the people.
    """
    wanted = None if len(subjects) < FEW else these(people.ids)
    ties = _of(people, read_matrix(session, _ties(wanted, near))) if near else NOBODY
    cares = _of(people, read_matrix(session, _subjects(wanted, subjects))) if subjects else NOBODY
    return replace(
        people, ties=(ties[:, 0].astype(np.int64), ties[:, 1].astype(np.int64)),
        subjects=(cares[:, 0].astype(np.int64), cares[:, 1]),
    )  # fmt: skip


def _of(people: People, pairs: Numbers) -> Numbers:
    """The pairs of an id and something else that are of these people, as rows."""
    if not len(people):
        return NOBODY
    place = np.searchsorted(people.ids, pairs[:, 0]).clip(max=len(people) - 1)
    mine = people.ids[place] == pairs[:, 0]
    return np.column_stack([place[mine], pairs[mine, 1]])


def these(ids: Ids) -> Any:
    """The ids as a table of one column; written out: what is read packed has no parameters."""
    array: Any = literal_column("'{" + ",".join(map(str, ids.tolist())) + "}'::bigint[]")
    return func.unnest(array).table_valued(column("id", BigInteger)).render_derived("these")


def _plain(wanted: Any, viewer: Viewer) -> Any:
    return (
        select(
            Alumnus.id, Alumnus.class_year, hashed(func.lower(Alumnus.city)),
            hashed(func.left(Alumnus.postal_code, 5)), hashed(func.upper(Alumnus.state)),
            hashed(Alumnus.language), hashed(func.lower(Alumnus.field_of_work)),
        )
        .select_from(wanted).join(Alumnus, Alumnus.id == wanted.c.id)
        .where(
            visible_alumni(viewer), Alumnus.deceased.is_(False), Alumnus.ferpa_block.is_(False),
            Alumnus.do_not_contact.is_(False),
        )
    )  # fmt: skip


def live_scores(session: Session, ids: Ids, ways: Sequence[str]) -> Mapping[str, Numbers]:
    """For each way the chances that its live model keeps of these people (ascending), else those
    of the model of all ways; NaN where there are none."""
    found = select(PropensityModel.way_key, PropensityModel.id).where(
        PropensityModel.live, PropensityModel.way_key.in_([*ways, EVERY_WAY])
    )
    live: dict[str, int] = dict(session.execute(found).all())
    kept = {way: _scores(session, ids, way, model) for way, model in live.items()}
    general = kept.get(EVERY_WAY, np.full(len(ids), np.nan))
    return {
        way: np.where(np.isnan(kept[way]), general, kept[way]) if way in kept else general
        for way in ways
    }


def _scores(session: Session, ids: Ids, way_key: str, model_id: int) -> Numbers:
    wanted, block = these(ids), ScoreBlock
    mine = block.no == wanted.c.id // SIZE, block.way_key == way_key, block.model_id == model_id
    chances: Any = block.chances[wanted.c.id % SIZE + 1]
    rows = read_matrix(
        session, select(wanted.c.id, chances).select_from(wanted).join(block, and_(*mine))
    )
    found = np.full(len(ids), np.nan)
    found[np.searchsorted(ids, rows[:, 0])] = rows[:, 1]
    return found


def _asks(wanted: Any, at: datetime) -> Any:
    """Asks that reached them so far, those of a year, yeses, the last one."""
    return (
        select(
            Ask.alumnus_id, func.count(), func.count().filter(Ask.asked_at > at - YEAR),
            func.count().filter(Ask.state == AskState.ACCEPTED),
            func.extract("epoch", func.max(Ask.asked_at)),
        )
        .select_from(wanted).join(Ask, Ask.alumnus_id == wanted.c.id)
        .where(Ask.state != AskState.CANCELLED)
        .group_by(Ask.alumnus_id)
    )  # fmt: skip


def _deeds(wanted: Any, at: datetime) -> Any:
    """How often they gave time before the moment, how often in the last year, when last."""
    return (
        select(
            Interaction.alumnus_id, func.count(),
            func.count().filter(Interaction.occurred_at > at - YEAR),
            func.extract("epoch", func.max(Interaction.occurred_at)),
        )
        .select_from(wanted).join(Interaction, Interaction.alumnus_id == wanted.c.id)
        .where(
            Interaction.mode == Mode.VOLUNTEER, ~Interaction.machine,
            Interaction.occurred_at < at,
        )
        .group_by(Interaction.alumnus_id)
    )  # fmt: skip


def _ties(wanted: Any, schools: Collection[int]) -> Any:
    found = select(Schooling.alumnus_id, Schooling.school_id).where(
        Schooling.school_id.in_(sorted(schools))
    )
    return found if wanted is None else found.join(wanted, Schooling.alumnus_id == wanted.c.id)


def _subjects(wanted: Any, keys: Collection[str]) -> Any:
    found = select(Interest.alumnus_id, hashed(Interest.key)).where(
        Interest.kind == InterestKind.SUBJECT, Interest.key.in_(sorted(keys))
    )
    return found if wanted is None else found.join(wanted, Interest.alumnus_id == wanted.c.id)
