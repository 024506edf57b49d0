"""What tests of the whole package share."""

from __future__ import annotations

from tests.lifecycle.engine.conftest import district

__all__ = ["district"]
