"""What can be mailed: Markdown with merge fields, in immutable versions and languages."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.consent.models import Topic
from crm.core.errors import NotFound, Refused
from crm.core.viewer import Viewer
from crm.mail import fields, markdown, values
from crm.mail.models import Content, ContentVariant, ContentVersion
from crm.web.i18n import CONTENT_LANGUAGES

FOLDER = Path(__file__).resolve().parents[2] / "content"
KEY = re.compile(r"[a-z0-9][a-z0-9_.-]{0,79}")
_LATEST = (
    select(ContentVersion.id)
    .join(Content, Content.id == ContentVersion.content_id)
    .where(Content.key == bindparam("content"))
    .order_by(ContentVersion.no.desc())
    .limit(1)
)
FALLBACK = "en"
MAX_LINE, MAX_BODY = 200, 50_000


@dataclass(frozen=True)
class Variant:
    """A content in one language: a subject line, the line that inboxes show beside it, a body."""

    subject: str
    preheader: str
    body: str


def save_content(
    session: Session,
    *,
    key: str,
    name: str,
    topic_key: str | None,
    variants: Mapping[str, Variant],
    by: Viewer | None,
    at: datetime,
    own_fields: Collection[str] = (),
) -> ContentVersion:
    """Save a content and answer its latest version, which is a new one only if something changed.

    `own_fields` are merge fields that its messages bring along (`message.merge`); those that the
    last version used stay known. Raises `Refused` with every fault, naming language, part, line and
    column; then nothing is saved.
    """
    session.flush()
    clean = {language: _tidy(variant) for language, variant in variants.items()}
    latest = latest_version(session, key) if KEY.fullmatch(key) else None
    before = variants_of(session, latest.id) if latest else {}
    known = {*own_fields, *_used(before.values())}
    problems = [*_frame_faults(session, key, name, topic_key, clean)]
    for language, variant in clean.items():
        problems += _variant_faults(language, variant, known)
    if problems:
        raise Refused(problems)
    content = _content(session, key, name.strip(), topic_key, at)
    latest = latest_version(session, key)  # again, now that the row is locked
    if latest is not None and variants_of(session, latest.id) == clean:
        return latest
    return _new_version(session, content, latest.no + 1 if latest else 1, clean, by, at)


def _new_version(
    session: Session, content: Content, no: int, variants: Mapping[str, Variant],
    by: Viewer | None, at: datetime,
) -> ContentVersion:  # fmt: skip
    version = ContentVersion(
        content_id=content.id, no=no, created_at=at, created_by=by.user_id if by else None
    )
    session.add(version)
    session.flush()
    for language, variant in sorted(variants.items()):
        row = ContentVariant(
            version_id=version.id, language=language, subject=variant.subject,
            preheader=variant.preheader, body=variant.body,
        )  # fmt: skip
        session.add(row)
    session.flush()
    return version


def latest_version(session: Session, key: str) -> ContentVersion | None:
    """The newest version of a content, or None if there is no such content."""
    statement = (
        select(ContentVersion)
        .join(Content, Content.id == ContentVersion.content_id)
        .where(Content.key == key)
        .order_by(ContentVersion.no.desc())
    )
    return session.scalars(statement.limit(1)).first()


def variants_of(session: Session, version_id: int) -> dict[str, Variant]:
    """A version's variants by language."""
    rows = session.scalars(select(ContentVariant).where(ContentVariant.version_id == version_id))
    return {row.language: Variant(row.subject, row.preheader, row.body) for row in rows}


def language_for(wanted: str | None, written: Collection[str]) -> str | None:
    """The fallback rule: the person's language (`es` for `es-MX`), else English, else none."""
    for language in (wanted or "", (wanted or "").partition("-")[0], FALLBACK):
        if language in written:
            return language
    return None


def _content(session: Session, key: str, name: str, topic_key: str | None, at: datetime) -> Content:
    """The content's row, locked against another save, made if need be, with name and topic set."""
    statement = insert(Content).values(key=key, name=name, topic_key=topic_key, created_at=at)
    session.execute(statement.on_conflict_do_nothing(index_elements=[Content.key]))
    content = session.scalars(select(Content).where(Content.key == key).with_for_update()).one()
    content.name, content.topic_key = name, topic_key
    return content


def _tidy(variant: Variant) -> Variant:
    """The variant with one kind of line end and no blanks around, so that equal texts are equal."""
    subject, preheader, body = (
        part.replace("\r\n", "\n").replace("\r", "\n").strip()
        for part in (variant.subject, variant.preheader, variant.body)
    )
    return Variant(subject, preheader, body)


def _used(variants: Collection[Variant]) -> Iterator[str]:
    """The merge fields of variants that were saved before, and so can be read."""
    for variant in variants:
        for part in (variant.subject, variant.preheader, variant.body):
            yield from (slot.name for slot in fields.slots(part))


def _frame_faults(
    session: Session, key: str, name: str, topic_key: str | None, variants: Mapping[str, Variant]
) -> Iterator[str]:
    if not KEY.fullmatch(key):
        yield f"key: “{key[:80]}” must be small letters, digits, - _ . only, as in spring-news"
    if not name.strip() or len(name) > MAX_LINE or "\x00" in name:
        yield f"name: give the content a name of at most {MAX_LINE} characters"
    if topic_key is not None and ("\x00" in topic_key or session.get(Topic, topic_key) is None):
        yield f"topic: there is no topic called “{topic_key}”"
    if not variants:
        yield "languages: write the content in at least one language"
    for language in variants:
        if language not in CONTENT_LANGUAGES:
            known = ", ".join(CONTENT_LANGUAGES)
            yield f"languages: “{language}” is not one of {known}"


def _variant_faults(language: str, variant: Variant, own: Collection[str]) -> Iterator[str]:
    """Every fault of one variant, each naming its place."""
    parts = {"subject": variant.subject, "preheader": variant.preheader, "body": variant.body}
    for part, text in parts.items():
        place = f"{part} ({language})"
        if any(_unmailable(c) for c in text):
            yield f"{place}: holds characters that cannot be mailed"
            continue
        if part != "preheader" and not text:
            yield f"{place}: may not be empty"
        if part != "body" and (len(text) > MAX_LINE or "\n" in text):
            yield f"{place}: must be one line of at most {MAX_LINE} characters"
        if len(text) > MAX_BODY:
            yield f"{place}: must be at most {MAX_BODY:,} characters"
            continue
        for fault in _field_faults(text, own, links=part == "body"):
            yield f"{place}, {fault}"


def _unmailable(c: str) -> bool:
    return (c < " " and c not in "\n\t") or 0xD800 <= ord(c) <= 0xDFFF


def _field_faults(text: str, own: Collection[str], *, links: bool) -> Iterator[str]:
    try:
        found = fields.slots(text)
    except fields.FieldError as error:
        yield str(error)
        return
    known = values.known_fields() | set(own)
    for slot in found:
        if slot.name not in known:
            hint = values.nearest(slot.name, known)
            yield (
                f"line {slot.line}, column {slot.column}: there is no merge field "
                f"“{slot.name}”{hint}"
            )
    if links:
        yield from markdown.link_faults(text, values.is_link)


def ship(session: Session, folder: Path, at: datetime) -> int:
    """Load every `<key>.<language>.md` of a folder; answers how many new versions that made.

    A file begins with lines `Name:`, `Subject:`, `Topic:`, `Preheader:` and `Fields:` (the merge
    fields that its messages bring), then a blank line and the body. A content that staff edited
    since keeps their words. Raises `Refused` naming file, line and column.
    """
    problems: list[str] = []
    made = 0
    for key in shipped_keys(folder):
        try:
            made += _ship_one(session, folder, key, at)
        except Refused as error:
            problems += [f"{folder.name}/{key}.*.md: {problem}" for problem in error.problems]
    if problems:
        raise Refused(problems)
    return made


def ship_all(session: Session, at: datetime) -> int:
    """Load the contents that come with the program; answers how many new versions that made."""
    return ship(session, FOLDER, at)


def shipped_keys(folder: Path = FOLDER) -> list[str]:
    """The keys of the contents in a folder."""
    return sorted({path.name.split(".")[0] for path in folder.glob("*.*.md")})


def shipped_version(session: Session, key: str, at: datetime) -> int:
    """The latest version of a content that comes with the program, loaded now if it is not yet."""
    latest = session.scalar(_LATEST, {"content": key})
    if latest is None:
        if key not in shipped_keys():
            raise NotFound("There is no content called “%(key)s”.", key=key)
        _ship_one(session, FOLDER, key, at)
        latest = session.scalar(_LATEST, {"content": key})
    if latest is None:
        raise NotFound("There is no content called “%(key)s”.", key=key)
    return latest


def _ship_one(session: Session, folder: Path, key: str, at: datetime) -> bool:
    """Save one content from its files; True if that made a version."""
    before = latest_version(session, key)
    if before is not None and before.created_by is not None:
        return False
    headers: dict[str, str] = {}
    variants: dict[str, Variant] = {}
    # English comes last, so that its Name and Topic hold for all.
    for path in sorted(
        folder.glob(f"{key}.*.md"), key=lambda p: (p.name.endswith(".en.md"), p.name)
    ):
        found, body = _read(path)
        headers |= found
        variants[path.name.split(".")[1]] = Variant(
            found.get("subject", ""), found.get("preheader", ""), body
        )
    own_fields = headers.get("fields", "").replace(",", " ").split()
    after = save_content(
        session, key=key, name=headers.get("name", key), topic_key=headers.get("topic") or None,
        variants=variants, by=None, at=at, own_fields=own_fields,
    )  # fmt: skip
    return before is None or after.id != before.id


HEADERS = frozenset({"name", "subject", "topic", "preheader", "fields"})


def _read(path: Path) -> tuple[dict[str, str], str]:
    """A content file as its header lines (lower-case names) and its body."""
    head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    headers: dict[str, str] = {}
    for number, line in enumerate(head.splitlines(), 1):
        name, separator, value = line.partition(":")
        if not separator or name.strip().lower() not in HEADERS:
            wanted = ", ".join(sorted(HEADERS))
            raise Refused([f"{path.name}, line {number}: a header line must be one of {wanted}"])
        headers[name.strip().lower()] = value.strip()
    return headers, body
