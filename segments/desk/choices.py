"""What a district chooses about asking: how sure a place must be, and how much turns count."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from crm.core.district import Choices


class Asking(Choices):
    """How waves are sized and people ranked.

    `target` is the chance with which the places of a request are to be filled in time; `fairness`
    how much it counts that others had fewer turns (0 not at all, 1 as shipped, 2 twice); with
    `near_first` the own school's people are asked before the cluster's and the district's;
    `explore` is the share of asks that goes by draw to people whom the rank would not reach.
    """

    key: ClassVar[str] = "asking"
    target: float = Field(default=0.9, ge=0.5, le=0.99)
    fairness: float = Field(default=1.0, ge=0.0, le=2.0)
    near_first: bool = True
    explore: float = Field(default=0.1, ge=0.0, le=0.25)
