"""The report tells all that is kept, in words, and is noted itself."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from customers.models import Contact, ScoreRecord, UnscoredVersion
from customers.outreach import contacts
from tests.factories import edit, make_scored, rescore
from tests.staff import superuser
from tests.vigilpay.personal_data.everywhere import tables_with
from tests.vigilpay.personal_data.traces import ID, OTHER_ID, SURNAME, make_everything
from vigilpay.personal_data.erasure import erase
from vigilpay.personal_data.report import report, whole_history
from vigilpay.trail.models import TrailEntry

pytestmark = pytest.mark.django_db


def test_it_has_something_in_every_section():
    make_everything()
    found = report(ID)
    assert {name for name, rows in found.sections.items() if not rows} <= {"reasons", "exclusion from scoring"}
    [values] = found.sections["values"]
    assert (values["surname"], values["customer_id"], values["age"]) == (SURNAME, ID, 53)
    uploads = [
        (upload["file"], upload["row"].get("Age", upload["row"].get("age"))) for upload in found.sections["uploads"]
    ]
    assert uploads == [
        ("customers.csv", "55"),
        ("packed.csv.gz", "55"),
        *[("rejects.csv", "555"), ("rejects.csv", "40")] * 2,  # in the file itself, and among its rejected rows
    ]
    assert found.sections["outcome"][0]["left_on"].year == 2026
    assert [row["outcome"] for row in found.sections["contacts"]] == ["Spoke with the customer"]
    assert [row["claimed_by"] for row in found.sections["worklists"]] == ["teller"]
    assert "teller" in {row["by"] for row in found.sections["changes in the admin"]}
    assert "viewed" in {row["purpose"] for row in found.sections["read or changed by"]}
    assert str(OTHER_ID) not in str(found.sections)


def test_scores_have_their_model_and_their_reasons_in_words():
    customer = make_scored(customer_id=ID, age=40)
    edit(customer, age=70)
    rescore(customer)
    found = report(ID)
    first, second = found.sections["scores"]
    assert first["because"]
    assert second["because"] == "Data changed"
    assert "age +" in second["reasons"]
    assert second["model"].startswith("release ")
    assert found.sections["reasons"][0].keys() == {"reason", "points"}
    assert found.sections["changes"][-1]["changed"] == {"age": "40 -> 70"}
    assert found.sections["changes"][-1]["by"].startswith("django")


def test_a_contact_has_the_score_and_the_reasons_of_its_moment():
    customer = make_scored(customer_id=ID)
    contact = Contact(customer=customer, channel="phone", outcome="offer made", note="called")
    contacts.record(contact, "teller", contacts.standing_of(ID))
    [row] = report(ID).sections["contacts"]
    assert (row["by"], row["channel"], row["note"]) == ("teller", "Phone", "called")
    assert (row["score"], row["model"]) == (customer.churn_risk_score, f"release {customer.scored_by_id}")
    assert row["reasons"]


def test_a_long_history_comes_whole_and_in_order(monkeypatch):
    customer = make_scored(customer_id=ID)
    former = ScoreRecord.objects.get()
    make_long_history(former, 450)
    entries = whole_history(customer.pk)
    records = [entry.score.record for entry in entries if entry.score]
    assert len(records) == ScoreRecord.objects.count() == 451
    assert records == sorted(set(records))
    assert sum(len(entry.edits) for entry in entries) == 451


def make_long_history(former, scores):
    """So many edits and scores after the first."""
    rows = []
    for number in range(1, scores + 1):
        at = former.scored_at + timedelta(seconds=number)
        row = ScoreRecord(**{it.attname: getattr(former, it.attname) for it in ScoreRecord._meta.concrete_fields})
        row.pk, row.version, row.age = None, former.version + number, 20 + number % 60
        row.cause, row.previous_score = "edited", former.score
        row.stale_since = row.edited_at = row.scored_at = at
        rows.append(row)
    ScoreRecord.objects.bulk_create(rows)


def test_every_table_about_a_customer_is_in_it_or_named_here_as_an_id_alone():
    told = {
        *("customers_customer", "customers_scorerecord", "customers_unscoredversion", "customers_scoringfailure"),
        *("customers_auditfinding", "customers_outcome", "events_alert", "vigilpay_trailentry"),
        *("customers_contact", "customers_worklistitem", "customers_departure"),
    }
    ids_alone = {"customers_rescorerequest", "customers_scorechange"}
    copies = {"customers_recentmove"}  # of a score that the history has
    assert (tables_with("customer_id") | tables_with("customer_ids")) - ids_alone - copies == told


class TestCommand:
    def test_text_has_every_section_and_json_the_same(self, capsys):
        make_everything()
        call_command("subject_report", ID)
        text = capsys.readouterr().out
        call_command("subject_report", ID, "--json")
        found = json.loads(capsys.readouterr().out)
        assert found["customer_id"] == ID
        for name in found["sections"]:
            assert f"\n{name.capitalize()}\n" in text
        assert SURNAME in text
        assert found["sections"]["values"][0]["surname"] == SURNAME

    def test_it_is_noted_as_a_reading(self):
        make_scored(customer_id=ID)
        call_command("subject_report", ID, stdout=None)
        entry = TrailEntry.objects.get()
        assert (entry.purpose, entry.customer_ids) == ("report", [ID])
        assert entry.actor.startswith("command:subject_report by ")

    def test_of_a_customer_who_is_not_known_there_is_none(self):
        with pytest.raises(CommandError, match=f"Nothing is stored about customer {ID}.$"):
            call_command("subject_report", ID)
        assert not TrailEntry.objects.exists()

    def test_of_one_who_was_erased_it_says_when_and_by_whom(self, settings):
        make_scored(customer_id=ID)
        erase(ID, "command:erase_customer by alice")
        with pytest.raises(CommandError, match=r"Erased on \d+ \w+ 20\d\d, .* by command:erase_customer by alice\."):
            call_command("subject_report", ID)
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another" * 10
        with pytest.raises(CommandError, match="Erased on"):
            call_command("subject_report", ID)

    def test_one_who_has_left_the_table_has_a_history_still(self, capsys):
        make_scored(customer_id=ID).delete()
        call_command("subject_report", ID)
        assert "Values\nNone" in capsys.readouterr().out


def test_readers_are_named():
    make_scored(customer_id=ID)
    assert superuser("reader").get(f"/customers/insights/{ID}/").status_code == 200
    [row] = report(ID).sections["read or changed by"]
    assert row["by"].startswith("reader (user:")
    assert timezone.now() - row["at"] < timedelta(minutes=1)
    assert UnscoredVersion.objects.count() == 0
