"""What the rank looks at of the people who may be asked for a way, as arrays with a row each.

Six statements for any number of people; numbers only, names are read of whom a page shows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    Select,
    case,
    column,
    exists,
    func,
    literal,
    literal_column,
    select,
)
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, Interest, InterestKind, Schooling
from crm.interactions.models import Interaction, Mode
from segments.asks.models import Ask, AskState
from segments.targeting.matrices import read_matrix
from segments.targeting.models import PropensityModel
from segments.targeting.scores import kept_of
from segments.targeting.service import EVERY_WAY

Numbers = NDArray[np.float64]
Ids = NDArray[np.int64]
Flags = NDArray[np.bool_]
YEAR = timedelta(days=365)
NOWHERE = 0.0


@dataclass(frozen=True)
class People:
    """Arrays with a row a person, in the order of ids; NaN where something is not known.

    Words (`city`, `code` of five digits, `state`, `language`, `work`) are hashes, 0 for none.
    Moments are seconds since 1970. `ties` and `subjects` are pairs of a row and a school's id, or
    the hash of a subject.
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
        """These rows alone; without ties and subjects, which `fit` has read by then."""
        nothing = np.empty(0, dtype=np.int64)
        plain = {
            column.name: getattr(self, column.name)[rows]
            for column in fields(self)
            if column.name not in ("ties", "subjects")
        }
        return People(**plain, ties=(nothing, nothing), subjects=(nothing, np.empty(0)))

    def rows_of(self, ids: Ids) -> Ids:
        """The rows of these people, who must all be here."""
        return np.searchsorted(self.ids, ids).astype(np.int64)


def hashed(word: Any) -> Any:
    """The number that stands for a word, 0 for none."""
    return func.coalesce(func.hashtext(func.nullif(word, "")), NOWHERE)


def load_people(session: Session, who: Select[int], *, way_key: str, at: datetime) -> People:
    """What was known at a moment of these people (a select of ids, each once)."""
    main = _sorted(read_matrix(session, _plain(session, who, way_key)))
    ids = main[:, 0].astype(np.int64)
    wanted = _these(ids)
    asks = _spread(ids, read_matrix(session, _asks(wanted, at)), 4)
    deeds = _spread(ids, read_matrix(session, _deeds(wanted, at)), 3)
    ties = read_matrix(session, _ties(wanted))
    subjects = read_matrix(session, _subjects(wanted))
    return People(
        ids=ids, class_year=main[:, 1], city=main[:, 2], code=main[:, 3], state=main[:, 4],
        language=main[:, 5], work=main[:, 6], offers=main[:, 7] > 0, score=main[:, 8],
        deeds=deeds[0], deeds_year=deeds[1], last_deed=deeds[2],
        asks=asks[0], asks_year=asks[1], yeses=asks[2], last_ask=asks[3],
        ties=(np.searchsorted(ids, ties[:, 0]), ties[:, 1].astype(np.int64)),
        subjects=(np.searchsorted(ids, subjects[:, 0]), subjects[:, 1]),
    )  # fmt: skip


def _sorted(rows: Numbers) -> Numbers:
    return rows[np.argsort(rows[:, 0], kind="stable")]


def _these(ids: Ids) -> Any:
    """The ids as a table of one column; written out, since COPY takes no parameters."""
    array: Any = literal_column("'{" + ",".join(map(str, ids.tolist())) + "}'::bigint[]")
    return func.unnest(array).table_valued(column("id", BigInteger)).render_derived("these")


def _spread(ids: Ids, rows: Numbers, width: int) -> list[Numbers]:
    """Counts (0 for whoever has no row) and at last a moment (NaN)."""
    found = np.zeros((len(ids), width))
    found[:, width - 1] = np.nan
    found[np.searchsorted(ids, rows[:, 0])] = rows[:, 1:]
    return [found[:, n] for n in range(width)]


def _plain(session: Session, who: Select[int], way_key: str) -> Any:
    people = who.subquery("people")
    statement = (
        select(
            Alumnus.id, Alumnus.class_year, hashed(func.lower(Alumnus.city)),
            hashed(func.left(Alumnus.postal_code, 5)), hashed(func.upper(Alumnus.state)),
            hashed(Alumnus.language), hashed(func.lower(Alumnus.field_of_work)),
            case((_offers(way_key), 1), else_=0),
        )
        .select_from(people).join(Alumnus, Alumnus.id == people.c[0])
    )  # fmt: skip
    live = {row.way_key: row.id for row in session.execute(_live(way_key))}
    chances = []
    for way in (way_key, EVERY_WAY):
        if way in live:
            block, same, chance = kept_of(way, live[way])
            statement = statement.outerjoin(block, same)
            chances.append(chance)
    return statement.add_columns(
        func.coalesce(*chances, literal("NaN")) if chances else literal("NaN")
    )


def _live(way_key: str) -> Select[str, int]:
    return select(PropensityModel.way_key, PropensityModel.id).where(
        PropensityModel.live, PropensityModel.way_key.in_([way_key, EVERY_WAY])
    )


def _offers(way_key: str) -> Any:
    return exists().where(
        Interest.alumnus_id == Alumnus.id, Interest.kind == InterestKind.WAY,
        Interest.key == way_key,
    )  # fmt: skip


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


def _ties(wanted: Any) -> Any:
    return select(Schooling.alumnus_id, Schooling.school_id).join_from(
        wanted, Schooling, Schooling.alumnus_id == wanted.c.id
    )


def _subjects(wanted: Any) -> Any:
    return (
        select(Interest.alumnus_id, hashed(Interest.key))
        .join_from(wanted, Interest, Interest.alumnus_id == wanted.c.id)
        .where(Interest.kind == InterestKind.SUBJECT)
    )
