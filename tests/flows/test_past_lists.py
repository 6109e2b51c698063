"""Editors, scorers, objections, returns and releases in a storm: each list of the past is the table of that moment."""

import random
from contextlib import suppress

import pytest
from psycopg.errors import DeadlockDetected, UniqueViolation

from customers.history import as_of as as_of_module
from customers.history.retention import prune_history
from customers.models import Customer, Departure, ScoreRecord, UnscoredVersion
from customers.releases.active import ReleaseMovedOnError
from customers.scoring import scorer
from tests.customers.history.pasts import COLUMNS, as_of, moment, remember_from, table
from tests.events.alerts.alerting import another_release
from tests.factories import A_CUSTOMER, no_mark_was_lost
from tests.others import going_on, meanwhile, outsider, together

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

EDITORS, CUSTOMERS, ROUNDS = 3, 120, 6
PLACES = ", ".join(["%s"] * len(A_CUSTOMER))
ADD = f"""INSERT INTO customers_customer (customer_id, {COLUMNS})
SELECT it, {PLACES} FROM unnest(%s::bigint[]) AS it ON CONFLICT DO NOTHING"""
EDITS = (
    "UPDATE customers_customer SET age = 18 + (age + 7) %% 70 WHERE customer_id = ANY (%s)",
    "UPDATE customers_customer SET balance = balance + 1, objected_at = NULL WHERE customer_id = ANY (%s)",
    "UPDATE customers_customer SET objected_at = now() WHERE customer_id = ANY (%s)",
    "DELETE FROM customers_customer WHERE customer_id = ANY (%s)",
    f"UPDATE customers_customer SET customer_id = customer_id + {CUSTOMERS} WHERE customer_id = ANY (%s)",
    f"UPDATE customers_customer SET customer_id = customer_id - {CUSTOMERS} WHERE customer_id - {CUSTOMERS} = ANY (%s)",
)


def edit_for(edits, seed):
    """Transactions of one to three statements, some of them taken back; all editors edit the same customers."""
    pick = random.Random(seed)
    with outsider(autocommit=False, options="-c deadlock_timeout=20ms") as editor:
        for _ in range(edits):
            with suppress(UniqueViolation, DeadlockDetected):
                for _ in range(pick.choice([1, 1, 3])):
                    ids = sorted(pick.sample(range(1, CUSTOMERS + 1), pick.choice([1, 2, 10])))
                    if pick.random() < 0.2:
                        editor.execute(ADD, [*A_CUSTOMER.values(), ids])
                    else:
                        editor.execute(pick.choice([EDITS[0], *EDITS]), [ids])
                if pick.random() < 0.9:
                    editor.commit()
            editor.rollback()


def score_until(is_over):
    while not is_over.is_set():
        with suppress(ReleaseMovedOnError):  # the next batch is scored by that one
            scorer.rescore_batch(limit=20)


def storm(edits, seed):
    """Until all have ended: no transaction is open behind it."""

    def edit_all():
        together(*(lambda it=it: edit_for(edits, 100 * seed + it) for it in range(EDITORS)), seconds=200)

    with going_on(score_until), meanwhile(edit_all):
        another_release()


@pytest.mark.parametrize("edits", [40, pytest.param(400, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_each_list_is_the_table_of_that_moment_also_while_the_next_storm_goes_on(edits, monkeypatch):
    monkeypatch.setattr(as_of_module, "PAGE_ROWS", 30)
    remember_from(moment())
    no_mark_was_lost()
    with outsider() as loader:
        loader.execute(ADD, [*A_CUSTOMER.values(), list(range(1, CUSTOMERS + 1))])
    kept = []
    for number in range(ROUNDS):
        with meanwhile(lambda it=number: storm(edits, seed=it)):
            for at, customers in kept[-1:] * 5:
                assert as_of(at) == customers
        if number == ROUNDS // 2:
            with outsider() as loader:
                loader.execute("TRUNCATE customers_customer")
                loader.execute(ADD, [*A_CUSTOMER.values(), list(range(1, CUSTOMERS + 1))])
        kept.append((moment(), table()))
    assert min(model.objects.count() for model in (Departure, UnscoredVersion, ScoreRecord)) > 20
    for at, customers in kept:
        assert len(customers) > CUSTOMERS / 4
        assert as_of(at) == customers
    before, _ = kept[2]
    assert prune_history(before).records > 0
    for at, customers in kept[2:]:
        assert as_of(at) == customers
    assert Customer.objects.exists()
