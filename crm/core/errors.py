"""The errors that services raise; each edge (page, command, job) turns them into its own answer."""

from __future__ import annotations

from collections.abc import Sequence


class HomecomingError(Exception):
    """Something we refuse to do, said so that the reader knows what to do next."""


class Invalid(HomecomingError):
    """Input that breaks a rule; `field` names the form field, column or setting at fault."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Refused(HomecomingError):
    """Input with one or more faults, each naming its place (file, line, column, field)."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class NotFound(HomecomingError):
    """There is no such thing, or the viewer may not know that there is."""


class NotAllowed(HomecomingError):
    """The viewer may know of it but not do this to it."""


class Conflict(HomecomingError):
    """Somebody else changed it first, or its state no longer permits this."""
