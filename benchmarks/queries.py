"""What people ask for, as it is typed and as the SQL that somebody would write for it alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.data import ZIP
from crm.alumni.near import zips_within
from crm.web.paging import PAGE

SHOWN = 1_000
COUNTED = 10_000


@dataclass(frozen=True)
class Query:
    """A query as it is typed, and the condition on `alumnus a` that means the same."""

    typed: str
    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the figures call it."""
        return f"`{self.typed}`" if self.typed else "everybody"

    def page(self, *, later: bool = False) -> str:
        """The first page by name as the list shows it, or the one after (`sort_key`, `id`).

        Nothing of the wall but that merged records are out, since the indexes leave them out too.
        """
        after = "and (sort_key, id) > (%(sort_key)s, %(id)s)" if later else ""
        return f"""select {LINE} from alumnus a where merged_into_id is null and {self.sql} {after}
            order by sort_key, id limit {PAGE}"""

    def count(self, limit: int) -> str:
        """How many there are, one above `limit` at most."""
        return f"""select count(*) from (select from alumnus a where merged_into_id is null
            and {self.sql} limit {limit + 1}) as found"""


LINE = """a.id, preferred_name, given_name, middle_name, family_name, suffix, class_year, city,
  state, ferpa_block, deceased, do_not_contact,
  (select array_agg(h.name order by s.class_year desc) from
  schooling s join school h on h.id = s.school_id where s.alumnus_id = a.id) as schools,
  (select stage from standing t where t.alumnus_id = a.id) as stage"""
WORDS = "to_tsvector('simple', name_key) @@ to_tsquery('simple', '%s')"
SCHOOL = "school_id = (select id from school where name = 'School 4 High')"
NEAR = "left(postal_code, 5) = any(%(zips)s)"
ZIPS = {"zips": list(zips_within(ZIP, 5))}


def _has(table: str, condition: str = "true") -> str:
    return f"exists (select from {table} x where x.alumnus_id = a.id and {condition})"


def _did(condition: str = "true") -> str:
    return _has("interaction", f"not machine and {condition}")


def _totals(condition: str, having: str) -> str:
    return f"""a.id in (select alumnus_id from interaction where not machine and {condition}
        group by alumnus_id having {having})"""


def _way(key: str) -> str:
    return _has("interest", f"kind = 'way' and key = '{key}'")


def _within(time: str) -> str:
    return f"occurred_at >= now() - interval '{time}'"


LEADING = _has("standing", "stage = 'leading'")
TALK, GIFT = "kind = 'talk_given'", "kind = 'gift'"
OWN_EMAIL = _has("contact_point", "kind = 'email' and owner = 'own' and status = 'ok'")
FACETS = (
    Query("", "true"),
    Query("mar", WORDS % "mar:*"),
    Query("given:maria", WORDS % "maria:*" + " and given_name ~* '\\mmar[ií]a'"),
    Query("class:2012", "class_year = 2012"),
    Query("class:2010..2015", "class_year between 2010 and 2015"),
    Query("graduated:2012", "graduated_on between '2012-01-01' and '2012-12-31'"),
    Query('school:"School 4 High"', _has("schooling", SCHOOL)),
    Query('cluster:"Cluster 1"', _has("schooling", "school_id in (select h.id from school h join "
          "cluster c on c.id = h.cluster_id where c.name = 'Cluster 1')")),
    Query("is:senior", _has("schooling", "status = 'enrolled'")),
    Query("stage:leading", LEADING),
    Query("stage:involved..", _has("standing", "stage in ('involved', 'leading')")),
    Query("phase:early", _has("standing", "phase = 'early'")),
    Query('city:"city 7"', "lower(city) like 'city 7%%'"),
    Query("zip:303", "postal_code like '303%%'"),
    Query(f"near:{ZIP}/5mi", NEAR, ZIPS),
    Query('employer:"employer 7"', "lower(employer) like 'employer 7%%'"),
    Query("employer:nowhere", "lower(employer) like 'nowhere%%'"),
    Query("field:health", "lower(field_of_work) like 'health%%'"),
    Query('job:"job 5"', "lower(job_title) like 'job 5%%'"),
    Query('college:"college 5"', "lower(college) like 'college 5%%'"),
    Query("lang:es", "language = 'es'"),
    Query("way:mentor", _way("mentor")),
    Query("subject:health", _has("interest", "kind = 'subject' and key = 'health'")),
    Query("has:email", OWN_EMAIL),
    Query("lacks:email", "not " + OWN_EMAIL),
    Query("is:blocked", "ferpa_block"),
    Query("did:gift", _did(GIFT)),
    Query("mode:volunteer", _did("mode = 'volunteer'")),
    Query("last:30d", _did(_within("30 days"))),
    Query("last:1y..", f"{_did()} and not {_did(_within('1 year'))}"),
    Query("id:000000042", "id in (select alumnus_id from external_id where value = '000000042')"),
    Query("class:1850", "class_year = 1850"),
)  # fmt: skip
PAIRS = (
    Query("mar gr", WORDS % "mar:* & gr:*"),
    Query("mar class:2012", WORDS % "mar:*" + " and class_year = 2012"),
    Query('school:"School 4 High" class:2012',
          "class_year = 2012 and " + _has("schooling", SCHOOL)),
    Query("way:mentor class:2005..2010", "class_year between 2005 and 2010 and " + _way("mentor")),
    Query('stage:leading school:"School 4 High"',
          f"{LEADING} and {_has('schooling', SCHOOL)}"),
    Query("phase:early way:speak", _has("standing", "phase = 'early'") + " and " + _way("speak")),
    Query("field:health way:mentor",
          "lower(field_of_work) like 'health%%' and " + _way("mentor")),
    Query('city:"city 7" stage:involved..', "lower(city) like 'city 7%%' and "
          + _has("standing", "stage in ('involved', 'leading')")),
    Query('has:email employer:"employer 7"',
          f"{OWN_EMAIL} and lower(employer) like 'employer 7%%'"),
    Query(f"near:{ZIP}/5mi way:mentor", f"{NEAR} and {_way('mentor')}", ZIPS),
    Query(f"near:{ZIP}/5mi class:2012", f"{NEAR} and class_year = 2012", ZIPS),
    Query("class:2012 did:talk_given", f"class_year = 2012 and {_did(TALK)}"),
    Query("did(talk_given when:1y)", _did(f"{TALK} and {_within('1 year')}")),
    Query('did(talk_given school:"School 4 High")', _did(f"{TALK} and {SCHOOL}")),
    Query("did(gift amount:250..) class:2000..2010", "class_year between 2000 and 2010 and "
          + _did(f"{GIFT} and amount >= 250")),
    Query("did(gift times:2..)", _totals(GIFT, "count(*) >= 2")),
    Query("stage:leading -did(when:1y)",
          f"{LEADING} and not {_did(_within('1 year'))}"),
    Query("way:mentor or stage:leading",
          f"({_way('mentor')} or {LEADING})"),
)  # fmt: skip
QUERIES = FACETS + PAIRS
TYPED = {query.typed: query for query in QUERIES}
WHOLE = [
    TYPED[typed]
    for typed in (
        "", "mar", "class:2010..2015", "stage:leading", "field:health", "did:gift", "class:1850",
        'school:"School 4 High" class:2012', "way:mentor class:2005..2010",
    )
]  # fmt: skip
"""Queries that are also asked for as a page by HTTP, and counted to the end; everybody first."""
