"""A person’s own page, as its reader comes to it."""

from __future__ import annotations

import re
from datetime import datetime

from bs4 import BeautifulSoup

from crm.alumni.models import Alumnus
from crm.links.tokens import issue


def link(person: Alumnus, at: datetime) -> str:
    return "/me/" + issue("profile", alumnus_id=person.id, epoch=person.link_epoch, at=at)


def button(page: str, ending: str) -> dict[str, str]:
    """The hidden fields of the form whose address ends so."""
    form = BeautifulSoup(page, "html.parser").find("form", action=re.compile(ending + "$"))
    assert form is not None
    return {str(i["name"]): str(i.get("value", "")) for i in form.find_all("input")}
