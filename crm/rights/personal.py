"""Where people stand in the tables of this package, and what erasing does there.

Every table that names a person or holds an address is declared, here or in the wiring of its own
area; a test walks over all tables and fails for one that nobody declared.
"""

from __future__ import annotations

from crm.core.extend import Deed, Personal

MAIL = "message_id in (select id from message where alumnus_id in ({gone}))"
TRAIL = "object_kind = 'alumnus' and object_id in (select cast(g.id as text) from ({gone}) g(id))"
STAFF = "an account of staff, not a person who attended"

PERSONAL: dict[str, Personal] = {
    "external_id": Personal(Deed.DELETED),
    "contact_point": Personal(Deed.DELETED),
    "interest": Personal(Deed.DELETED),
    "schooling": Personal(Deed.DELETED),
    "address_confirmation": Personal(Deed.DELETED),
    "consent_entry": Personal(Deed.DELETED),
    "remembered_line": Personal(Deed.DELETED),
    "person_touch": Personal(Deed.KEPT, why="a number that the next file takes away"),
    "alumnus_change": Personal(Deed.KEPT, why="a number that the next sweep takes away"),
    "mailbox_item": Personal(Deed.DELETED, MAIL),
    "message_attachment": Personal(Deed.DELETED, MAIL),
    "delivery_event": Personal(Deed.EMPTIED, MAIL, "payload = '{{}}'"),
    "send_attempt": Personal(Deed.KEPT, MAIL, why="that and when a mail was handed over"),
    "message": Personal(
        Deed.EMPTIED,
        values="to_address = null, contact_point_id = null, merge = '{{}}', key = 'erased:' || id",
    ),
    "interaction": Personal(Deed.EMPTIED, values="note = ''"),
    "audit_entry": Personal(Deed.EMPTIED, TRAIL, "detail = '{{}}'"),
    "import_line": Personal(
        Deed.EMPTIED, values="external_id = null, changes = null, reason = null"
    ),
    "merge": Personal(
        Deed.EMPTIED, "kept_id in ({gone}) or gone_id in ({gone})", "fields = '{{}}'"
    ),
    "data_request": Personal(Deed.EMPTIED, values="contact_point_id = null, note = ''"),
    "legal_hold": Personal(Deed.EMPTIED, values="reason = ''"),
    "suppression": Personal(
        Deed.KEPT, "address_key in (select key from contact_point where alumnus_id in ({gone}))",
        why="each address of their own stays as a hash, so that no file brings mail back to it",
    ),
    "alumnus": Personal(Deed.EMPTIED, "id in ({gone})", why="figures of past years still add up"),
    "staff_user": Personal(Deed.KEPT, "false", why=STAFF),
    "event": Personal(Deed.KEPT, "false", why="the address of a place"),
    "school": Personal(Deed.KEPT, "false", why="the address of a school"),
}  # fmt: skip
