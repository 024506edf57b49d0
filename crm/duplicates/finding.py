"""A pass over everybody: pairs that may be one person, each with its chance and its reasons.

Nothing is read twice and nothing is asked of the database in between: people are read into columns,
pairs are made from shared keys, weighed in pieces, and those worth a look are written in sets. A
pass over those who changed compares them with everybody, by the weights of the last full pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

import numpy as np
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.duplicates import blocking, comparing, weighing
from crm.duplicates.columns import People
from crm.duplicates.models import DuplicatePass
from crm.duplicates.population import load_people

THRESHOLD = 0.8
"""What is proposed before reviewers have taught us better."""
FLOOR = 0.5
"""Pairs from here on are kept; nobody is shown, and nothing learnt proposes, a lesser one."""
PIECE = 1_000_000
LEARNT_FROM = 1_500_000
FULL_EVERY = timedelta(days=6, hours=12)
REASONS = {
    "given": ("given_name", "like_name", "like_name", "swapped_name"),
    "family": ("family_name", "like_family_name", "like_family_name"),
    "birth": ("birth_date", "like_birth_date", "like_birth_date"),
    "class": ("class_year",),
    "place": ("place",),
    "street": ("street", "like_street"),
    "email": ("email", "like_email"),
    "phone": ("phone",),
    "school": ("school",),
}
"""The words for what speaks for a pair, by level from 1 on."""


def find_duplicates(session: Session, *, at: datetime, threshold: float = THRESHOLD) -> int:
    """Look through everybody; answers how many pairs from `threshold` on are open afterwards.

    Pairs that somebody decided stay as decided; open ones that are likely no more are dropped.
    """
    _pass(session, at=at)
    return count_from(session, threshold)


def find_arrived(session: Session, brought: Mapping[int, int], *, at: datetime) -> DuplicatePass:
    """Hold people against everybody; pairs are noted as those of the import that brought them."""
    return _pass(session, at=at, brought=brought)


def find_changed(session: Session, *, at: datetime) -> DuplicatePass:
    """The nightly pass: those who changed since the last one; everybody about once a week."""
    last = session.scalars(
        select(DuplicatePass).where(DuplicatePass.scope != "import")
        .order_by(DuplicatePass.id.desc()).limit(1)
    ).one_or_none()  # fmt: skip
    full = _last_full(session)
    if last is None or full is None or at - full.at >= FULL_EVERY:
        return _pass(session, at=at)
    return _pass(session, at=at, since=last.at)


def count_from(session: Session, threshold: float) -> int:
    """How many open pairs have at least this chance."""
    statement = "select count(*) from duplicate_pair where state = 'open' and probability >= :p"
    return int(session.execute(text(statement), {"p": threshold}).scalar_one())


def _last_full(session: Session) -> DuplicatePass | None:
    statement = select(DuplicatePass).where(DuplicatePass.scope == "all")
    return session.scalars(statement.order_by(DuplicatePass.id.desc()).limit(1)).one_or_none()


def _pass(
    session: Session,
    *,
    at: datetime,
    since: datetime | None = None,
    brought: Mapping[int, int] | None = None,
) -> DuplicatePass:
    start = perf_counter()
    people, changed = load_people(session, since)
    if brought is not None:
        changed = np.isin(people.ids, np.fromiter(brought, dtype=np.int64))
    everybody = bool(changed.all())
    pairs = blocking.candidates(people)
    if not everybody:
        one, other = blocking.rows_of(pairs)
        pairs = pairs[changed[one] | changed[other]]
    model = _model(session, people, pairs, everybody)
    _stage(session)
    for rows in _weighed(people, pairs, model):
        _copy(session, rows, brought or {})
    scope = "import" if brought is not None else "all" if everybody else "changed"
    done = DuplicatePass(
        at=at, scope=scope, people=int(changed.sum()), compared=len(pairs),
        seconds=0.0, model=model.as_json(),
    )  # fmt: skip
    session.add(done)
    _settle(session, at, None if everybody else people.ids[changed].tolist())
    done.seconds = round(perf_counter() - start, 3)
    session.flush()
    return done


def _model(
    session: Session, people: People, pairs: blocking.Pairs, everybody: bool
) -> weighing.Model:
    """Weights learnt from these pairs, or for a few people those of the last full pass."""
    model = weighing.start(people)
    last = None if everybody else _last_full(session)
    if last is not None:
        return weighing.recalled(model, last.model)
    if not len(pairs):
        return model
    sampled = min(1.0, LEARNT_FROM / len(pairs))
    draw = np.random.default_rng(len(pairs))
    some = pairs if sampled == 1 else draw.choice(pairs, LEARNT_FROM, replace=False)
    compared = comparing.compare(people, *blocking.rows_of(some))
    return weighing.learn(model, compared, people.count, sampled)


def _weighed(
    people: People, pairs: blocking.Pairs, model: weighing.Model
) -> Iterator[list[tuple[int, int, float, list[str]]]]:
    """(lower id, higher id, chance, reasons) of the pairs worth a look, piece by piece."""
    for begin in range(0, len(pairs), PIECE):
        one, other = blocking.rows_of(pairs[begin : begin + PIECE])
        compared = comparing.compare(people, one, other)
        chances, _ = model.chances(compared)
        here = np.flatnonzero(chances >= FLOOR)
        yield [
            (a, b, round(p, 4), reasons(levels))
            for a, b, p, levels in zip(
                people.ids[one[here]].tolist(), people.ids[other[here]].tolist(),
                chances[here].tolist(), compared.levels[here].tolist(), strict=True,
            )
        ]  # fmt: skip


def reasons(levels: Sequence[int]) -> list[str]:
    """The words for what speaks for a pair."""
    found = []
    for name, said in REASONS.items():
        level = levels[comparing.COLUMN[name]]
        if 0 < level <= len(said):
            found.append(said[level - 1])
    return found


def _stage(session: Session) -> None:
    session.execute(text("drop table if exists pg_temp.found_pair"))
    session.execute(
        text(
            """create temporary table found_pair (first_id bigint, second_id bigint,
            probability double precision, reasons jsonb, import_id bigint) on commit drop"""
        )
    )


def _copy(
    session: Session,
    rows: Sequence[tuple[int, int, float, list[str]]],
    brought: Mapping[int, int],
) -> None:
    raw = session.connection().connection.cursor()
    with raw.copy("copy found_pair from stdin") as copy:
        for first, second, probability, why in rows:
            words = "[" + ", ".join(f'"{word}"' for word in why) + "]"
            source = brought.get(second, brought.get(first))
            copy.write_row((first, second, probability, words, source))


def _settle(session: Session, at: datetime, changed: Sequence[int] | None) -> None:
    """Bring the open pairs to what was found; what somebody decided stays as it is."""
    values: dict[str, Any] = {"at": at, "changed": changed}
    mine = "" if changed is None else """and (p.first_id = any(:changed)
        or p.second_id = any(:changed))"""  # fmt: skip
    if changed is None:
        del values["changed"]
    session.execute(text("create index on found_pair (first_id, second_id)"))
    session.execute(
        text(
            f"""delete from duplicate_pair p where p.state = 'open' {mine} and not exists (
            select from found_pair f
            where f.first_id = p.first_id and f.second_id = p.second_id)"""  # noqa: S608 - ours
        ),
        values,
    )
    session.execute(
        text(
            """insert into duplicate_pair
                (first_id, second_id, probability, reasons, state, found_at, note, import_id)
            select first_id, second_id, probability, reasons, 'open', :at, '',
                import_id from found_pair
            on conflict (first_id, second_id) do update
                set probability = excluded.probability, reasons = excluded.reasons,
                    import_id = coalesce(duplicate_pair.import_id, excluded.import_id)
                where duplicate_pair.state = 'open'"""
        ),
        {"at": at},
    )
