"""Mails that come in, as the provider posts them."""

from __future__ import annotations

import json
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from crm.interactions.models import Interaction
from crm.mail.models import Message

ADDRESS = "zoe@mail.example"


WHERE = "/hooks/sendgrid/inbound"


Post = Callable[..., TestResponse]


def mail(
    *lines: str, text: str = "Happy to help!", sender: str = ADDRESS, **more: str
) -> dict[str, str]:
    """The fields of a mail with these headers beside the usual ones."""
    headers = [
        f"From: Zoë <{sender}>", "To: alumni@district.example", "Subject: Re: News",
        "Date: Tue, 15 Sep 2026 09:00:00 -0400", *lines,
    ]  # fmt: skip
    if not any(line.lower().startswith("message-id:") for line in lines):
        headers.append("Message-ID: <one@mail.example>")
    return {
        "headers": "\n".join(headers), "from": f"Zoë <{sender}>", "to": "alumni@district.example",
        "subject": "Re: News", "text": text, "envelope": json.dumps({"from": sender}),
        "charsets": '{"text":"utf-8"}', "SPF": "pass", **more,
    }  # fmt: skip


def answers(message: Message) -> str:
    return f"In-Reply-To: <{message.id}.1@district.example>"


def replies(session: Session) -> list[Interaction]:
    session.expire_all()
    return list(session.scalars(select(Interaction).where(Interaction.kind == "replied")))
