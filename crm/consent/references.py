"""What an entry of the ledger refers to, in words: a file, a mail, a member of staff, a merge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.core.database import among
from crm.core.extend import Reference, extensions


def reference_words(session: Session, references: Iterable[str]) -> Mapping[str, Reference]:
    """The references that somebody can put into words, in one query for each kind of them."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for reference in references:
        kind, _sep, rest = reference.partition(":")
        if rest:
            kinds[kind].append(rest)
    found: dict[str, Reference] = {}
    for kind, keys in kinds.items():
        words = extensions().references.get(kind)
        if words is not None:
            found |= {f"{kind}:{key}": said for key, said in words(session, keys).items()}
    return found


def staff(session: Session, keys: Sequence[str]) -> dict[str, Reference]:
    """Members of staff by name."""
    rows = session.execute(select(User.id, User.name).where(among(User.id, numbers(keys))))
    return {str(number): Reference(name) for number, name in rows}


def numbers(keys: Sequence[str]) -> list[int]:
    """The keys that are numbers of rows."""
    return [int(key) for key in keys if key.isdigit() and len(key) < 19]


def own_link(session: Session, keys: Sequence[str]) -> dict[str, Reference]:
    """Links that no message carried."""
    return {key: Reference(_("their own page")) for key in keys}
