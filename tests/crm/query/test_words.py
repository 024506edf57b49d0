"""The index on words finds what comparing the texts would."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from crm.alumni.folding import folded, has_words, indexed_words

BITS = ("ana", "an", "é", "É", "de", " ", "  ", "-", "'", "\\", "\t", "%", "_", ":*", "&", "!", "ß")
TEXT = st.lists(st.sampled_from(BITS), min_size=1, max_size=8).map("".join)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXT, wanted=TEXT)
@example(text="x" * 3000 + " ana", wanted="x" * 90)
@example(text="ab" * 1500, wanted="ab" * 1400)
@example(text="ab" * 1500, wanted="ab" * 1400 + "c")
@example(text="ﷺ" * 400, wanted="ﷺ" * 300)
@example(text="\\ana", wanted="\\an")
def test_words_of_the_index_are_those_of_the_text(session: Session, text: str, wanted: str) -> None:
    assume(folded(wanted).strip())
    column = literal(text)
    by_index = func.coalesce(indexed_words(column, wanted), False)
    assert session.scalar(select(by_index)) == session.scalar(select(has_words(column, wanted)))
