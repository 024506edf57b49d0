"""`asks train`, `asks evaluate`, `asks score` and `asks explain`."""

from __future__ import annotations

import csv
from datetime import datetime
from typing import Any

import click
from sqlalchemy import select

from crm.alumni.models import Alumnus, ExternalId
from crm.alumni.queries import resolve_person
from crm.core import clock
from crm.core.cli import Moment, reporting, say
from crm.core.database import db
from crm.core.errors import NotFound
from crm.core.viewer import SYSTEM
from segments.targeting import service, training
from segments.targeting.reasons import sentence, sentences

way_option = click.option("--way", default=service.EVERY_WAY, help="One way to help; all without.")


@click.command("train")
@way_option
@reporting
def train(way: str) -> dict[str, Any]:
    """Train the model of a way on all finished asks; it goes live if it beats the prior."""
    record = training.train(db.session(), way_key=way, by=SYSTEM, at=clock.now())
    if record is None:
        say("Too little data: the shipped prior on recency, frequency and amount stays in use.")
        return {"way": way, "trained": False, "live": False, "enough_data": False}
    scored = service.store_scores(db.session(), way_key=way, at=clock.now()) if record.live else 0
    db.session.commit()
    return {
        "way": way, "trained": True, "live": record.live, "enough_data": True,
        "model": record.no, "scored": scored, **record.card,
    }  # fmt: skip


@click.command("evaluate")
@click.option("--holdout-from", type=Moment(), required=True, help="Measure on asks from then on.")
@way_option
@reporting
def evaluate(holdout_from: datetime, way: str) -> dict[str, Any]:
    """Learn from the asks before a date, measure on those after it, the plain rule beside it."""
    from segments.targeting import evaluation

    report = evaluation.evaluate(
        db.session(), way_key=way, holdout_from=holdout_from, at=clock.now()
    )
    if said := evaluation.verdict(report):
        say(said)
    return report


@click.command("score")
@way_option
@click.option("--out", type=click.Path(dir_okay=False, writable=True), help="Write a CSV.")
@reporting
def score(way: str, out: str | None) -> dict[str, Any]:
    """The chance of a yes of everybody, with reasons; kept for the pages, written to a file."""
    session, at = db.session(), clock.now()
    ids = select(Alumnus.id).where(Alumnus.merged_into_id.is_(None), Alumnus.deceased.is_(False))
    scores = service.score_people(session, ids, way_key=way, at=at)
    if service.live_model(session, way):
        service.store_scores(session, way_key=way, at=at)
        session.commit()
    if out:
        pairs = session.execute(select(ExternalId.alumnus_id, ExternalId.value))
        known = {row.alumnus_id: row.value for row in pairs}
        with open(out, "w", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle)
            writer.writerow(["person_id", "way", "probability", "reason_1", "reason_2", "reason_3"])
            for s in sorted(scores, key=lambda s: (-s.probability, s.alumnus_id)):
                why = [sentence(r.key, r.facts) for r in s.reasons[:3]]
                why += [""] * (3 - len(why))
                name = known.get(s.alumnus_id, str(s.alumnus_id))
                writer.writerow([name, way, f"{s.probability:.6f}", *why])
    return {"way": way, "scored": len(scores), "out": out}


@click.command("explain")
@click.option("--id", "person", required=True, help="system:value, a plain external id, or ours.")
@way_option
@reporting
def explain(person: str, way: str) -> dict[str, Any]:
    """Why one person is scored as they are."""
    session = db.session()
    alumnus_id = resolve_person(session, person)
    ids = select(Alumnus.id).where(Alumnus.id == alumnus_id)
    found = service.score_people(session, ids, way_key=way, at=clock.now())
    if not found:
        raise NotFound("There is no such person.")
    why = sentences([r.to_json() for r in found[0].reasons])
    return {"person": person, "way": way, "probability": found[0].probability, "reasons": why}
