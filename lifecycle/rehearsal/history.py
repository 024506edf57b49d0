"""Counts what a district's people did with its mail and of themselves; reads only."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from lifecycle.rehearsal.behaviour import EVENLY, Follow, History, Own, Tally

SINCE = timedelta(days=3 * 365)
RIPE = timedelta(days=30)
"""So old a mail must be to count: what it brings may take a while."""
YEAR = timedelta(days=365)
MOST = 50_000

RECENT = """
with recent as (
  select id, alumnus_id, origin, coalesce(topic_key, message_class) as topic, accepted_at,
    delivery, clicked_at
  from message
  where state = 'accepted' and alumnus_id is not null
    and accepted_at > :since and accepted_at <= :until
  order by accepted_at desc limit :most)"""
MAILS = f"""{RECENT},
seen as (
  select r.*, coalesce((select m.to_key from standing_move m
      where m.alumnus_id = r.alumnus_id and m.axis = 'stage' and m.at <= r.accepted_at
      order by m.at desc, m.id desc limit 1), 'quiet') as stage,
    exists (select from consent_entry c where c.alumnus_id = r.alumnus_id
      and c.state = 'withdrawn' and c.source in ('link', 'one_click', 'provider')
      and c.at > r.accepted_at and c.at <= r.accepted_at + interval '60 days') as gone,
    exists (select from interaction i where i.alumnus_id = r.alumnus_id and i.kind = 'replied'
      and i.origin = r.origin and i.occurred_at > r.accepted_at - interval '1 day'
      and i.occurred_at <= r.accepted_at + interval '60 days') as answered
  from recent r)
select topic, stage, count(*) as tries,
  count(*) filter (where delivery = 'bounced') as bounce,
  count(*) filter (where delivery = 'complained') as complain,
  count(*) filter (where gone and delivery <> 'complained') as leave,
  count(clicked_at) as click, count(*) filter (where answered) as replied
from seen group by topic, stage"""
DECILES = "array[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]"
CLICKS = f"""{RECENT}
select percentile_cont({DECILES}) within group
  (order by greatest(extract(epoch from clicked_at - accepted_at) / 86400.0, 0)) as days
from recent where clicked_at is not null"""
FOLLOWS = f"""{RECENT},
clicked as (select * from recent where clicked_at is not null),
first as (
  select c.id, i.kind, min(i.mode) as mode,
    min(extract(epoch from i.occurred_at - c.clicked_at)) / 86400.0 as days
  from clicked c join interaction i on i.alumnus_id = c.alumnus_id and not i.machine
    and i.kind not in ('link_clicked', 'replied')
    and i.occurred_at >= c.clicked_at and i.occurred_at <= c.clicked_at + interval '60 days'
  group by c.id, i.kind)
select kind, min(mode) as mode, count(*) as hits, (select count(*) from clicked) as clicks,
  percentile_cont({DECILES}) within group (order by days) as days
from first group by kind order by kind"""
OWN = """
with standings as (select stage, count(*) as people from standing group by stage)
select i.kind, i.mode, s.stage, count(*) as hits, min(t.people) as people
from interaction i join standing s on s.alumnus_id = i.alumnus_id
  join standings t on t.stage = s.stage
where i.occurred_at > :year and i.occurred_at <= :at and not i.machine
  and i.kind not in ('link_clicked', 'replied')
  and not exists (select from interaction c where c.alumnus_id = i.alumnus_id
    and c.kind = 'link_clicked' and not c.machine and c.occurred_at <= i.occurred_at
    and c.occurred_at > i.occurred_at - interval '60 days')
group by i.kind, i.mode, s.stage order by i.kind, i.mode, s.stage"""
MONTHS = """
select extract(month from occurred_at)::int as month, count(*) as hits from interaction
where occurred_at > :since and occurred_at <= :at and not machine
  and kind not in ('link_clicked', 'replied') group by 1"""


def measure(session: Session, at: datetime) -> History:
    """Count the newest 50,000 mails of three years, what followed clicks, and the last year."""
    span = {"since": at - SINCE, "until": at - RIPE, "most": MOST}
    rows = session.execute(text(MAILS), span).mappings().all()
    mails = {
        (row["topic"], row["stage"]): Tally(
            row["tries"],
            {deed: row[deed] for deed in ("bounce", "complain", "leave", "click", "replied")},
        )
        for row in rows
    }
    clicks = session.execute(text(CLICKS), span).scalar()
    follows = tuple(
        Follow(row.kind, row.mode, row.hits, row.clicks, tuple(row.days))
        for row in session.execute(text(FOLLOWS), span)
    )
    return History(
        mails=mails, follows=follows,
        own=tuple(Own(*row) for row in session.execute(
            text(OWN), {"at": at, "year": at - YEAR}
        )),
        delays={"click": tuple(clicks)} if clicks else {},
        months=_months(session, at),
    )  # fmt: skip


def _months(session: Session, at: datetime) -> tuple[float, ...]:
    """How much of what people do of themselves falls into each month."""
    counted: dict[int, int] = defaultdict(int)
    for row in session.execute(text(MONTHS), {"since": at - SINCE, "at": at}):
        counted[row.month] = row.hits
    total = sum(counted.values())
    if not total:
        return EVENLY
    return tuple((counted[month] + total / 60) / (total * 1.2) for month in range(1, 13))
