"""The pages of what imports remember: how files are read, and the custom fields they brought."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request
from flask import url_for as url
from flask_babel import gettext as _

from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.viewer import Permission
from crm.imports import custom, remembered
from crm.imports.forms import FieldForm, MappingForm, directions_from
from crm.imports.labels import CUSTOM_KINDS
from crm.imports.layout import never_read
from crm.imports.layouts import LAYOUTS
from crm.imports.models import ImportMapping
from crm.imports.targets import LABELS, custom_parts

bp = Blueprint("mappings", __name__, url_prefix="/imports")


@bp.get("/mappings")
@requires(Permission.IMPORT)
def index() -> str:
    """Every way of reading files that is remembered."""
    page = remembered.mappings_page(db.session(), after=request.args.get("after"))
    return render_template("crm/imports/mappings.html", page=page, layouts=LAYOUTS)


@bp.get("/mappings/<int:mapping_id>")
@requires(Permission.IMPORT)
def edit(mapping_id: int) -> str:
    """One of them, to be changed."""
    mapping = remembered.load(db.session(), mapping_id)
    form = MappingForm(sender=mapping.name)
    return _shown(mapping, form)


@bp.post("/mappings/<int:mapping_id>")
@requires(Permission.IMPORT)
def change(mapping_id: int) -> Any:
    """Keep another name and other meanings of the columns."""
    session = db.session()
    mapping = remembered.load(session, mapping_id)
    form = MappingForm()
    if not form.validate_on_submit():
        return _shown(mapping, form), 422
    columns = directions_from(request.form, mapping.header)
    remembered.change(
        session, mapping, name=form.sender.data, columns=columns, by=current_viewer(),
        at=clock.now(),
    )  # fmt: skip
    session.commit()
    flash(_("Kept. The next file with these columns can be read this way."))
    return redirect(url("mappings.index"), 303)


def _shown(mapping: ImportMapping, form: MappingForm) -> str:
    layout = LAYOUTS.get(mapping.layout, LAYOUTS["spreadsheet"])
    return render_template(
        "crm/imports/mapping.html", mapping=mapping, form=form, layout=layout, targets=LABELS,
        parts=custom_parts, never_read=never_read, chosen=mapping.directions.get("columns", {}),
    )  # fmt: skip


@bp.post("/mappings/<int:mapping_id>/delete")
@requires(Permission.IMPORT)
def delete(mapping_id: int) -> Any:
    """Forget a way of reading files."""
    session = db.session()
    mapping = remembered.load(session, mapping_id)
    remembered.forget(session, mapping, by=current_viewer(), at=clock.now())
    session.commit()
    flash(_("Forgotten. Files that were read this way stay as they are."))
    return redirect(url("mappings.index"), 303)


@bp.get("/mappings/<int:mapping_id>.json")
@requires(Permission.IMPORT)
def download(mapping_id: int) -> Response:
    """The mapping as a file for `people import --mapping`."""
    mapping = remembered.load(db.session(), mapping_id)
    body = json.dumps(mapping.directions, ensure_ascii=False, indent=2) + "\n"
    headers = {"Content-Disposition": f'attachment; filename="mapping-{mapping.id}.json"'}
    return Response(body, mimetype="application/json", headers=headers)


@bp.get("/fields")
@requires(Permission.IMPORT)
def fields() -> str:
    """The custom fields that files brought."""
    page = custom.fields_page(db.session(), after=request.args.get("after"))
    forms = {
        row.CustomField.key: FieldForm(obj=row.CustomField, prefix=row.CustomField.key)
        for row in page.items
    }
    return render_template("crm/imports/fields.html", page=page, forms=forms, kinds=CUSTOM_KINDS)


@bp.post("/fields/<key>")
@requires(Permission.IMPORT)
def change_field(key: str) -> Any:
    """Call a custom field otherwise, or let the model look at it or not."""
    session = db.session()
    form = FieldForm(prefix=key)
    if form.validate_on_submit():
        custom.change_field(
            session, key, label=form.label.data, targeting=form.targeting.data,
            by=current_viewer(), at=clock.now(),
        )  # fmt: skip
        session.commit()
        flash(_("Kept."))
    else:
        flash(_("Give the field a name."), "error")
    return redirect(url("mappings.fields"), 303)
