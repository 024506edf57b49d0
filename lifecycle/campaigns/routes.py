"""The campaign pages, from draft to report."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from wtforms.fields.choices import SelectChoice

from crm.accounts.access import current_viewer, requires
from crm.alumni.access import load_alumnus
from crm.alumni.models import Alumnus
from crm.consent.models import Topic
from crm.consent.queries import topics
from crm.consent.words import topic_name
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid, Refused
from crm.core.extend import QueryContext
from crm.core.viewer import Permission
from crm.mail import preview as mail_preview
from crm.mail.content import Variant
from crm.mail.reasons import sentence
from crm.mail.values import described_fields
from crm.query import QueryError, compile_query, count_up_to
from crm.query.sentence import said
from crm.web.i18n import CONTENT_LANGUAGES
from lifecycle.campaigns import queries, service
from lifecycle.campaigns.forms import CampaignForm, ScheduleForm, TextForm

bp = Blueprint("campaigns", __name__, url_prefix="/campaigns")
DISTRICT_ZONE = ZoneInfo("America/New_York")


@bp.get("/")
@requires(Permission.CAMPAIGNS_VIEW)
def index() -> str:
    """Every campaign with where its audience ended up."""
    page = queries.campaign_page(db.session(), after=request.args.get("after"))
    campaigns = [row.Campaign for row in page.items]
    reports = queries.reports_of(db.session(), campaigns)
    return render_template(
        "lifecycle/campaigns/index.html", page=page, campaigns=campaigns, reports=reports
    )


def _with_topics(form: CampaignForm) -> CampaignForm:
    offered = topics(db.session())
    form.topic_key.choices = [SelectChoice(topic.key, topic_name(topic)) for topic in offered]
    return form


def _draft(form: CampaignForm) -> service.Draft:
    return service.Draft(form.name.data, form.goal.data or "", form.query.data, form.topic_key.data)


def _show_fault(form: Any, error: Invalid) -> None:
    """Put a service's refusal beside the field it names."""
    field = form[error.field] if error.field and error.field in form else None
    target = field if field is not None else form[next(iter(form._fields))]
    target.errors = [*target.errors, str(error)]


@bp.route("/new", methods=["GET", "POST"])
@requires(Permission.CAMPAIGNS_EDIT)
def new() -> Any:
    """Draft a campaign."""
    form = _with_topics(CampaignForm(query=request.args.get("q", ""), topic_key="news"))
    if form.validate_on_submit():
        try:
            campaign = service.create(
                db.session(), _draft(form), by=current_viewer(), at=clock.now()
            )
        except Invalid as error:
            _show_fault(form, _about_query(error))
        else:
            db.session.commit()
            return redirect(url_for("campaigns.write", key=campaign.key, language="en"), 303)
    return render_template("lifecycle/campaigns/edit.html", form=form, campaign=None)


def _about_query(error: Invalid) -> Invalid:
    return Invalid(str(error), field="query") if isinstance(error, QueryError) else error


@bp.route("/<key>/edit", methods=["GET", "POST"])
@requires(Permission.CAMPAIGNS_EDIT)
def edit(key: str) -> Any:
    """Change a draft."""
    campaign = queries.load_campaign(db.session(), key)
    form = _with_topics(CampaignForm(obj=campaign))
    if request.method == "GET":
        form.query.data = request.args.get("q", campaign.query)
    if form.validate_on_submit():
        try:
            service.edit(db.session(), campaign, _draft(form), by=current_viewer(), at=clock.now())
        except Invalid as error:
            _show_fault(form, _about_query(error))
        else:
            db.session.commit()
            return redirect(url_for("campaigns.detail", key=key), 303)
    return render_template("lifecycle/campaigns/edit.html", form=form, campaign=campaign)


@bp.get("/<key>")
@requires(Permission.CAMPAIGNS_VIEW)
def detail(key: str) -> str:
    """The campaign: what is to do next, its texts, and its report."""
    session, at = db.session(), clock.now()
    campaign = queries.load_campaign(session, key)
    version, texts = queries.variants(session, campaign)
    found: tuple[int, bool] | None = None
    fault, context = "", QueryContext(session, current_viewer(), at)
    if campaign.audience is None:
        try:
            found = count_up_to(session, compile_query(campaign.query, context))
        except Invalid as error:
            fault = str(error)
    return render_template(
        "lifecycle/campaigns/detail.html", campaign=campaign, version=version, texts=texts,
        report=queries.report(session, campaign), found=found, fault=fault, form=ScheduleForm(),
        languages_known=CONTENT_LANGUAGES, reason_sentence=sentence,
        topic=session.get(Topic, campaign.topic_key), says=said(campaign.query, context),
    )  # fmt: skip


@bp.get("/<key>/people")
@requires(Permission.CAMPAIGNS_VIEW)
def people(key: str) -> str:
    """Who stands behind a figure of the report."""
    campaign = queries.load_campaign(db.session(), key)
    state, reason = request.args.get("state", ""), request.args.get("reason", "")
    page = queries.audience_members(
        db.session(), campaign, current_viewer(),
        state=state, reason=reason, after=request.args.get("after"),
    )  # fmt: skip
    return render_template(
        "lifecycle/campaigns/people.html", campaign=campaign, page=page, state=state,
        reason=reason, reason_sentence=sentence,
    )  # fmt: skip


@bp.route("/<key>/text/<language>", methods=["GET", "POST"])
@requires(Permission.CAMPAIGNS_EDIT)
def write(key: str, language: str) -> Any:
    """Write the text in one language."""
    campaign = queries.load_campaign(db.session(), key)
    if language not in CONTENT_LANGUAGES:
        raise Invalid(_("Mail cannot be written in that language yet."))
    _version, texts = queries.variants(db.session(), campaign)
    form = TextForm(obj=texts.get(language))
    if form.validate_on_submit():
        variant = Variant(form.subject.data, form.preheader.data or "", form.body.data)
        try:
            service.write(
                db.session(), campaign, language, variant, by=current_viewer(), at=clock.now()
            )
        except (Invalid, Refused) as error:
            _show_fault(form, Invalid(str(error), field="body"))
        else:
            db.session.commit()
            flash(_("The text is saved."))
            return redirect(url_for("campaigns.detail", key=key), 303)
    return render_template(
        "lifecycle/campaigns/text.html", form=form, campaign=campaign, language=language,
        texts=texts, languages_known=CONTENT_LANGUAGES, fields=described_fields(),
    )  # fmt: skip


def _preview(key: str) -> tuple[Any, Any, Any]:
    session = db.session()
    campaign = queries.load_campaign(session, key)
    version, texts = queries.variants(session, campaign)
    if version is None or not texts:
        raise Invalid(_("Write the text first."))
    who = request.args.get("person", "")
    person: Alumnus | None = None
    if who.isdigit() and len(who) < 19:
        person = load_alumnus(session, current_viewer(), int(who))
    else:
        context = QueryContext(session, current_viewer(), clock.now())
        ids = compile_query(campaign.query, context).ids.limit(1)
        first = session.scalars(ids).first()
        person = load_alumnus(session, current_viewer(), first) if first else None
    language = request.args.get("language", "")
    rendered = mail_preview.preview(
        session, version, language if language in texts else None, person, at=clock.now()
    )
    return campaign, person, rendered


@bp.get("/<key>/preview")
@requires(Permission.CAMPAIGNS_VIEW)
def preview(key: str) -> str:
    """The mail as one person would get it."""
    campaign, person, rendered = _preview(key)
    _version, texts = queries.variants(db.session(), campaign)
    return render_template(
        "lifecycle/campaigns/preview.html", campaign=campaign, person=person, rendered=rendered,
        texts=texts, languages_known=CONTENT_LANGUAGES,
    )  # fmt: skip


@bp.get("/<key>/preview.html")
@requires(Permission.CAMPAIGNS_VIEW)
def preview_html(key: str) -> Response:
    """The mail's own HTML for the preview's frame, which may run nothing."""
    return mail_preview.framed(_preview(key)[2].html)


@bp.post("/<key>/test")
@requires(Permission.CAMPAIGNS_EDIT)
def test(key: str) -> Any:
    """Mail the text to myself."""
    campaign = queries.load_campaign(db.session(), key)
    address = service.send_test(db.session(), campaign, by=current_viewer(), at=clock.now())
    db.session.commit()
    flash(_("A test is on its way to %(address)s.", address=address))
    return redirect(url_for("campaigns.detail", key=key), 303)


def _moment(form: ScheduleForm) -> datetime:
    if form.when.data == "later":
        if form.send_at.data is None:
            raise Invalid(_("Say when it should go out."), field="send_at")
        local: datetime = form.send_at.data.replace(tzinfo=DISTRICT_ZONE)
        return local.astimezone(UTC)
    return clock.now()


@bp.post("/<key>/schedule")
@requires(Permission.CAMPAIGNS_EDIT)
def schedule(key: str) -> Any:
    """Let it go out, now or at a set time."""
    form = ScheduleForm()
    if not form.validate_on_submit():
        raise Invalid(_("Choose when it should go out, as a date and a time."))
    campaign = queries.load_campaign(db.session(), key, lock=True)
    service.schedule(
        db.session(), campaign, send_at=_moment(form), by=current_viewer(), at=clock.now()
    )
    db.session.commit()
    flash(_("Scheduled. You can take it back until it goes out."))
    return redirect(url_for("campaigns.detail", key=key), 303)


@bp.post("/<key>/unschedule")
@requires(Permission.CAMPAIGNS_EDIT)
def unschedule(key: str) -> Any:
    """Take it back to draft."""
    campaign = queries.load_campaign(db.session(), key, lock=True)
    service.unschedule(db.session(), campaign, by=current_viewer(), at=clock.now())
    db.session.commit()
    flash(_("Back to draft: nothing will go out."))
    return redirect(url_for("campaigns.detail", key=key), 303)


@bp.post("/<key>/stop")
@requires(Permission.CAMPAIGNS_EDIT)
def stop(key: str) -> Any:
    """Skip what has not gone out yet."""
    campaign = queries.load_campaign(db.session(), key, lock=True)
    stopped = service.stop(db.session(), campaign, by=current_viewer(), at=clock.now())
    db.session.commit()
    flash(_("Stopped: %(count)s messages will not go out.", count=stopped))
    return redirect(url_for("campaigns.detail", key=key), 303)


@bp.post("/<key>/copy")
@requires(Permission.CAMPAIGNS_EDIT)
def copy(key: str) -> Any:
    """Start a new draft from this one."""
    campaign = queries.load_campaign(db.session(), key)
    twin = service.copy(db.session(), campaign, by=current_viewer(), at=clock.now())
    db.session.commit()
    return redirect(url_for("campaigns.edit", key=twin.key), 303)


@bp.post("/<key>/delete")
@requires(Permission.CAMPAIGNS_EDIT)
def delete(key: str) -> Any:
    """Throw a draft away."""
    campaign = queries.load_campaign(db.session(), key, lock=True)
    service.delete_draft(db.session(), campaign, by=current_viewer(), at=clock.now())
    db.session.commit()
    flash(_("The draft is gone."))
    return redirect(url_for("campaigns.index"), 303)
