"""Bring the topics, ways to help and subjects that a district starts with."""

import sqlalchemy as sa
from alembic import op

revision = "0004_words"
down_revision = "0003_queue"
branch_labels = None
depends_on = None

TOPICS = [
    ("news", "News from your school", "A few stories a year from your school and the district", "opt_out"),
    ("events", "Reunions and events", "Invitations to reunions, games and open houses", "opt_out"),
    ("volunteering", "Ways to help pupils", "Requests from schools that your experience fits", "opt_out"),
    ("giving", "Giving", "Occasional appeals for school projects", "opt_in"),
]
WAYS = [
    ("mentor", "Mentor a pupil"),
    ("speak", "Speak to a class"),
    ("job_shadow", "Host a job shadow"),
    ("judge", "Judge a fair or contest"),
    ("tutor", "Tutor"),
    ("host", "Host a visit"),
    ("lead", "Lead a reunion or club"),
]
SUBJECTS = [
    ("health", "Health and medicine"),
    ("technology", "Technology and computing"),
    ("engineering", "Engineering and building"),
    ("science", "Science and environment"),
    ("law", "Law and government"),
    ("business", "Business and finance"),
    ("education", "Teaching"),
    ("arts", "Arts and music"),
    ("media", "Media and writing"),
    ("trades", "Skilled trades"),
    ("public_safety", "Police, fire and rescue"),
    ("military", "Military"),
    ("hospitality", "Food and hospitality"),
    ("sports", "Sports and fitness"),
    ("college", "Going to college"),
]


def upgrade() -> None:
    connection = op.get_bind()
    topic = sa.text(
        "insert into topic (key, label, description, basis, position) values (:k, :l, :d, :b, :p)"
        " on conflict (key) do nothing"
    )
    for position, (key, label, description, basis) in enumerate(TOPICS):
        connection.execute(topic, {"k": key, "l": label, "d": description, "b": basis, "p": position})
    way = sa.text(
        "insert into way (key, label, offered, position) values (:k, :l, true, :p)"
        " on conflict (key) do nothing"
    )
    for position, (key, label) in enumerate(WAYS):
        connection.execute(way, {"k": key, "l": label, "p": position})
    subject = sa.text(
        "insert into subject (key, label, position) values (:k, :l, :p) on conflict (key) do nothing"
    )
    for position, (key, label) in enumerate(SUBJECTS):
        connection.execute(subject, {"k": key, "l": label, "p": position})


def downgrade() -> None:
    """Takes the words out that nothing names; the others stay, and the way up finds them there."""
    connection = op.get_bind()
    for table, rows in (("subject", SUBJECTS), ("way", WAYS), ("topic", TOPICS)):
        delete = sa.text(f"delete from {table} where key = :key")
        for key, *_ in rows:
            try:
                with connection.begin_nested():
                    connection.execute(delete, {"key": key})
            except sa.exc.IntegrityError:
                continue
