"""The harness can fail: whatever a storm might break is planted here, and the checks have to find it."""

from contextlib import closing
from itertools import product

import psycopg
import pytest
from django.db import connection
from django.db.models.functions import Now

from customers.ml_service.schema import FEATURES, GENDERS, GEOGRAPHIES
from customers.models import Customer, ScoreRecord
from customers.scoring import scorer
from tests.chaos import checks
from tests.chaos.editors import Bears, Edit, Editor
from tests.chaos.forests import ALPHABETICAL, OTHER_CODES, Forests, checksum_of, codes_beside, forest_with_other_codes
from tests.chaos.ledger import Ledger, as_state, change, remove
from tests.chaos.people import Portfolio
from tests.databases import url_of_test_database
from tests.factories import make_scored, no_trigger

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def forests(assets):
    known = Forests()
    known.learn(assets / "model.pkl", codes_beside(assets / "model.pkl"))
    return known


@pytest.fixture
def examine(assets, forests):
    def run(ledger=None, contested=(), chains_after=0):
        with looking() as looker:
            in_place = checksum_of(assets / "model.pkl")
            ledgers = [ledger] if ledger else []
            return checks.examine(looker, forests, in_place, ledgers, contested, chains_after=chains_after)

    return run


@pytest.fixture
def without_constraint():
    """Takes one away until the test has ended; then what it would refuse is gone, too."""
    definitions = {}

    def drop(name):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name])
            (definitions[name],) = cursor.fetchone()
            cursor.execute(f"ALTER TABLE customers_customer DROP CONSTRAINT {name}")

    yield drop
    plant("DELETE FROM customers_customer")
    with connection.cursor() as cursor:
        for name, definition in definitions.items():
            cursor.execute(f"ALTER TABLE customers_customer ADD CONSTRAINT {name} {definition}")


def looking():
    return closing(psycopg.connect(url_of_test_database(), autocommit=True))


def plant(statement, *values):
    """No trigger mends what is planted."""
    with no_trigger(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def ledger_of(*customers):
    return Ledger(
        {customer.pk: as_state({name: getattr(customer, name) for name in FEATURES}) for customer in customers}
    )


# --- scores -----------------------------------------------------------------------------------------------------------


def test_after_calm_weather_there_is_nothing_to_report(examine):
    customers = [make_scored(age=age) for age in (30, 60)]
    Customer.objects.filter(pk=customers[0].pk).update(age=70)
    scorer.rescore_batch()
    ledger = ledger_of(*customers)
    ledger.committed({customers[0].pk: change({"age": 70})})
    assert examine(ledger).lines() == []


def test_a_wrong_score_is_found(examine):
    customer = make_scored(balance=0)
    plant("UPDATE customers_customer SET churn_risk_score = churn_risk_score / 2")
    (line,) = examine().wrong_scores
    assert f"customer {customer.pk}, version 1" in line


def test_a_value_at_risk_that_is_wrong_by_a_cent_is_found_at_any_time(examine, forests):
    customer = make_scored()
    plant("UPDATE customers_customer SET value_at_risk = value_at_risk + 0.01")
    (line,) = examine().wrong_scores
    assert f"customer {customer.pk}, version 1: value at risk" in line
    with looking() as looker:
        assert checks.false_claims(looker, forests) == [line]
        Customer.objects.update(balance=1)  # it waits for the next
        assert checks.false_claims(looker, forests) == []


def test_an_edit_that_was_not_noticed_is_found_as_a_wrong_score(examine):
    make_scored(age=30)
    plant("UPDATE customers_customer SET age = 70")
    assert len(examine().wrong_scores) == 1


def test_a_score_of_another_version_is_found_even_where_it_happens_to_be_right(examine, without_constraint):
    make_scored()
    without_constraint("customer_current_means_scored")
    plant("UPDATE customers_customer SET version = 2")
    assert len(examine().wrong_scores) == 1


def test_a_row_that_says_it_is_current_is_held_to_it_in_the_midst_of_a_storm(forests):
    make_scored(age=30)
    with looking() as looker:
        assert checks.false_claims(looker, forests) == []
        plant("UPDATE customers_customer SET age = 70")
        assert len(checks.false_claims(looker, forests)) == 1
        Customer.objects.update(age=71)  # it says that it is stale now
        assert checks.false_claims(looker, forests) == []


def test_the_truth_follows_the_label_codes_of_the_model(forests, assets, tmp_path):
    checksum = forests.learn(forest_with_other_codes(tmp_path / "coded", seed=3), OTHER_CODES)
    people = [(600, country, gender, 40, 3, 50000, 1, True, False) for country, gender in product(GEOGRAPHIES, GENDERS)]
    assert forests.scores(checksum, people) != forests.scores(checksum, people, ALPHABETICAL)


def test_an_objector_who_has_something_of_a_score_is_found_at_any_time(examine, forests, without_constraint):
    customer = make_scored()
    Customer.objects.filter(pk=customer.pk).update(objected_at=Now())
    with looking() as looker:
        assert (examine().lines(), checks.false_claims(looker, forests)) == ([], [])
        without_constraint("customer_objected_means_no_score")
        plant("UPDATE customers_customer SET reason_codes = '{1}'")
        assert len(checks.false_claims(looker, forests)) == len(examine().wrong_scores) == 1
        plant("UPDATE customers_customer SET reason_codes = NULL")


def test_an_objector_is_not_waited_for(assets):
    customer = make_scored()
    Customer.objects.filter(pk=customer.pk).update(objected_at=Now())
    with looking() as looker:
        assert checks.unsettled(looker, checksum_of(assets / "model.pkl")) == ""
        Customer.objects.update(objected_at=None)
        assert checks.unsettled(looker, checksum_of(assets / "model.pkl")) == "1 customers are stale"


# --- whether it is over -----------------------------------------------------------------------------------------------


def test_a_storm_is_not_over_while_a_customer_is_stale_or_another_model_lies_there(assets, another_forest):
    in_place = checksum_of(assets / "model.pkl")
    with looking() as looker:
        assert "active model is None" in checks.unsettled(looker, in_place)
        make_scored()
        assert checks.unsettled(looker, in_place) == ""
        Customer.objects.update(age=77)
        assert checks.unsettled(looker, in_place) == "1 customers are stale"
        scorer.rescore_batch()
        assert "wanted is" in checks.unsettled(looker, checksum_of(another_forest))


# --- rows -------------------------------------------------------------------------------------------------------------


def test_a_lost_edit_is_found(examine):
    customer = make_scored(age=30)
    ledger = ledger_of(customer)
    ledger.committed({customer.pk: change({"age": 31})})
    (line,) = examine(ledger).lost_rows
    assert line.startswith(f"customer {customer.pk}: the table has (600, 'France'")


def test_a_lost_customer_is_found_and_so_is_one_who_came_back(examine):
    kept, deleted = make_scored(), make_scored()
    ledger = ledger_of(kept, deleted)
    ledger.committed({deleted.pk: remove})
    assert len(examine(ledger).lost_rows) == 1
    Customer.objects.filter(pk=deleted.pk).delete()
    assert examine(ledger).lost_rows == []
    Customer.objects.filter(pk=kept.pk).delete()
    assert len(examine(ledger).lost_rows) == 1


def test_an_edit_that_was_not_confirmed_may_be_there_or_not_but_nothing_else(examine):
    customer = make_scored(age=30)
    ledger = ledger_of(customer)
    ledger.unconfirmed({customer.pk: change({"age": 31})})
    for age, lost in [(30, 0), (31, 0), (32, 1)]:
        Customer.objects.update(age=age)
        assert len(examine(ledger).lost_rows) == lost


def test_what_may_be_lost_with_the_server_may_be_there_or_not_and_is_certain_again_with_the_next_edit(examine):
    customer = make_scored(age=30)
    ledger = ledger_of(customer)
    ledger.is_losing = True
    for age in (31, 32):
        ledger.committed({customer.pk: change({"age": age})})
    ledger.is_losing = False
    for age, lost in [(30, 0), (31, 0), (32, 0), (33, 1)]:
        Customer.objects.update(age=age)
        assert len(examine(ledger).lost_rows) == lost
    ledger.committed({customer.pk: change({"age": 40})})
    Customer.objects.update(age=31)
    assert len(examine(ledger).lost_rows) == 1


# --- history ----------------------------------------------------------------------------------------------------------


def test_a_score_without_its_record_is_found(examine):
    make_scored()
    plant("DELETE FROM customers_scorerecord")
    (line,) = examine().history
    assert "in the newest record [None, None, None, None]" in line


def test_reasons_that_are_not_those_of_the_newest_record_are_found(examine):
    make_scored()
    plant("UPDATE customers_customer SET contributions[1] = 0.5")
    assert len(examine().history) == 1


@pytest.mark.parametrize("reasons", ["contributions[1:3] || 0.5 || contributions[5:9]", "NULL"])
def test_reasons_that_do_not_add_up_to_the_score_are_found(examine, reasons):
    one, _other = make_scored(age=30), make_scored(age=60)
    for table in ("customers_customer", "customers_scorerecord"):
        plant(f"UPDATE {table} SET contributions = {reasons} WHERE customer_id = %s", one.pk)
    (line,) = examine().history
    assert "scores less their reasons" in line


def test_a_record_that_does_not_continue_the_one_before_it_is_found(examine):
    customer = make_scored()
    scorer.analyze(customer.pk)
    plant(
        "UPDATE customers_scorerecord SET previous_score = 0.123 WHERE id = (SELECT max(id) FROM customers_scorerecord)"
    )
    (line,) = examine().history
    assert "previous score 0.123" in line


def test_a_version_that_goes_back_is_found_unless_the_customer_was_away(examine):
    customer = make_scored(age=30)
    Customer.objects.update(age=31)
    scorer.rescore_batch()
    plant("UPDATE customers_scorerecord SET version = 3 WHERE version = 1")
    assert len(examine().history) == 1
    assert examine(contested=[customer.pk]).history == []


def test_what_came_before_all_were_away_need_not_be_continued_and_what_comes_after_has_to_be(examine):
    customer = make_scored(age=30)
    plant("UPDATE customers_scorerecord SET version = 3")
    scorer.analyze(customer.pk)
    (line,) = examine().history
    assert "version 1 after 3" in line
    former = ScoreRecord.objects.order_by("id").first().pk
    assert examine(chains_after=former).history == []
    scorer.analyze(customer.pk)
    newest = ScoreRecord.objects.order_by("id").last().pk
    plant("UPDATE customers_scorerecord SET previous_score = 0.123 WHERE id = %s", newest)
    assert len(examine(chains_after=former).history) == 1


# --- editors ----------------------------------------------------------------------------------------------------------


def test_an_edit_that_postgresql_refuses_has_failed_and_one_that_loses_its_connection_has_not():
    url = url_of_test_database()
    editor = Editor(0, url, Portfolio.of(100, 1), Ledger({}))
    editor.attempt("a division", Edit(lambda: editor.session().execute("SELECT 1 / 0")))
    assert "22012" in editor.tally.failed[0]

    def lose_the_connection_once():
        if not editor.tally.outages:
            editor.session().execute("SELECT pg_terminate_backend(pg_backend_pid())")

    editor.attempt("unlucky", Edit(lose_the_connection_once))
    assert len(editor.tally.failed) == 2, "no outage was announced"
    editor.bears = Bears(outages=True)
    editor.attempt("unlucky", Edit(lose_the_connection_once))
    assert (editor.tally.outages, editor.tally.made["unlucky"], len(editor.tally.failed)) == (1, 1, 2)
    editor.disconnect()


def test_an_edit_that_postgresql_refuses_is_made_again_and_counted_where_it_refuses_some_without_us():
    editor = Editor(0, url_of_test_database(), Portfolio.of(100, 1), Ledger({}))

    def be_refused_once():
        if not editor.tally.refused:
            editor.session().execute("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")

    editor.attempt("unlucky", Edit(be_refused_once))
    assert len(editor.tally.failed) == 1, "no refusals were announced"
    editor.bears = Bears(refusals=True)
    editor.attempt("unlucky", Edit(be_refused_once))
    assert (editor.tally.refused, editor.tally.made["unlucky"], len(editor.tally.failed)) == (1, 1, 1)
    editor.disconnect()
