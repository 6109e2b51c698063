"""``manage.py dead_letters``: who could not be scored, and to have them tried again."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from customers.models import ScoringFailure
from customers.scoring import marks
from tests.factories import forget_marks, make_customer, make_failure, make_scored, marked

pytestmark = pytest.mark.django_db


@pytest.fixture
def failed():
    """Two customers: one dead letter, one to be tried again in an hour."""
    make_scored()
    aside, again = make_customer(), make_customer()
    for customer, retry_at in ((aside, None), (again, timezone.now() + timedelta(hours=1))):
        make_failure(customer, error="The balance is odd.", retry_at=retry_at)
    return aside.pk, again.pk


def said(capsys, *arguments):
    call_command("dead_letters", *arguments)
    return capsys.readouterr().out


def due():
    return set(ScoringFailure.objects.filter(retry_at__lte=timezone.now(), attempts=0).values_list("pk", flat=True))


def test_the_table_says_who_why_and_what_next(failed, capsys):
    aside, again = failed
    head, *rows = said(capsys, "-v1").splitlines()
    assert head.split()[:4] == ["customer", "version", "release", "attempts"]
    lines = {int(row.split()[0]): row for row in rows}
    assert lines.keys() == set(failed)
    assert "excluded" in lines[aside]
    assert "excluded" not in lines[again]
    assert all(row.endswith("The balance is odd.") for row in rows)


def test_as_json(failed, capsys):
    told = {row["customer_id"]: row for row in json.loads(said(capsys, "--json"))}
    assert (told[failed[0]]["retry_at"], told[failed[0]]["attempts"]) == (None, 5)
    assert told[failed[1]]["retry_at"] is not None


def test_none_is_said_in_words_and_as_an_empty_list(capsys):
    assert said(capsys) == "No customer is excluded from scoring individually, and no retry is scheduled.\n"
    assert said(capsys, "--words") == "No customer is excluded from scoring for an unknown country or gender.\n"
    assert json.loads(said(capsys, "--json")) == []


def test_those_who_are_named_are_tried_again(failed, capsys):
    forget_marks()
    assert said(capsys, "--requeue", str(failed[0])) == "1 customer queued for rescoring.\n"
    assert due() == {failed[0]}
    assert marked() == [(marks.LARGE, [failed[0]])]


def test_all_are_tried_again(failed, capsys):
    assert said(capsys, "--requeue-all") == "2 customers queued for rescoring.\n"
    assert due() == set(failed)


def test_a_name_that_is_not_in_the_list_is_an_error_and_none_is_tried(failed):
    with pytest.raises(CommandError, match="no failure is known for 5, 6"):
        call_command("dead_letters", "--requeue", str(failed[0]), "5", "6")
    assert due() == set()


def test_a_due_failure_of_a_customer_who_is_gone_does_not_stay_due_for_ever(failed):
    ScoringFailure.objects.update(retry_at=timezone.now())
    make_customer_gone(failed[0])
    marks.restore_marks()
    assert list(ScoringFailure.objects.values_list("pk", flat=True)) == [failed[1]]


def make_customer_gone(customer_id):
    from customers.models import Customer

    Customer.objects.filter(pk=customer_id).delete()
