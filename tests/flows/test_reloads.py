"""Reloads beside drains, analyses and staff: no request fails, and what belongs to the former life stays with it."""

import random
import threading
from contextlib import suppress

import pytest

from customers.models import Customer, ScoringFailure
from customers.monitoring import audit
from customers.scoring import failures, requests, scorer
from events.freshness.queries import freshness
from tests.factories import A_CUSTOMER, make_customer, make_customers, make_failure, make_scored
from tests.others import await_that, going_on, meanwhile, outsider, waiting_for_locks
from tests.staff import superuser

pytestmark = pytest.mark.django_db(transaction=True)

COLUMNS = ", ".join(("customer_id", "surname", *A_CUSTOMER))
OUT = f"CREATE TEMPORARY TABLE fresh AS SELECT {COLUMNS} FROM customers_customer"
IN = f"INSERT INTO customers_customer ({COLUMNS}) SELECT * FROM fresh"


def drain():
    while scorer.rescore_batch().claimed:
        pass


def test_a_drain_that_holds_the_former_row_notes_its_failure_for_that_life_alone(monkeypatch):
    """The reload waits for the batch, and no longer; its rows are scored like any others."""
    make_scored()
    customer = make_customer(age=66)
    explain = scorer.explain

    def while_a_reload_waits(forest, claim):
        reloads.start()
        await_that(waiting_for_locks, "the reload waits for the claim")
        return (
            claim.only([]),
            *explain(forest, claim.only([]))[1:2],
            [failures.Refusal(customer.pk, claim.versions[0], "It would not.")],
        )

    reloads = threading.Thread(target=reload_elsewhere)
    monkeypatch.setattr(scorer, "explain", while_a_reload_waits)
    assert scorer.rescore_batch().refused == 1
    reloads.join(timeout=30)
    monkeypatch.undo()
    assert freshness().dead_letters + freshness().retries_waiting == 0
    drain()
    assert not Customer.objects.stale().exists()
    assert not ScoringFailure.objects.exists()


def test_an_analysis_during_a_reload_gets_the_score_of_the_row_that_came_back(settings):
    settings.ANALYZE_LOCK_SECONDS = 20
    customer = make_scored(age=40)
    answers = []
    with outsider(autocommit=False) as loader:
        loader.execute("UPDATE customers_customer SET surname = 'Held'")
        with meanwhile(lambda: answers.append(scorer.analyze(customer.pk))):
            await_that(waiting_for_locks, "analyze waits for the row")
            loader.execute(f"{OUT}; UPDATE fresh SET age = 60; DELETE FROM customers_customer; {IN}")
            loader.commit()
    customer.refresh_from_db()
    assert (customer.age, customer.churn_risk_score) == (60, answers[0])


def test_staff_who_give_up_the_former_life_overwrite_nothing_of_the_new_one():
    make_scored()
    customer = make_customer()
    make_failure(customer)
    with outsider(autocommit=False) as loader:
        loader.execute(f"{OUT}; DELETE FROM customers_customer; {IN}")
        loader.execute("""UPDATE customers_scoringfailure AS failure
            SET arrived_at = customer.arrived_at, error = 'of the new life'
            FROM customers_customer AS customer WHERE customer.customer_id = failure.customer_id""")
        with meanwhile(lambda: requests.give_up(Customer.objects.all(), "of the former life")):
            await_that(waiting_for_locks, "staff wait for the failure")
            loader.commit()
    assert ScoringFailure.objects.of_present_life().get().error == "of the new life"


def test_a_reload_that_commits_in_between_loses_nothing():
    make_scored()
    customer = make_customer()
    make_failure(customer)
    with outsider() as loader:
        loader.execute(OUT)
        loader.execute("DELETE FROM customers_customer")
        assert freshness().dead_letters == 0
        drain()
        with suppress(Customer.DoesNotExist):
            scorer.analyze(customer.pk)
        loader.execute(IN)
    drain()
    assert not Customer.objects.stale().exists()


def test_staff_who_save_during_a_reload_change_the_row_that_came_back():
    customer = make_scored(age=40)
    staff, answers = superuser(), []
    with outsider(autocommit=False) as loader:
        loader.execute("UPDATE customers_customer SET surname = 'Held'")
        with meanwhile(lambda: answers.append(saved_by(staff, customer))):
            await_that(waiting_for_locks, "staff wait for the row")
            loader.execute(f"{OUT}; DELETE FROM customers_customer; {IN}")
            loader.commit()
    assert (answers[0].status_code, Customer.objects.get().age) == (302, 61)
    assert Customer.objects.get().arrived_at > customer.arrived_at


def test_staff_who_save_a_customer_who_is_being_deleted_do_not_bring_the_row_back():
    customer = make_scored(age=40)
    staff, answers = superuser(), []
    with outsider(autocommit=False) as loader:
        loader.execute("DELETE FROM customers_customer")
        with meanwhile(lambda: answers.append(saved_by(staff, customer))):
            await_that(waiting_for_locks, "staff wait for the row")
            loader.commit()
    assert not Customer.objects.exists()
    shown = staff.get(answers[0].url).content.decode()
    assert f"Customer {customer.pk} no longer exists. Nothing was saved." in shown
    assert "was changed successfully" not in shown


def test_reloads_drains_and_analyses_all_at_once(settings):
    settings.ANALYZE_LOCK_SECONDS = 20
    ids = [customer.pk for customer in make_customers(40)]

    def drain_until(is_over):
        while not is_over.is_set():
            scorer.rescore_batch(limit=7)

    def analyze_until(is_over):
        while not is_over.is_set():
            assert 0 <= scorer.analyze(random.choice(ids)) <= 1

    with going_on(drain_until), going_on(drain_until), going_on(analyze_until):
        for _ in range(15):
            reload_elsewhere()
    drain()
    assert audit.audit() == audit.AuditReport(audited=40)
    assert not ScoringFailure.objects.exists()


def saved_by(staff, customer):
    values = {"surname": "", **{field: getattr(customer, field) for field in A_CUSTOMER}, "age": 61}
    values = {name: value for name, value in values.items() if value is not False}
    return staff.post(f"/admin/customers/customer/{customer.pk}/change/", values)


def reload_elsewhere():
    with outsider(autocommit=False) as loader:
        loader.execute(f"{OUT}; DELETE FROM customers_customer; {IN}")
        loader.commit()
