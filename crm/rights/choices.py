"""How a district deals with what people ask of their data."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from crm.core.district import Choices


class RightsRule(Choices):
    """`immediate`: a confirmed wish to be forgotten is fulfilled at once, not by the office.

    Otherwise the office has `days` for it: a request that nobody looks at is seen on the home page.
    """

    key: ClassVar[str] = "rights"
    immediate: bool = False
    days: int = Field(default=30, ge=1, le=45)
