"""On a phone a table's row is a card, so each cell must know its column."""

from __future__ import annotations

from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from markupsafe import Markup

from crm.web.tables import labelled
from tests.factories import Make


def test_a_cell_is_labelled_with_the_heading_of_its_column() -> None:
    rows = Markup(
        "<tr><th scope='row'>Ana</th><td>2015</td><td class='num'>3</td></tr><tr><td>x</td></tr>"
    )
    page = BeautifulSoup(labelled(rows, ["Name", "Class", ("Asks", "num")]), "html.parser")
    assert [cell.get("data-label") for cell in page.find_all("td")] == ["Class", "Asks", "Name"]
    assert page.select("th[data-label]") == []


def test_a_heading_cannot_leave_its_attribute_and_a_cell_too_many_stays_plain() -> None:
    labels = labelled(Markup("<tr><td>1</td><td>2</td></tr>"), ['"><script>'])
    page = BeautifulSoup(labels, "html.parser")
    assert [cell.get("data-label") for cell in page.find_all("td")] == ['"><script>', None]
    assert page.script is None


def test_the_columns_of_other_areas_are_labelled_in_the_list_of_people(
    coordinator: FlaskClient, make: Make
) -> None:
    make.alumnus("Zoë", "Nuñez")
    page = BeautifulSoup(coordinator.get("/people").text, "html.parser")
    heads = [cell.get_text() for cell in page.select("#results table thead th")]
    cells = page.select("#results table tbody tr")[0].find_all("td")
    assert [cell.get("data-label") for cell in cells] == heads[1:]
