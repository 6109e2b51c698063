"""Customers who leave the table and come back, as a nightly full reload has them do: nothing of the former life counts
against the new one, what was known is no news, and the history says it."""

import json
import re

import pytest
from django.core.management import call_command
from django.db import connection

from customers.fields import LONG_AGO
from customers.history.timeline import read_history
from customers.models import Customer, ScoreRecord, ScoringFailure, UnscoredVersion
from customers.monitoring import audit
from customers.scoring import failures, marks, scorer
from events.freshness.queries import freshness
from events.models.alerts import Alert
from tests.events.alerts.alerting import another_release, rise, scores, store, threshold
from tests.factories import A_CUSTOMER, edit, make_customer, make_failure, make_scored, rescore, write_as_scorer
from tests.staff import superuser

pytestmark = pytest.mark.django_db

COLUMNS = ", ".join(("customer_id", "surname", *A_CUSTOMER))
OUT = f"""CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS SELECT {COLUMNS} FROM customers_customer;
CREATE TEMPORARY TABLE whole ON COMMIT DROP AS SELECT * FROM customers_customer;"""
IN = f"INSERT INTO customers_customer ({COLUMNS}) SELECT * FROM fresh"

RELOADS = {
    "deleted, inserted": f"DELETE FROM customers_customer; {IN}",
    "truncated, inserted": f"TRUNCATE customers_customer; {IN}",
    "truncated with what refers to it": f"TRUNCATE customers_customer CASCADE; {IN}",
    "every column put back": "DELETE FROM customers_customer; INSERT INTO customers_customer SELECT * FROM whole",
    "an upsert into the empty table": f"TRUNCATE customers_customer; {IN} ON CONFLICT (customer_id) DO NOTHING",
    "in a procedure": f"DO $$ BEGIN DELETE FROM customers_customer; {IN}; END $$",
    "twice": f"DELETE FROM customers_customer; {IN}; DELETE FROM customers_customer; {IN}",
    "by another id": "UPDATE customers_customer SET customer_id = customer_id + 1000000000;"
    "UPDATE customers_customer SET customer_id = customer_id - 1000000000",
}


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)


def reload(way="deleted, inserted"):
    sql(f"{OUT} {RELOADS[way]}; DROP TABLE fresh, whole")
    marks.mark_all()


def drain():
    while (batch := scorer.rescore_batch()).claimed or batch.swept:
        pass


def listed(capsys):
    call_command("dead_letters", "--json")
    return [failure["customer_id"] for failure in json.loads(capsys.readouterr().out)]


@pytest.mark.parametrize("way", RELOADS)
class TestEveryReload:
    def test_a_dead_letter_is_none_any_more(self, way, capsys):
        make_scored()
        aside = make_customer()
        make_failure(aside)
        reload(way)
        found = freshness()
        assert (found.dead_letters, found.held_back_count, found.stale_count) == (0, 0, 2)
        assert listed(capsys) == []
        drain()
        aside.refresh_from_db()
        assert aside.is_current()
        assert not ScoringFailure.objects.exists()

    def test_a_risk_that_was_known_is_no_news(self, way):
        threshold(0.5), rise(0.1)
        high, low = make_customer(), make_customer()
        store(high, 0.8), store(low, 0.2)
        assert Alert.objects.count() == 1
        reload(way)
        store(high, 0.85), store(low, 0.25)
        assert Alert.objects.count() == 1
        assert list(ScoreRecord.objects.order_by("id").values_list("previous_score", flat=True)) == [
            None,
            None,
            0.8,
            0.2,
        ]

    def test_the_history_says_that_the_customer_left_and_came_back(self, way, capsys):
        customer = make_scored(age=40)
        reload(way)
        drain()
        staff = superuser()
        call_command("history", customer.pk)
        told = capsys.readouterr().out
        shown = staff.get(f"/admin/customers/customer/{customer.pk}/change/").content.decode()
        asked = staff.get(f"/customers/history/{customer.pk}/").json()["entries"]
        returns = 2 if way == "twice" else 1
        assert told.count("deleted and added again") == returns
        assert "Customer returned" in shown
        assert [edit["returned"] for entry in asked for edit in entry["edits"]] == [*[True] * returns, False]

    def test_the_audit_finds_nothing_wrong(self, way):
        make_scored(), make_scored()
        reload(way)
        drain()
        assert audit.audit() == audit.AuditReport(audited=2)


class TestFailures:
    def test_the_new_life_has_all_its_attempts(self, settings, monkeypatch):
        settings.RETRY_ATTEMPTS = 2
        monkeypatch.setattr(failures, "explain_all", stumble)
        customer = make_customer(age=66)
        for _ in range(2):
            ScoringFailure.objects.filter(retry_at__isnull=False).update(retry_at=LONG_AGO)
            marks.mark([customer.pk])
            drain()
        assert ScoringFailure.objects.dead_letters().get().attempts == 2
        reload()
        drain()
        failure = ScoringFailure.objects.get()
        assert (failure.attempts, failure.retry_at is None) == (1, False)
        customer.refresh_from_db()
        assert failure.arrived_at == customer.arrived_at

    def test_the_first_score_of_the_new_life_is_no_second_try_of_the_former(self):
        customer = make_scored()
        make_failure(customer)
        reload()
        drain()
        assert ScoreRecord.objects.latest("id").cause == "returned"

    def test_nor_does_one_count_that_the_new_life_reaches_the_version_of(self):
        make_scored()
        customer = make_customer(age=40)
        edit(customer, age=41)
        make_failure(customer)
        reload()
        edit(customer, age=42)
        assert freshness().dead_letters == 0
        drain()
        customer.refresh_from_db()
        assert (customer.version, customer.is_current()) == (2, True)

    def test_the_admin_lists_and_shows_no_failure_of_a_former_life(self):
        make_scored()
        customer = make_customer()
        make_failure(customer)
        reload()
        staff = superuser()
        assert not staff.get("/admin/customers/scoringfailure/").context["cl"].result_list
        assert not staff.get("/admin/customers/customer/", {"freshness": "set_aside"}).context["cl"].result_list
        page = staff.get(f"/admin/customers/customer/{customer.pk}/change/").content.decode()
        assert "xcluded from scoring" not in page
        assert "Score pending since " in page

    def test_there_is_nothing_of_it_to_requeue(self):
        make_scored()
        make_failure(make_customer())
        reload()
        assert failures.requeue() == 0
        assert failures.requeue(Customer.objects.values("pk")) == 0

    def test_it_is_forgotten_and_that_of_the_new_life_is_not(self):
        make_scored()
        former, present = make_customer(), make_customer()
        make_failure(former)
        reload()
        make_failure(present)
        assert ScoringFailure.objects.forget_former_lives() == 1
        assert ScoringFailure.objects.get().pk == present.pk

    def test_one_that_is_due_does_not_stay_due_for_ever(self):
        make_scored()
        customer = make_customer()
        make_failure(customer, retry_at=LONG_AGO)
        reload()
        drain()
        marks.restore_marks()
        assert not ScoringFailure.objects.exists()

    def test_in_rows_from_before_arrivals_were_noted_a_failure_counts_until_the_next_reload(self):
        make_scored()
        customer = make_customer()
        write_as_scorer(customer, arrived_at=LONG_AGO)
        make_failure(customer)
        assert freshness().dead_letters == 1
        reload()
        assert freshness().dead_letters == 0


class TestAlerts:
    def test_who_crosses_between_two_lives_raises_one(self):
        threshold(0.5)
        customer = make_customer()
        store(customer, 0.4)
        reload()
        store(customer, 0.6)
        assert list(Alert.objects.values_list("score_before", "score")) == [(0.4, 0.6)]

    def test_who_rises_between_two_lives_raises_one(self):
        rise(0.2)
        customer = make_customer()
        store(customer, 0.1)
        reload()
        edit(customer, age=51)
        store(customer, 0.4)
        reload()
        store(customer, 0.4)
        assert list(Alert.objects.values_list("score_before", "score")) == [(0.1, 0.4)]

    def test_a_rise_that_was_told_is_not_told_again_by_later_lives(self):
        rise(0.2)
        customer = make_customer()
        scores(customer, 0.1, 0.5)
        assert Alert.objects.count() == 1
        for score in (0.5, 0.55, 0.6):
            reload()
            store(customer, score)
        assert Alert.objects.count() == 1

    def test_night_after_night_nothing_new_is_told(self):
        threshold(0.0001)
        for _ in range(5):
            make_customer()
        drain()
        first = Alert.objects.count()
        for _ in range(3):
            reload()
            drain()
        assert Alert.objects.count() == first > 0
        assert ScoreRecord.objects.count() == 20

    def test_after_a_fall_it_is_news_again(self):
        threshold(0.5)
        customer = make_customer()
        for score in (0.6, 0.4, 0.6):
            store(customer, score)
            reload()
        assert Alert.objects.count() == 2

    def test_one_who_was_never_scored_in_the_former_life_is_news(self):
        threshold(0.5)
        customer = make_customer()
        reload()
        store(customer, 0.6)
        assert list(Alert.objects.values_list("score_before", "score")) == [(None, 0.6)]

    @pytest.mark.parametrize("cause", ["", "analyze"])
    @pytest.mark.parametrize("counts", [False, True])
    def test_a_score_that_only_another_model_moved_is_news_to_those_rules_that_count_models(self, cause, counts):
        threshold(0.5, counts_releases=counts), rise(0.1, counts_releases=counts)
        customer = make_customer()
        store(customer, 0.4)
        another_release()
        reload()
        store(customer, 0.6, cause)
        assert ScoreRecord.objects.first().cause == "release"
        assert Alert.objects.count() == (2 if counts else 0)

    def test_one_with_other_values_and_another_model_is_as_edited(self):
        threshold(0.5)
        customer = make_customer(age=40)
        store(customer, 0.4)
        another_release()
        Customer.objects.all().delete()
        store(make_customer(customer_id=customer.pk, age=41), 0.6)
        assert ScoreRecord.objects.first().cause == "returned"
        assert Alert.objects.count() == 1


class TestHistory:
    def test_a_life_that_ended_unscored_is_told(self, capsys):
        """As of a customer whom no model could score, and who comes back corrected."""
        customer = make_customer(age=40)
        reload()
        edit(customer, age=41)
        rescore(customer)
        former, present = read_history(customer.pk)
        assert former.score is None
        assert [(edit.version, edit.returned) for edit in former.edits] == [(1, False)]
        assert [(edit.version, edit.returned) for edit in present.edits] == [(1, True), (2, False)]
        call_command("history", customer.pk)
        assert re.search(r" 1 +\S+ +deleted and added again\n", capsys.readouterr().out)

    def test_it_tells_what_changed_meanwhile_and_what_that_moved(self, capsys):
        customer = make_scored(age=30, balance=0)
        customer_id, before = customer.pk, customer.churn_risk_score
        customer.delete()
        back = make_scored(customer_id=customer_id, age=58, balance=0)
        first, second = read_history(customer_id)
        assert (second.score.cause, second.score.previous_score) == ("analyze", before)
        gained = 100 * (back.churn_risk_score - before)
        assert sum(move.points for move in second.moves) == pytest.approx(gained, abs=0.5)
        call_command("history", customer_id)
        assert "deleted and added again: age 30 -> 58" in capsys.readouterr().out
        page = superuser().get(f"/admin/customers/customer/{customer_id}/change/").content.decode()
        assert "Customer returned: Age 30 → <strong>58</strong>" in page
        assert first.edits[0].returned is False

    def test_lives_that_one_call_has_begun_and_ended_do_not_mix(self):
        """Of one CALL all statements have one time: by that, the second life would come before the first's end."""
        customer = make_scored(age=40)
        edit(customer, age=41)
        rescore(customer)
        reload()
        began = ScoreRecord.objects.latest("id").stale_since
        write_as_scorer(customer, stale_since=began)
        for score in (lambda: None, drain):
            score()
            told = [(edit.version, edit.returned) for chapter in read_history(customer.pk) for edit in chapter.edits]
            assert told == [(1, False), (2, False), (1, True)]

    def test_lives_from_before_arrivals_were_noted_are_told_apart_by_their_first_versions(self):
        for age in (40, 60):
            Customer.objects.filter(pk=7_000_005).delete()
            customer = make_customer(customer_id=7_000_005, age=age)
            edit(customer, age=age + 1)
            rescore(customer)
        ScoreRecord.objects.update(arrived_at=LONG_AGO)
        ScoreRecord.objects.filter(cause="returned").update(previous_score=None)
        UnscoredVersion.objects.update(arrived_at=LONG_AGO)
        reload()
        told = [[(edit.version, edit.returned) for edit in chapter.edits] for chapter in read_history(customer.pk)]
        assert told == [[(1, False), (2, False)], [(1, True), (2, False)], [(1, True)]]

    def test_the_list_of_causes_has_a_word_for_it(self):
        customer = make_customer()
        rescore(customer)
        reload()
        drain()
        page = superuser().get("/admin/customers/scorerecord/").content.decode()
        assert "Customer returned" in page
        assert [it.cause for it in ScoreRecord.objects.order_by("id")] == ["created", "returned"]

    def test_lag_counts_who_came_back(self):
        rescore(make_customer())
        reload()
        drain()
        assert freshness().lag.scores == 2


def test_a_record_of_the_former_life_does_not_vouch_for_a_score():
    customer = make_scored()
    reload()
    drain()
    ScoreRecord.objects.latest("id").delete()
    assert audit.audit().unrecorded == 1
    assert Customer.objects.get().churn_risk_score == customer.churn_risk_score


def stumble(forest, claim):
    raise ZeroDivisionError("A tree without leaves.")
