"""Find people by the words of their city, work and college, and by ZIP code, through indices."""

from alembic import op

revision = "0019_text_words"
down_revision = "0018_door"
branch_labels = None
depends_on = None

# As `crm.alumni.folding` folds in Python. Not strict, so that PostgreSQL writes it into the query.
FOLDED = r"""
create function text_folded(value text) returns text
language sql immutable parallel safe
return translate(
    case when octet_length(value) = length(value) then lower(value)
    else regexp_replace(lower(normalize(value, nfkd)), '[\u0300-\u036f]', '', 'g') end,
    '-/&,.()''’', '         ')
"""
# A lexeme has at most 2,046 bytes, and only a long text can hold a longer word.
WORDS = r"""
create function text_words(value text) returns tsvector
language sql immutable parallel safe
return array_to_tsvector(array_remove(string_to_array(
    case when octet_length(value) < 150 then text_folded(value)
    else regexp_replace(text_folded(value), '([^ ]{100})[^ ]+', '\1', 'g') end,
    ' '), ''))
"""
COLUMNS = ("city", "employer", "job_title", "field_of_work", "college")


def upgrade() -> None:
    op.execute(FOLDED)
    op.execute(WORDS)
    words = ", ".join(f"text_words({column})" for column in COLUMNS)
    op.execute(f"create index ix_alumnus_words on alumnus using gin ({words})")
    op.execute(
        "create index ix_alumnus_zip on alumnus "
        "(left(text_folded(postal_code), 5) text_pattern_ops)"
    )
    op.execute("analyze alumnus")


def downgrade() -> None:
    op.execute("drop index ix_alumnus_zip")
    op.execute("drop index ix_alumnus_words")
    op.execute("drop function text_words")
    op.execute("drop function text_folded")
