"""The card of a model: what it learnt from, how good it is on later answers, whom it leaves out.

All figures are of a twin that learnt from the earlier four fifths of the answers only, on the
latest fifth. The sections follow M. Mitchell et al., Model Cards for Model Reporting (FAT* 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus, Schooling
from crm.core.viewer import SYSTEM
from crm.schools.models import School
from segments.asks.models import Ask
from segments.targeting.cases import Rows, Training
from segments.targeting.choosing import Answers, log_loss
from segments.targeting.features import COLUMNS, Matrix
from segments.targeting.figures import (
    auc_interval,
    calibration_curve,
    figures,
    rule_chances,
    tenths,
)
from segments.targeting.learning import Learnt, prior
from segments.targeting.reasons import GROUPS, effects

LIST_SHARE = 0.2
"""The length of the list that fairness is shown for: so much of the held-out asks."""
LEAST_GROUP = 300
FOUR_FIFTHS = 0.8
LOOKED_AT = 2_000
ENOUGH_FOR_AUC = 50


def card_of(
    session: Session, cases: Training, early: Rows, held: Rows, *, way_key: str, at: datetime
) -> dict[str, Any]:
    """Everything there is to say of the model that the cases teach, as plain JSON."""
    train, test = cases.part(early), cases.part(held)
    card: dict[str, Any] = {
        "rows": len(cases.y), "yeses": int(cases.y.sum()), "until": at.isoformat(),
        "window": [moment_of(cases.asked_at[0]), moment_of(cases.asked_at[-1])],
        "way": way_key, "features": list(cases.columns.names), "left_out": left_out(session),
        "held_out_rows": len(test.y), "held_out_log_loss": None, "prior_log_loss": None,
        "beats_prior": False,
    }  # fmt: skip
    if not len(test.y):
        return card
    trial = train.learn()
    plain = prior(train.x, rate=float(train.y.mean()), columns=cases.columns)
    p = trial.chances(test.x)
    loss, plain_loss = log_loss(p, test.y), log_loss(plain.chances(test.x), test.y)
    return card | {
        "held_out_log_loss": loss, "prior_log_loss": plain_loss, "beats_prior": loss < plain_loss,
        "held_out": held_out(train, test, p), "curve": calibration_curve(p, test.y),
        "tenths": tenths(p, test.y), "drives": drives(trial, test.x),
        "fairness": fairness(session, test.people, p, test.y),
    }  # fmt: skip


def held_out(train: Training, test: Training, p: Matrix) -> dict[str, Any]:
    """The figures with those of the rule beside them, and apart for people never asked before."""
    never = test.x[:, COLUMNS.index("asks")] == 0
    rule = rule_chances(train.x, train.y, test.x)
    enough = int(test.y.sum()) >= ENOUGH_FOR_AUC
    return {
        "from": moment_of(test.asked_at[0]), "rows": len(test.y), "yeses": int(test.y.sum()),
        "model": figures(p, test.y), "rule": figures(rule, test.y), "enough_for_auc": enough,
        "auc_interval": auc_interval(p, test.y), "rule_interval": auc_interval(rule, test.y),
        "never_asked": {
            "rows": int(never.sum()), "yeses": int(test.y[never].sum()),
            **(figures(p[never], test.y[never]) if never.any() else {}),
        },
    }  # fmt: skip


def drives(model: Learnt, x: Matrix) -> list[dict[str, Any]]:
    """How far each group of facts moves the logit on average, the strongest first."""
    moved = np.abs(effects(model, x[-LOOKED_AT:])).mean(axis=0)
    keys, order = list(GROUPS), np.argsort(-moved)
    return [{"key": keys[n], "moves": round(float(moved[n]), 4)} for n in order if moved[n] > 0]


def fairness(
    session: Session, people: np.ndarray[Any, np.dtype[np.int64]], p: Matrix, y: Answers
) -> dict[str, Any]:
    """Who would be on a list of the best fifth, by school, class decade and language.

    Shares are of 1. Groups of fewer than 300 asks stand together as "other", or are called too few.
    """
    length = max(1, round(LIST_SHARE * len(y)))
    chosen = np.zeros(len(y), dtype=bool)
    chosen[np.argsort(-p, kind="stable")[:length]] = True
    known = _known(session)
    unknown = ("", "", "")
    words = [known.get(int(person), unknown) for person in people]
    return {
        "list": length, "least": LEAST_GROUP,
        "groups": {
            name: _groups([w[n] for w in words], p, y, chosen)
            for n, name in enumerate(("school", "decade", "language"))
        },
    }  # fmt: skip


def _known(session: Session) -> dict[int, tuple[str, str, str]]:
    """School (the latest), decade of the class and language of everybody who was ever asked."""
    latest = (
        select(School.name)
        .join(Schooling, Schooling.school_id == School.id)
        .where(Schooling.alumnus_id == Alumnus.id)
        .order_by(Schooling.class_year.desc().nulls_last(), Schooling.id)
        .limit(1)
        .scalar_subquery()
    )
    asked = select(Ask.alumnus_id).distinct()
    statement = select(Alumnus.id, latest, Alumnus.class_year, Alumnus.language)
    return {
        key: (school or "", f"{year // 10 * 10}" if year else "", language or "")
        for key, school, year, language in session.execute(statement.where(Alumnus.id.in_(asked)))
    }


def _groups(words: Sequence[str], p: Matrix, y: Answers, chosen: Rows) -> list[dict[str, Any]]:
    names, group = np.unique(np.array(words, dtype=np.str_), return_inverse=True)
    counts = np.bincount(group, minlength=len(names))
    large = [n for n in range(len(names)) if counts[n] >= LEAST_GROUP]
    found = [_group(str(names[n]), group == n, p, y, chosen) for n in large]
    rest = ~np.isin(group, large)
    if rest.any():
        few = int(rest.sum()) < LEAST_GROUP
        found.append({"name": "*", "rows": int(rest.sum()), "few": True} if few
                     else _group("*", rest, p, y, chosen))  # fmt: skip
    most = max((g["selected"] for g in found if not g["few"]), default=0.0)
    for told in found:
        if not told["few"] and most:
            told["ratio"] = round(told["selected"] / most, 4)
            told["passed_over"] = told["ratio"] < FOUR_FIFTHS
    return sorted(found, key=lambda g: (g["name"] == "*", -g["rows"]))


def _group(name: str, mine: Rows, p: Matrix, y: Answers, chosen: Rows) -> dict[str, Any]:
    on_list, yeses = mine & chosen, int(y[mine].sum())
    hits = int(y[on_list].sum())
    return {
        "name": name, "rows": int(mine.sum()), "few": False,
        "share": round(float(mine.mean()), 4),
        "selected": round(float(chosen[mine].mean()), 4),
        "recall": round(hits / yeses, 4) if yeses else None,
        "precision": round(hits / int(on_list.sum()), 4) if on_list.any() else None,
        "chance": round(float(p[mine].mean()), 5), "rate": round(yeses / int(mine.sum()), 5),
    }  # fmt: skip


def left_out(session: Session) -> dict[str, int]:
    """How many people there are, and how many of them no ask has ever reached."""
    everybody = visible_alumni(SYSTEM) & Alumnus.deceased.is_(False)
    asked = select(Ask.id).where(Ask.alumnus_id == Alumnus.id).exists()
    statement = select(func.count(), func.count().filter(~asked)).select_from(Alumnus)
    people, never = session.execute(statement.where(everybody)).one()
    return {"people": people, "never_asked": never}


def moment_of(seconds: float) -> str:
    """A moment in seconds as ISO text."""
    return datetime.fromtimestamp(float(seconds), UTC).isoformat()
