"""Score records and audit findings, in the words and numbers of the staff."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import AuditFinding, ModelRelease, ScoreRecord
from tests.factories import make_scored
from tests.staff import logged_in

pytestmark = pytest.mark.django_db

RECORDS = "/admin/customers/scorerecord/"
FINDINGS = "/admin/customers/auditfinding/"


@pytest.fixture
def auditor():
    return logged_in("auditor", "view_scorerecord", "view_auditfinding", "view_customer", "view_modelrelease")


def words(client, address):
    """What is to be read on the page, without the tags."""
    response = client.get(address)
    assert response.status_code == 200
    page = response.content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<main") :]).split())


def recorded(**fields):
    customer = make_scored()
    ScoreRecord.objects.filter(customer_id=customer.pk).update(**fields)
    return ScoreRecord.objects.get(customer_id=customer.pk)


class TestScoreRecords:
    def test_scores_are_percentages_and_causes_words(self, auditor):
        record = recorded(score=0.31869776662675897, previous_score=0.25, cause="edited")
        for address in (RECORDS, f"{RECORDS}{record.pk}/change/"):
            found = words(auditor, address)
            assert "31.9% medium" in found or "31.9 % medium" in found
            assert "25.0 %" in found
            assert "Data changed" in found
            assert "0.3186" not in found

    @pytest.mark.parametrize(
        ("editor", "said"),
        [
            ("sql:teller", "database role teller"),
            ("django", "a program"),
            ("token:4", "service token 4"),
            ("django:999999", "deleted user 999999"),
        ],
    )
    def test_the_editor_is_told_in_words(self, auditor, editor, said):
        record = recorded(edited_by=editor)
        assert said in words(auditor, RECORDS)
        assert said in words(auditor, f"{RECORDS}{record.pk}/change/")

    def test_a_user_is_told_by_name_and_all_of_a_page_in_one_query(self, auditor):
        users = [get_user_model().objects.create_user(name) for name in ("ann", "bob")]
        recorded(edited_by=f"django:{users[0].pk}")
        with CaptureQueriesContext(connection) as one:
            assert " ann " in words(auditor, RECORDS)
        recorded(edited_by=f"django:{users[1].pk}")
        with CaptureQueriesContext(connection) as two:
            found = words(auditor, RECORDS)
        assert " ann " in found
        assert " bob " in found
        assert len(two) == len(one)

    def test_customer_and_model_are_links_and_no_text_is_the_engines_own(self, auditor):
        record = recorded()
        page = auditor.get(f"{RECORDS}{record.pk}/change/").content.decode()
        assert f'<a href="/admin/customers/customer/{record.customer_id}/change/">' in page
        assert f'<a href="/admin/customers/modelrelease/{record.scored_by_id}/change/">Release' in page
        assert "As in Behaviour" not in page
        assert "Years with the bank" in page

    def test_a_customer_is_found_by_id(self, auditor):
        one, other = recorded(), recorded()
        listed = auditor.get(RECORDS, {"q": str(one.customer_id)}).context["cl"].result_list
        assert [record.pk for record in listed] == [one.pk]
        assert auditor.get(RECORDS, {"q": "Smith"}).context["cl"].result_list == []
        assert len(auditor.get(RECORDS).context["cl"].result_list) == 2
        assert other.pk != one.pk


class TestAuditFindings:
    def test_they_lead_to_the_customer_and_can_be_narrowed_to_the_open_ones(self, auditor):
        customer = make_scored()
        AuditFinding.objects.create(
            customer_id=customer.pk,
            stored_score=0.5,
            expected_score=0.31869776662675897,
            version=1,
            release=ModelRelease.objects.active(),
        )
        found = words(auditor, FINDINGS)
        assert "50.0 % 31.9 %" in found
        assert "Not yet" in found
        assert f'<a href="/admin/customers/customer/{customer.pk}/change/">' in auditor.get(FINDINGS).content.decode()
        for state, number in (("open", 1), ("repaired", 0)):
            assert len(auditor.get(FINDINGS, {"state": state}).context["cl"].result_list) == number
