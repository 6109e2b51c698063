"""Plain factories: say what matters in a test, get the rest."""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from django.db import connection

from customers.ml_service import Explained
from customers.ml_service.reference import describe
from customers.ml_service.schema import FEATURES, GENDERS, GEOGRAPHIES
from customers.models import Customer, ModelRelease, ScoringFailure, StaleMark
from customers.releases.active import active_model
from customers.scoring import marks, scorer
from events.models.engine import Watch
from events.queue import lease
from events.triggers.definitions import TRIGGERS
from events.triggers.sql import ENABLE

_ids = count(1)

A_CUSTOMER: dict[str, Any] = {
    "credit_score": 600,
    "geography": "France",
    "gender": "Male",
    "age": 40,
    "tenure": 3,
    "balance": Decimal("50000.00"),
    "num_of_products": 1,
    "has_cr_card": True,
    "is_active_member": False,
}


def make_customer(**fields: Any) -> Customer:
    """A customer in the database, stale as every new one is."""
    values = {"customer_id": next(_ids), "surname": "Made Up", **A_CUSTOMER, **fields}
    return Customer.objects.create(**values)


def make_customers(number: int, **fields: Any) -> list[Customer]:
    """Customers that differ in age."""
    return [make_customer(age=20 + i % 60, **fields) for i in range(number)]


def make_scored(**fields: Any) -> Customer:
    """A customer whose score is current."""
    customer = make_customer(**fields)
    scorer.analyze(customer.pk)
    customer.refresh_from_db()
    return customer


def make_failure(customer: Customer, **fields: Any) -> ScoringFailure:
    """As if the model had no answer to the customer as the row is; a dead letter unless it says when to try again."""
    customer.refresh_from_db()
    values = {"release": ModelRelease.objects.active(), "attempts": 5, "error": "Odd balance.", **fields}
    return ScoringFailure.objects.create(
        customer_id=customer.pk, arrived_at=customer.arrived_at, version=customer.version, **values
    )


def edit(customer: Customer, **fields: Any) -> None:
    """As another session would: the object at hand does not learn of it."""
    Customer.objects.filter(pk=customer.pk).update(**fields)


def rescore(customer: Customer) -> None:
    """As a drain would."""
    marks.mark([customer.pk])
    assert scorer.rescore_batch().stored == 1


def answers(*scores: float) -> Explained:
    """What a forest might say of so many customers, without a reason for any of them."""
    shape = (len(scores), len(FEATURES))
    return Explained(np.array(scores), np.zeros(shape), np.zeros(shape, dtype=np.float32))


def write_as_scorer(customer: Customer, **fields: Any) -> None:
    """Write the engine's own columns, which the guard keeps from all others."""
    with connection.cursor() as cursor, scorer.scorer_rights(cursor):
        Customer.objects.filter(pk=customer.pk).update(**fields)


def score_by_a_model_taken_back(customer: Customer) -> None:
    """As after a release that scored this customer and was deleted since: its id is newer than the active one's."""
    taken_back = ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
    write_as_scorer(customer, scored_by=taken_back)
    with connection.cursor() as cursor:  # Django itself would refuse
        cursor.execute("DELETE FROM customers_modelrelease WHERE id = %s", [taken_back.pk])


def forget_marks() -> None:
    """As if drains had looked at all customers who were marked so far."""
    StaleMark.objects.filter(kind__lt=marks.INTACT).delete()


def marked() -> list[tuple[int, list[int]]]:
    """Kind and customers of all marks, in the order in which they are taken; those of one statement by their ids."""
    waiting = StaleMark.objects.filter(kind__lt=marks.INTACT).order_by("kind", "due_at", "ids")
    return list(waiting.values_list("kind", "ids"))


def mark_as(kind: int, *arrays: Sequence[int]) -> None:
    """Marks of this kind, in this order."""
    with connection.cursor() as cursor:
        for ids in arrays:
            cursor.execute("INSERT INTO customers_stalemark (kind, ids) VALUES (%s, %s)", [kind, list(ids)])


def lose_all_marks() -> None:
    """What a crash of PostgreSQL, or a promotion, leaves of a table that is not logged."""
    StaleMark.objects.all().delete()


def held_rows_are_due() -> None:
    """As when the pause is over after which rows that were held are tried again."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE customers_stalemark SET due_at = due_at - interval '2 s'")
        cursor.execute("UPDATE customers_rescorerequest SET asked_at = asked_at - interval '2 s'")


def let_time_pass(interval: str) -> None:
    """As if no customer had been edited for so long; those that are held at this moment are left as they are."""
    with connection.cursor() as cursor, scorer.scorer_rights(cursor):
        cursor.execute(
            "UPDATE customers_customer SET stale_since = stale_since - %(ago)s::interval,"
            " edited_at = edited_at - %(ago)s::interval WHERE stale_since IS NOT NULL AND customer_id IN"
            " (SELECT customer_id FROM customers_customer FOR UPDATE SKIP LOCKED)",
            {"ago": interval},
        )


def no_mark_was_lost() -> None:
    """As after the first drain of a database."""
    with connection.cursor() as cursor:
        cursor.execute(marks.NOTHING_IS_LOST)


def no_lease_is_held() -> None:
    """As when the last lease has run out."""
    lease.cache.forget()
    Watch.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('events_awake', 1)")


@contextmanager
def no_trigger() -> Iterator[None]:
    """What is written to customers and history in the block goes by unseen; afterwards all fire as declared."""
    tables = {trigger.table for trigger in TRIGGERS}
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        for trigger in TRIGGERS:
            cursor.execute(f"ALTER TABLE {trigger.table} {ENABLE[trigger.fires]} TRIGGER {trigger.name}")


def random_fields(pick: random.Random) -> dict[str, Any]:
    """The nine behavioural fields of a possible customer."""
    return {
        "credit_score": pick.randint(350, 850),
        "geography": pick.choice(GEOGRAPHIES),
        "gender": pick.choice(GENDERS),
        "age": pick.randint(18, 92),
        "tenure": pick.randint(0, 10),
        "balance": pick.choice([Decimal(0), Decimal(pick.randint(1_000_000, 25_000_000)) / 100]),
        "num_of_products": pick.randint(1, 4),
        "has_cr_card": pick.random() < 0.7,
        "is_active_member": pick.random() < 0.5,
    }


def random_rows(number: int, seed: int) -> list[tuple[Any, ...]]:
    """The behavioural fields of a possible customer, in FEATURES order, so many times."""
    pick = random.Random(seed)
    people = [random_fields(pick) for _ in range(number)]
    return [tuple(person[name] for name in FEATURES) for person in people]


def refer_to(rows: Sequence[Sequence[Any]], scores: Sequence[float] | None = None) -> ModelRelease:
    """Have the active release say that it was trained on these rows, with scores all over the place unless given."""
    _, release = active_model()
    spread = [i / len(rows) for i in range(len(rows))]
    release.metadata = {"reference": json.loads(json.dumps(describe(rows, spread if scores is None else scores)))}
    release.save()
    return release


def train_forest(path: Path, *, seed: int = 1) -> Path:
    """A small forest as the Data Lead would drop it in: fitted on alphabetical label codes, dumped with joblib."""
    import joblib  # late, as scikit-learn: a second that only few tests need to pay
    from sklearn.ensemble import RandomForestClassifier

    pick = random.Random(seed)
    people = [random_fields(pick) for _ in range(300)]
    rows = np.array(
        [[alphabetical(field, person[field]) for field in FEATURES] for person in people],
        dtype=float,
    )
    left = [pick.random() < person["age"] / 100 for person in people]
    joblib.dump(RandomForestClassifier(n_estimators=7, max_depth=5, random_state=seed).fit(rows, left), path)
    return path


def alphabetical(field: str, value: Any) -> float:
    """The number that stands for a value in a forest without a model.json."""
    words = {"geography": GEOGRAPHIES, "gender": GENDERS}.get(field)
    return float(sorted(words).index(value) if words else value)
