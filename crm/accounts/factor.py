"""The second factor: an authenticator app (TOTP, RFC 6238), and recovery codes for when it is lost.

A code counts in its own step of 30 seconds and the ones beside it, and once: the step is noted with
the same statement that accepts it. Guesses are counted for each account, whatever comes of them.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta

import pyotp
import segno
from flask_babel import gettext as _
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.accounts.models import RecoveryCode, SecondFactor, StaffSession, User
from crm.accounts.sealing import keyed_hash, seal, unseal
from crm.core.errors import Conflict, Invalid
from crm.core.extend import extensions
from crm.core.settings import LONGEST_GRACE
from crm.core.throttle import TooMany, hit
from crm.core.viewer import Viewer

STEP = 30
BESIDE = (0, -1, 1)
QUARTER, DAY = timedelta(minutes=15), timedelta(days=1)
RECOVERY_CODES = 10
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
HALF = 5


def confirmed(session: Session, user_id: int) -> SecondFactor | None:
    """The factor that an account must show when it signs in, if it has one."""
    found = session.get(SecondFactor, user_id)
    return found if found is not None and found.confirmed_at is not None else None


def begin(session: Session, user: User, *, by: Viewer, at: datetime) -> None:
    """Make the secret of a new authenticator; it counts after `confirm`. Replaces an unused one."""
    if confirmed(session, user.id):
        raise Conflict(_("You have a second factor. Remove it before you set up another."))
    session.execute(delete(SecondFactor).where(SecondFactor.user_id == user.id))
    secret = seal(pyotp.random_base32())
    session.add(SecondFactor(user_id=user.id, secret=secret, created_at=at))
    audit.record(session, "user.factor_begun", kind="user", key=user.id, by=by, at=at)
    session.flush()


def pending_secret(session: Session, user_id: int) -> str | None:
    """The secret that waits for its first code (base32), to be shown to its owner."""
    found = session.get(SecondFactor, user_id)
    return unseal(found.secret) if found is not None and found.confirmed_at is None else None


def enrolment_address(secret: str, user: User, issuer: str) -> str:
    """The `otpauth://` address that authenticator apps read."""
    return pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=issuer)


def drawn(address: str) -> str:
    """The address as a QR code: an SVG without styles, dark on light in every colour scheme."""
    code = segno.make(address, error="m", micro=False)
    return code.svg_inline(border=4, dark="#000", light="#fff", omitsize=True)


def confirm(session: Session, user: User, code: str, *, by: Viewer, at: datetime) -> list[str]:
    """Take the first code of a new authenticator; answers the recovery codes, shown this once.

    Commit in any case: the try counts. Raises `Invalid` for a wrong code.
    """
    _count_try(session, user.id, at)
    found = session.get(SecondFactor, user.id, with_for_update=True)
    if found is None or found.confirmed_at is not None:
        raise Conflict(_("Begin again: this set-up is over."))
    if not _takes_code(session, found, code, at):
        raise Invalid(_("This code is wrong. Type the one that the app shows now."), field="code")
    found.confirmed_at = at
    audit.record(session, "user.factor_added", kind="user", key=user.id, by=by, at=at)
    return _new_codes(session, user.id)


def check(session: Session, user_id: int, code: str, *, at: datetime) -> bool:
    """Whether the code is one of the authenticator or an unused recovery code; each good once.

    Commit in any case: the try counts. Raises `TooMany`.
    """
    _count_try(session, user_id, at)
    found = confirmed(session, user_id)
    if found is None:
        return False
    typed = "".join(c for c in code.lower() if c.isalnum())
    if typed.isascii() and typed.isdigit():
        return _takes_code(session, found, typed, at)
    used = session.execute(
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None),
            RecoveryCode.code_hash == keyed_hash(f"{user_id}:{typed}"),
        )
        .values(used_at=at)
        .returning(RecoveryCode.id)
    ).first()  # fmt: skip
    return used is not None


def _count_try(session: Session, user_id: int, at: datetime) -> None:
    allowed = [
        hit(session, f"factor:quarter:{user_id}", limit=10, per=QUARTER, at=at),
        hit(session, f"factor:day:{user_id}", limit=60, per=DAY, at=at),
    ]
    if not all(allowed):
        raise TooMany([_("Too many tries. Wait a quarter of an hour.")])


def _takes_code(session: Session, factor: SecondFactor, code: str, at: datetime) -> bool:
    secret = unseal(factor.secret)
    if secret is None:
        return False
    typed = "".join(code.split())
    if not typed.isascii():
        return False
    now = int(at.timestamp()) // STEP
    totp = pyotp.TOTP(secret)
    matching = [
        now + offset
        for offset in BESIDE
        if hmac.compare_digest(totp.generate_otp(now + offset), typed)
    ]
    if not matching:
        return False
    # The same code typed twice at once: only one of the two finds an older step.
    taken = session.execute(
        update(SecondFactor)
        .where(SecondFactor.user_id == factor.user_id, SecondFactor.last_step < matching[0])
        .values(last_step=matching[0])
        .returning(SecondFactor.user_id)
    ).first()
    return taken is not None


def unused_codes(session: Session, user_id: int) -> int:
    """How many recovery codes an account has left."""
    mine = RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None)
    return session.scalar(select(func.count()).select_from(RecoveryCode).where(*mine)) or 0


def renew_codes(session: Session, user: User, *, by: Viewer, at: datetime) -> list[str]:
    """New recovery codes; the older ones are worth nothing from now on."""
    if confirmed(session, user.id) is None:
        raise Conflict(_("Set up the authenticator first."))
    audit.record(session, "user.factor_codes_renewed", kind="user", key=user.id, by=by, at=at)
    return _new_codes(session, user.id)


def _new_codes(session: Session, user_id: int) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = [
        "".join(secrets.choice(ALPHABET) for _ in range(2 * HALF)) for _ in range(RECOVERY_CODES)
    ]
    session.add_all(
        RecoveryCode(user_id=user_id, code_hash=keyed_hash(f"{user_id}:{code}")) for code in codes
    )
    session.flush()
    return [f"{code[:HALF]}-{code[HALF:]}" for code in codes]


def remove(session: Session, user: User, *, by: Viewer, at: datetime) -> None:
    """Give up one's own factor; of whom one is required, another is asked at once."""
    _forget(session, user, at)
    audit.record(session, "user.factor_removed", kind="user", key=user.id, by=by, at=at)
    session.flush()


def reset(session: Session, user: User, *, by: Viewer, at: datetime) -> None:
    """Take away the factor of somebody who lost it; they are signed out and told by mail."""
    if user.id == by.user_id:
        raise Conflict(_("Remove your own factor on the page of your account."))
    if by.user_id and not hit(session, f"factor-reset:{user.id}", limit=3, per=DAY, at=at):
        raise TooMany([_("Their second factor was reset several times today. Wait a day.")])
    _forget(session, user, at)
    ended = update(StaffSession).where(
        StaffSession.user_id == user.id, StaffSession.ended_at.is_(None)
    )
    session.execute(ended.values(ended_at=at))
    letters = extensions().letters
    if letters is None:
        raise LookupError("no area registered how letters are sent")
    letters(
        session, "factor-reset", key=f"factor-reset:{user.id}:{at.timestamp()}",
        to_address=user.email, language=user.language,
        merge={"staff_name": user.name, "who": by.name or "Homecoming"},
        origin="link:sign-in", at=at,
    )  # fmt: skip
    audit.record(session, "user.factor_reset", kind="user", key=user.id, by=by, at=at)
    session.flush()


def _forget(session: Session, user: User, at: datetime) -> None:
    session.execute(delete(SecondFactor).where(SecondFactor.user_id == user.id))
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    # Whoever had a factor gets no second enrolment period, whatever its length.
    user.factor_asked_at = at - LONGEST_GRACE
