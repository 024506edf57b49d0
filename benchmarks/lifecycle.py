"""Ticks of the engine against bare statements that change the same rows in tables like ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from benchmarks import acting
from benchmarks.data import filled_app
from benchmarks.figures import Figure
from benchmarks.work import alone, spent
from crm.core import clock
from crm.core.database import db
from crm.core.viewer import SYSTEM
from crm.mail.content import Variant, save_content
from lifecycle.engine.intake import follow_changes, meet_everybody
from lifecycle.engine.report import AdvanceReport
from lifecycle.engine.service import advance, step_all
from lifecycle.journeys import service

STEP_GOAL, ENTER_GOAL, SWEEP_GOAL = 1 / 0.6, 1 / 0.7, 1.6
SCAN_GOAL = 30.0
EMPTY_MS, EMPTY_TICKS = 5.0, 100
FEW = 500
"""One in so many comes into another phase on an ordinary day."""
BEFORE, AFTER = datetime(2026, 5, 31, 12, tzinfo=UTC), datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
JOURNEY = """\
journey: bench
name: Bench
serves: Measuring
enter: "class:1900.."
steps:
  - {id: rest, wait: 1d}
  - {id: letter, send: bench-letter, topic: news}
  - {id: heard, wait_for: replied, max: 3650d}
  - {id: done, exit: done}
"""
FLOOR_TABLES = (
    """create table floor_enrollment (like enrollment including all);
       alter table floor_enrollment add foreign key (journey_id) references journey,
         add foreign key (version_id) references journey_version,
         add foreign key (alumnus_id) references alumnus;
       alter table floor_enrollment set (fillfactor = 70)""",
    "create table floor_step_run (like step_run including all)",
    """create table floor_message (like message including all);
       alter table floor_message add foreign key (alumnus_id) references alumnus,
         add foreign key (version_id) references content_version;
       alter table floor_message set (fillfactor = 70)""",
    """create table floor_standing (like standing including all);
       alter table floor_standing add foreign key (alumnus_id) references alumnus;
       alter table floor_standing set (fillfactor = 60)""",
    """create table floor_move (like standing_move including all);
       alter table floor_move add foreign key (alumnus_id) references alumnus""",
)
ENTER = """insert into floor_enrollment (journey_id, version_id, alumnus_id, entry_key, state,
             step_no, seq, wake_at, anchor_at, entered_at)
           select j.id, j.live_version_id, a.id, 'once', 'waiting', 0, 0,
             cast(:at as timestamptz) + interval '1 day', :at, :at
           from alumnus a, journey j
           where a.class_year >= 1900 and not a.deceased and a.merged_into_id is null"""
LOG = """insert into floor_step_run (enrollment_id, seq, entered_on, step_no, outcome, at)
         select id, seq, cast(timezone('UTC', entered_at) as date), step_no, :word, :at
         from floor_enrollment where state = 'waiting' and step_no = :step and wake_at <= :at"""
QUEUE = """insert into floor_message (id, key, alumnus_id, message_class, topic_key, origin,
             version_id, merge, priority, state,
             queued_at, not_before, expires_at, attempt, delivery)
           select md5('journey:bench:' || e.id || ':' || e.seq)::uuid,
             'journey:bench:' || e.id || ':' || e.seq, e.alumnus_id, 'marketing', 'news',
             'journey:bench/letter', (select max(id) from content_version), '{}', 50, 'queued',
             :at, :at, :at, 0, 'none'
           from floor_enrollment e where state = 'waiting' and step_no = :step and wake_at <= :at"""
MOVE_ON = """update floor_enrollment set step_no = step_no + 1, seq = seq + 1, anchor_at = :at,
               wake_at = :wake where state = 'waiting' and step_no = :step and wake_at <= :at"""
PHASE = """case when a.graduated_on + interval '30 years' <= d.at then 'legacy'
             when a.graduated_on + interval '15 years' <= d.at then 'established'
             when a.graduated_on + interval '5 years' <= d.at then 'building'
             when a.graduated_on + interval '1 year' <= d.at then 'early' else 'new_graduate' end"""
SWEEP = (
    f"""insert into floor_move (alumnus_id, axis, from_key, to_key, at, since, cause)
        select s.alumnus_id, 'phase', s.phase, {PHASE}, :at, :at, '{{"rule": "time"}}'
        from floor_standing s join alumnus a on a.id = s.alumnus_id,
          (select cast(:at as timestamp) as at) d
        where s.next_at <= :at""",
    f"""update floor_standing s set phase = {PHASE}, phase_since = :at,
          next_at = cast(:at as timestamptz) + interval '4 years'
        from alumnus a, (select cast(:at as timestamp) as at) d
        where a.id = s.alumnus_id and s.next_at <= :at""",
)


def settle() -> None:
    """Write out what is dirty, so that neither side pays for the other."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("checkpoint"))


def measured(act: Callable[[], object]) -> float:
    """The milliseconds of processor of one side, from a settled start."""
    settle()
    return spent(act)


def bare(*statements: str, **values: object) -> float:
    """Milliseconds of processor of the statements in one transaction, commit included."""

    def act() -> None:
        with db.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement), values)

    return measured(act)


def tidy(*tables: str) -> None:
    """Vacuum and analyse, so that neither side works on what the other left behind."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in tables:
            connection.execute(text(f"vacuum (analyze) {table}"))


def count(statement: str) -> int:
    """One number."""
    with db.engine.connect() as connection:
        return int(connection.execute(text(statement)).scalar_one())


def publish(at: datetime) -> None:
    """The journey that everybody enters, with its letter."""
    variants = {"en": Variant("Hello {{ first_name }}", "", "A line.")}
    save_content(
        db.session(), key="bench-letter", name="Letter", topic_key="news", variants=variants,
        by=SYSTEM, at=at,
    )  # fmt: skip
    service.publish(db.session(), JOURNEY, name="bench.yaml", by=SYSTEM, at=at)
    db.session.commit()


def place_all(people: int) -> list[Figure]:
    """Everybody placed from all their interactions, against recency and frequency of everybody."""
    bare("truncate standing", "insert into alumnus_change (alumnus_id) select id from alumnus")
    floor = bare(
        """create table floor_recency as select alumnus_id, mode, count(*) as times,
             max(occurred_at) as last from interaction where not machine group by 1, 2"""
    )
    ours = measured(lambda: follow_changes(db.session(), BEFORE, AdvanceReport()))
    note = "floor: recency and frequency of everybody written to a table"
    return [Figure("lifecycle", "place everybody anew", people, "ms", ours, floor, note=note)]


def quiet_sweep(people: int, scan: float) -> list[Figure]:
    """An ordinary day, on which a few come into another phase, against placing everybody anew."""
    moving = f"select id from alumnus where id % {FEW} = 1"
    bare(
        f"""update standing set next_at = cast(:at as timestamptz) - interval '1 hour',
              stage_next_at = null where alumnus_id in ({moving})""",
        f"""update alumnus set graduated_on = cast(:at as date) - interval '5 years'
              where id in ({moving})""",
        "truncate alumnus_change", at=BEFORE + DAY / 4,
    )  # fmt: skip
    tidy("standing", "alumnus")
    report = AdvanceReport()
    took = measured(lambda: follow_changes(db.session(), BEFORE + DAY / 4, report))
    note = f"{report.moved:,} of {people:,} move; floor: the sweep; ours: everybody placed anew"
    return [
        Figure(
            "lifecycle", "times that a sweep is cheaper than a scan", people, "ms", scan,
            max(took, 1.0), SCAN_GOAL, at_least=True, note=note,
        )
    ]  # fmt: skip


def sweep() -> list[Figure]:
    """The first of June: every class that comes into another phase."""
    bare("insert into floor_standing select * from standing")
    tidy("standing", "floor_standing", "alumnus", "interaction")
    moving = count(f"select count(*) from standing where next_at <= '{AFTER.isoformat()}'")
    floor = bare(*SWEEP, at=AFTER)
    report = AdvanceReport()
    ours = measured(lambda: follow_changes(db.session(), AFTER, report))
    return [Figure("lifecycle", "phase sweep", moving, "ms", ours, floor, SWEEP_GOAL)]


def enter(people: int, at: datetime) -> list[Figure]:
    """Everybody enters a journey."""
    floor = bare(ENTER, at=at)
    report = AdvanceReport()
    ours = measured(lambda: meet_everybody(db.session(), at, report))
    same(report.entered, count("select count(*) from floor_enrollment"))
    return [Figure("lifecycle", "enter", report.entered, "ms", ours, floor, ENTER_GOAL)]


def step(name: str, number: int, at: datetime, *, sends: bool) -> list[Figure]:
    """Everybody takes one step."""
    tidy("enrollment", "floor_enrollment", "step_run", "floor_step_run", "message", "floor_message")
    word = "queued" if sends else "waited"
    wake = at + timedelta(days=3650 if sends else 0)
    statements = [LOG, *([QUEUE] if sends else []), MOVE_ON]
    floor = bare(*statements, word=word, at=at, step=number, wake=wake)
    report = AdvanceReport()
    ours = measured(lambda: step_all(db.session(), at, report, set()))
    same(report.stepped, count(f"select count(*) from floor_step_run where step_no = {number}"))
    return [Figure("lifecycle", name, report.stepped, "ms", ours, floor, STEP_GOAL)]


def same(ours: int, floor: int) -> None:
    """Both sides must have changed the same number of rows, or the ratio says nothing."""
    if ours != floor:
        raise RuntimeError(f"ours changed {ours} rows and the floor {floor}")


def empty_tick(waiting: int, at: datetime) -> list[Figure]:
    """A tick with nothing due, straight after the churn and once it has been vacuumed."""
    figures = []

    def ticks() -> None:
        for _ in range(EMPTY_TICKS):
            advance(at)

    for when in ("after churn", "at rest"):
        advance(at)
        took = spent(ticks) / EMPTY_TICKS
        name = f"empty tick {when}, everybody waiting"
        note = "floor: the goal itself"
        figures.append(Figure("lifecycle", name, waiting, "ms", took, EMPTY_MS, 1.0, note=note))
        tidy("enrollment", "standing", "alumnus_change", "message", "journey")
    return figures


def run(people: int) -> list[Figure]:
    """Every figure at one size, each district thrown away; processor time of both processes."""
    with filled_app(people), clock.at(AFTER):
        alone()
        bare(*FLOOR_TABLES)
        figures = place_all(people)
        figures += [*quiet_sweep(people, figures[0].ours), *sweep()]
        publish(AFTER)
        figures += enter(people, AFTER)
        waiting = count("select count(*) from enrollment")
        # The first run of the step has its wait behind it; the hop to the letter takes no time.
        figures += step("wait step", 0, AFTER + DAY, sends=False)
        wait = figures[-1]
        figures += step("send step", 1, AFTER + DAY, sends=True)
        figures += empty_tick(waiting, AFTER + DAY)
        figures += acting.orm_loop(wait.ours, wait.size, AFTER + DAY)
        figures += acting.longest(AFTER + 2 * DAY)
    with filled_app(min(people, acting.YEAR_PEOPLE)):
        alone()
        return [*figures, *acting.year(min(people, acting.YEAR_PEOPLE))]
