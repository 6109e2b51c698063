"""The page of a release in the admin: its model card, and nothing that a strict page would refuse."""

import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from customers.ml_service import current_forest
from customers.models import ModelRelease
from customers.releases.active import activate, summary
from tests.customers.ml_service.forests import diagnosis
from tests.staff import superuser

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script>"
PICTURES = 11


@pytest.fixture
def staff():
    return superuser()


@pytest.fixture(scope="module")
def diagnostics():
    return diagnosis()


class Page(HTMLParser):
    """The elements of the model card on a page."""

    def __init__(self, html):
        super().__init__()
        self.inside = False
        self.elements = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag == "div" and "field-card" in dict(attributes).get("class", ""):
            self.inside = True
        if self.inside and "submit-row" in dict(attributes).get("class", ""):
            self.inside = False
        if self.inside:
            self.elements.append((tag, dict(attributes)))

    def count(self, tag):
        return sum(element == tag for element, _attributes in self.elements)


def page_of(staff, metadata):
    release = ModelRelease.objects.create(sha256="c" * 64, fingerprint="d" * 64, metadata=metadata)
    response = staff.get(f"/admin/customers/modelrelease/{release.pk}/change/")
    assert response.status_code == 200
    return response.content.decode()


def test_the_card_is_on_the_page_with_its_tables_and_pictures(staff, diagnostics):
    html = page_of(staff, {"metrics": {"roc_auc": {"mean": 0.862, "std": 0.009}}, "diagnostics": diagnostics})
    for expected in ("0.862 ± 0.009", "c" * 64, "Permutation importance".lower(), "age 60+", "Other factors"):
        assert expected in html
    page = Page(html)
    assert page.count("svg") == PICTURES
    assert page.count("table") == 7


def test_nothing_of_it_needs_a_loose_content_security_policy(staff, diagnostics):
    page = Page(page_of(staff, {"diagnostics": diagnostics}))
    assert page.count("svg") == PICTURES
    assert page.count("script") == page.count("style") == 0
    names = {name for _element, attributes in page.elements for name in attributes}
    assert not {name for name in names if name == "style" or name.startswith("on")}


def test_a_release_of_which_nothing_is_known_says_so(staff):
    html = page_of(staff, {})
    assert "It is not recorded how good this forest is" in html
    assert "This model was not scored in shadow before its release." in html
    assert Page(html).count("svg") == 0


def test_hostile_words_are_only_words(staff):
    metadata = {
        "metrics": {"method": HOSTILE, "roc_auc": {"mean": 0.9}, HOSTILE: {"mean": 0.9}},
        "diagnostics": {
            "subgroups": {"gender": {HOSTILE: {"customers": 1}}},
            "effects": {"geography": {"values": [HOSTILE], "scores": [0.5]}},
        },
    }
    html = page_of(staff, metadata)
    assert HOSTILE not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_the_page_can_only_be_read(staff):
    html = page_of(staff, {})
    assert 'name="note"' not in html
    assert 'name="_save"' not in html


def test_a_release_keeps_what_its_card_needs_and_little_else(staff, diagnostics):
    forest = current_forest()
    baselines = {"constant": {"roc_auc": {"mean": 0.5, "std": 0.0}}}
    judged = replace(forest, metadata={**forest.metadata, "diagnostics": diagnostics, "baselines": baselines})
    release = activate(judged, note="judged")
    release.refresh_from_db()
    assert release.metadata["diagnostics"] == json.loads(json.dumps(diagnostics))
    assert release.metadata["baselines"] == baselines
    assert "golden" not in release.metadata
    assert len(json.dumps(summary(judged))) < 15_000
