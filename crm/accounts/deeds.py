"""What the audit trail calls deeds, the things they are done to, and what it says of them."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

ACTIONS = {
    "alumnus.address_changed": _("changed their address by link"),
    "alumnus.different": _("said that two records are two people"),
    "alumnus.edited": _("edited"),
    "alumnus.erased": _("erased"),
    "alumnus.exported": _("gave everything about them"),
    "alumnus.interests": _("changed their interests"),
    "alumnus.joined": _("entered their own record by the public form"),
    "alumnus.looked": _("looked at addresses"),
    "alumnus.merged": _("merged"),
    "alumnus.unmerged": _("took a merge back"),
    "audit.exported": _("exported the audit trail"),
    "bulk.again": _("let a bulk change go on"),
    "bulk.applied": _("finished a bulk change"),
    "bulk.asked": _("asked for a bulk change"),
    "bulk.cancelled": _("gave up a bulk change"),
    "bulk.failed": _("could not finish a bulk change"),
    "bulk.started": _("started a bulk change"),
    "bulk.stopped": _("stopped a bulk change"),
    "bulk.undoing": _("began to take a bulk change back"),
    "bulk.undone": _("took a bulk change back"),
    "classmate.dealt_with": _("dealt with a word about a lost classmate"),
    "clearance.recorded": _("recorded a clearance"),
    "clearance.revoked": _("revoked a clearance"),
    "commitment.confirmed": _("noted what came of a visit"),
    "consent.address_closed": _("closed the mail address"),
    "consent.granted": _("recorded a consent"),
    "consent.paused": _("recorded a break from mail"),
    "consent.withdrawn": _("recorded a withdrawal"),
    "contact.retired": _("retired an address"),
    "contact.saved": _("saved an address"),
    "create": _("created"),
    "delete": _("deleted"),
    "demo.began": _("began to build the demo district"),
    "demo.built": _("built the demo district"),
    "edit": _("edited"),
    "event.cancelled": _("cancelled"),
    "event.changed": _("edited"),
    "event.check_in_undone": _("took a check-in back"),
    "event.checked_in": _("checked somebody in"),
    "event.closed": _("closed the answers"),
    "event.created": _("created"),
    "event.exported": _("took the list along"),
    "event.held": _("marked as held"),
    "event.invited": _("invited people"),
    "event.open": _("opened"),
    "event.thanked": _("thanked who came"),
    "event.told": _("told who is coming of a change"),
    "export.approved": _("agreed to an export"),
    "export.asked": _("asked for an export"),
    "export.cancelled": _("gave up an export"),
    "export.declined": _("declined an export"),
    "export.downloaded": _("downloaded an export"),
    "export.failed": _("could not finish an export"),
    "export.gone": _("deleted the file of an export"),
    "export.lapsed": _("let an export lapse, as nobody agreed in time"),
    "export.made": _("made the file of an export"),
    "export.ready": _("made the file of an export"),
    "export.void": _("called an export off"),
    "field.changed": _("edited"),
    "import.applied": _("applied"),
    "import.cancelled": _("cancelled"),
    "import.partial": _("chose to read only the good lines"),
    "import.stopped": _("stopped"),
    "import.undone": _("took back"),
    "import.uploaded": _("uploaded"),
    "interaction.recorded": _("recorded an interaction"),
    "interaction.taken_back": _("took an interaction back"),
    "links.revoked": _("revoked mailed links"),
    "live": _("resumed"),
    "mail.settled_again": _("let mail in doubt go again"),
    "mail.settled_sent": _("took mail in doubt as sent"),
    "mapping.changed": _("edited"),
    "mapping.forgotten": _("forgot"),
    "mapping.kept": _("kept"),
    "paused": _("paused"),
    "people.exported": _("exported people"),
    "publish": _("published"),
    "request.approved": _("approved"),
    "request.asked": _("asked alumni"),
    "request.cancelled": _("cancelled"),
    "request.created": _("created"),
    "request.edited": _("edited"),
    "request.sent_back": _("sent back"),
    "request.submitted": _("submitted"),
    "retention.changed": _("changed how long data is kept"),
    "retry": _("let people who were stuck go on"),
    "rights.erasing_asked": _("asked to be forgotten"),
    "rights.erasing_declined": _("declined to forget"),
    "rights.held": _("put under a legal hold"),
    "rights.released": _("ended the legal hold"),
    "rights.rule_changed": _("changed how soon data requests are answered"),
    "role.changed": _("changed what it may do"),
    "schedule": _("scheduled"),
    "school.closed": _("closed the school"),
    "school.code_made": _("made a new code for the senior poster"),
    "school.merged": _("entered that it became part of another"),
    "school.moved": _("moved to another cluster"),
    "school.renamed": _("renamed"),
    "school.split": _("entered that it handed a part on"),
    "school.taken_back": _("took a change of the school back"),
    "schools.imported": _("imported schools"),
    "segment.created": _("created"),
    "segment.deleted": _("deleted"),
    "segment.edited": _("edited"),
    "segment.frozen": _("froze"),
    "segment.thawed": _("thawed"),
    "seniors.rule_changed": _("changed what counts as enough seniors"),
    "stop": _("stopped"),
    "stopped": _("stopped"),
    "topic.added": _("added"),
    "topic.edited": _("edited"),
    "topic.moved": _("moved in the order"),
    "topic.restored": _("brought back"),
    "topic.retired": _("retired"),
    "train": _("trained"),
    "under_18.changed": _("changed the rule for people under 18"),
    "unschedule": _("took off the schedule"),
    "user.access_changed": _("changed role or scope"),
    "user.deactivated": _("closed the account"),
    "user.edited": _("edited"),
    "user.factor_added": _("set up the second factor"),
    "user.factor_begun": _("began to set up a second factor"),
    "user.factor_codes_renewed": _("made new recovery codes"),
    "user.factor_confirmed": _("showed the second factor again"),
    "user.factor_refused": _("typed a wrong second factor"),
    "user.factor_removed": _("removed the second factor"),
    "user.factor_reset": _("reset the second factor"),
    "user.invited": _("invited"),
    "user.link_sent": _("sent a sign-in link"),
    "user.reactivated": _("opened the account again"),
    "user.session_ended": _("ended a session"),
    "user.sessions_ended": _("ended all sessions"),
    "user.signed_in": _("signed in"),
    "user.signed_out": _("signed out"),
}
"""What an entry says was done, after the name of who did it."""

KINDS = {
    "alumnus": _("person"), "audit": _("audit trail"), "bulk": _("bulk change"),
    "campaign": _("campaign"), "classmate": _("lost classmate"), "demo": _("demo"),
    "duplicates": _("duplicates"), "event": _("event"), "export": _("export"),
    "field": _("field of its own"), "import": _("import"), "journey": _("journey"),
    "mapping": _("way to read files"), "message": _("message"),
    "propensity_model": _("model of a yes"), "query": _("query"), "request": _("request"),
    "role": _("role"), "school": _("school"), "segment": _("segment"), "setting": _("setting"),
    "topic": _("topic"), "user": _("account"),
}  # fmt: skip
"""What things of a kind are called."""

FIELDS = {
    "about": _("about"), "after": _("after"), "agreed": _("agreed by"),
    "alumnus_id": _("person"), "asked": _("asked"), "attended": _("came"), "basis": _("basis"),
    "before": _("before"), "change": _("to be changed"), "chosen": _("chosen"),
    "city": _("city"), "class_year": _("class year"), "clusters": _("clusters"),
    "college": _("college"), "columns": _("columns"), "conflict": _("doubtful"),
    "count": _("people"), "create": _("new"), "created": _("new"), "day": _("day"),
    "days": _("days"), "description": _("description"), "doing": _("what"), "done": _("done"),
    "due": _("due"), "employer": _("employer"), "enough": _("enough, in percent"),
    "expires_on": _("valid until"), "family_name": _("family name"),
    "field_of_work": _("field of work"), "filename": _("file"), "format": _("format"),
    "former_name": _("former name"), "given_name": _("given name"),
    "granted_on": _("valid from"), "hours": _("hours"), "how": _("how"), "job_title": _("job"),
    "kept": _("left alone"), "key": _("which"), "label": _("name"), "language": _("language"),
    "left_out": _("left out"), "level": _("level"), "margin_years": _("years of margin"),
    "merged": _("merged record"), "messages": _("messages"), "middle_name": _("middle name"),
    "name": _("name"), "names": _("names"), "new": _("new"), "occurred_at": _("when"),
    "on": _("from the day"), "options": _("choice"), "other": _("with"), "owner": _("whose"),
    "people": _("people"), "permissions": _("permissions"), "place": _("place in the order"),
    "places": _("places"), "postal_code": _("ZIP code"), "preferred_name": _("preferred name"),
    "pupils": _("pupils"), "query": _("query"), "reason": _("reason"), "reject": _("rejected"),
    "rejected": _("rejected"), "removed": _("removed"), "restored": _("given back"),
    "role": _("role"), "same": _("so already"), "school_id": _("school"),
    "schools": _("schools"), "search": _("search"),
    "second_person": _("a second person must agree"), "seed": _("seed"),
    "send_at": _("goes out"), "skip": _("left out"), "sort": _("kind"), "source": _("source"),
    "state": _("state"), "status": _("status"), "stays": _("stays with the merged record"),
    "stopped": _("messages stopped"), "subject": _("subjects"),
    "targeting": _("used for targeting"), "texts": _("texts"), "title": _("title"),
    "to": _("where to"), "topic": _("topic"), "totals": _("lines"), "unchanged": _("unchanged"),
    "until": _("until"), "update": _("updated"), "updated": _("updated"), "value": _("address"),
    "version": _("version"), "wave": _("wave"), "way": _("ways to help"), "what": _("what"),
    "where": _("where"), "why": _("why"), "wording": _("in their words"), "dates": _("days"),
    "words": _("words"),
}  # fmt: skip
"""What the fields of an entry are called."""

VALUES = {
    "link": _("a mailed link"), "one_click": _("one click in a mail"),
    "staff": _("staff"), "import": _("a file"), "provider": _("the mail provider"),
    "merge": _("a merge"), "email": _("mail address"), "phone": _("phone"),
    "postal": _("postal address"), "own": _("their own"), "parent": _("a parent's"),
    "retired": _("retired"), "ok": _("in use"), "bounced": _("bounced"), "done": _("done"),
    "dismissed": _("set aside"), "set": _("set"), "unset": _("taken away"),
    "browser": _("the browser"), "opt_in": _("only to those who agreed"),
    "opt_out": _("to everybody until they leave"), "code": _("by a mailed code"),
    "open": _("open"), "closed": _("closed"), "renamed": _("renaming"),
    "moved": _("move to another cluster"), "split": _("handing on of a part"),
    "school": _("the school"), "*": _("all"),
}  # fmt: skip
"""What values that are keys of the program mean."""

UNSAID = frozenset({
    "clearance_id", "commitment_id", "contact", "reference", "sha256", "size",
})  # fmt: skip
"""Fields that only the program reads; the file of the trail has them."""


def action_words(action: str) -> str:
    """What was done, in words; the plain key of a deed that has none."""
    known = ACTIONS.get(action)
    return str(known) if known else action.replace(".", " ").replace("_", " ")


def kind_words(kind: str) -> str:
    """What a thing of this kind is called."""
    return str(KINDS.get(kind, kind.replace("_", " ")))


def field_words(field: str) -> str:
    """What a field of an entry is called."""
    return str(FIELDS.get(field, field.replace("_", " ")))


def value_words(value: str) -> str:
    """What a value that is a key of the program means; others as they are."""
    return str(VALUES.get(value, value))
