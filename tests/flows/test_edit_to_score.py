"""The whole loop on real parts: however a customer is changed, a real worker keeps the score current."""

import csv
import json
import random
import re
import time
import warnings
from collections import Counter
from io import StringIO
from itertools import groupby

import joblib
import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django_q.models import OrmQ

from customers.models import Customer, ModelRelease, ScoreRecord
from tests.databases import url_of_test_database
from tests.factories import alphabetical, random_fields
from tests.others import await_that, outsider, together
from tests.workers import running_cluster

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

CUSTOMERS = 300
EDITORS = 5
SECONDS_OF_EDITING = 6
FIELDS = [
    *("credit_score", "geography", "gender", "age", "tenure"),
    *("balance", "num_of_products", "has_cr_card", "is_active_member"),
]
BANK_COLUMNS = [
    *("CustomerId", "Surname", "CreditScore", "Geography", "Gender", "Age", "Tenure"),
    *("Balance", "NumOfProducts", "HasCrCard", "IsActiveMember"),
]


# --- the six ways to change a customer --------------------------------------------------------------------------------


def in_the_admin(pick, staff, tmp_path):
    customer = some_customer(pick)
    values = {"surname": "By the clerk", **{field: getattr(customer, field) for field in FIELDS}, **a_change(pick)}
    form = {name: "on" if value is True else value for name, value in values.items() if value is not False}
    response = staff.post(f"/admin/customers/customer/{customer.pk}/change/", form)
    assert response.status_code == 302, response.context["adminform"].form.errors


def by_saving_an_instance(pick, staff, tmp_path):
    customer = some_customer(pick)
    time.sleep(pick.choice([0, 0, 0.05]))  # some are old by the time they are saved, and overwrite every column
    for field, value in a_change(pick).items():
        setattr(customer, field, value)
    customer.save()


def by_updating_a_queryset(pick, staff, tmp_path):
    assert Customer.objects.filter(pk=some_id(pick)).update(**a_change(pick)) == 1


def by_bulk_update(pick, staff, tmp_path):
    with transaction.atomic():
        # Locked in one order, as editors of several rows do among themselves whether anything is scored or not.
        some = list(Customer.objects.select_for_update().filter(pk__in=some_ids(pick, 5)).order_by("pk"))
        for customer in some:
            customer.age, customer.balance = pick.randint(18, 92), pick.randint(0, 200_000)
        Customer.objects.bulk_update(some, ["age", "balance"])


def by_importing_a_csv_again(pick, staff, tmp_path):
    rows = {customer_id: random_fields(pick) for customer_id in sorted(some_ids(pick, 10))}
    import_csv(tmp_path / f"again-{pick.random()}.csv", rows)


def in_plain_sql(pick, staff, tmp_path):
    changes = a_change(pick)
    assignments = ", ".join(f"{field} = %s" for field in changes)
    with outsider() as editor:
        statement = f"UPDATE customers_customer SET {assignments} WHERE customer_id = %s"
        assert editor.execute(statement, [*changes.values(), some_id(pick)]).rowcount == 1


WAYS = [
    in_the_admin,
    by_saving_an_instance,
    by_updating_a_queryset,
    by_bulk_update,
    by_importing_a_csv_again,
    in_plain_sql,
]


def some_id(pick):
    return pick.randint(1, CUSTOMERS)


def some_ids(pick, number):
    return pick.sample(range(1, CUSTOMERS + 1), number)


def some_customer(pick):
    return Customer.objects.get(pk=some_id(pick))


def a_change(pick):
    """New values for one to three fields, now and then the old ones."""
    values = random_fields(pick)
    return {field: values[field] for field in pick.sample(FIELDS, pick.randint(1, 3))}


def import_csv(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(BANK_COLUMNS)
        for customer_id, fields in rows.items():
            values = [int(value) if isinstance(value, bool) else value for value in fields.values()]
            writer.writerow([customer_id, "From a file", *values])
    call_command("import_customers", path, stdout=StringIO())


# --- the tests --------------------------------------------------------------------------------------------------------


@pytest.fixture
def portfolio(tmp_path):
    pick = random.Random(11)
    import_csv(tmp_path / "bank.csv", {i: random_fields(pick) for i in range(1, CUSTOMERS + 1)})


@pytest.fixture
def staff():
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("clerk", password=None))
    return client


@pytest.fixture
def worker(tmp_path, assets):
    log = tmp_path / "qcluster.log"
    with running_cluster(url_of_test_database(), log, VIGILPAY_ML_ASSETS=str(assets)):
        yield
    assert not re.search(r"Traceback|ERROR|CRITICAL", log.read_text()), log.read_text()


@pytest.mark.usefixtures("portfolio", "worker")
def test_every_way_of_editing_ends_in_the_score_that_scikit_learn_gives(staff, tmp_path, assets):
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201  shown when the test fails
    await_everything_current()
    done = Counter()

    def edit_at_random(number):
        pick = random.Random(seed + number)
        ends = time.monotonic() + SECONDS_OF_EDITING
        while time.monotonic() < ends:
            way = pick.choice(WAYS)
            way(pick, staff, tmp_path)
            done[way.__name__] += 1

    together(*[lambda number=number: edit_at_random(number) for number in range(EDITORS)])
    await_everything_current()

    assert done.keys() == {way.__name__ for way in WAYS}
    codes = json.loads((assets / "model.json").read_text())["encodings"]
    assert furthest_from_scikit_learn(assets / "model.pkl", lambda field, value: codes[field][value]) <= 1e-6
    assert Customer.objects.count() == CUSTOMERS
    history_is_consistent()


@pytest.mark.usefixtures("portfolio", "worker")
def test_a_running_worker_notices_a_new_model_file_and_rescores_all_customers(assets, another_forest):
    await_everything_current()
    former = ModelRelease.objects.active()
    draft = assets / "draft"
    draft.write_bytes(another_forest.read_bytes())
    draft.replace(assets / "model.pkl")
    await_that(lambda: ModelRelease.objects.active() != former, "the file was noticed")
    await_everything_current()
    assert furthest_from_scikit_learn(another_forest, alphabetical) <= 1e-6
    assert ModelRelease.objects.count() == 2
    history_is_consistent()


def await_everything_current():
    await_that(
        lambda: not Customer.objects.stale().exists() and not OrmQ.objects.exists(),
        "nothing is stale and the queue is empty",
        seconds=60,
    )


def furthest_from_scikit_learn(path, code_of):
    """The largest difference between a stored score and what the pickled forest itself says of the stored row."""
    model = joblib.load(path)
    columns = [snake_case(name) for name in getattr(model, "feature_names_in_", FIELDS)]
    customers = list(Customer.objects.all())
    rows = np.array([[as_number(customer, column, code_of) for column in columns] for customer in customers])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        expected = model.predict_proba(rows)[:, list(model.classes_).index(1)]
    return max(abs(customer.churn_risk_score - score) for customer, score in zip(customers, expected, strict=True))


def as_number(customer, column, code_of):
    value = getattr(customer, column)
    return float(code_of(column, value) if column in ("geography", "gender") else value)


def snake_case(name):
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def history_is_consistent():
    """Every score has one record, each record continues the one before it, and the last is the row's own."""
    records = ScoreRecord.objects.order_by("customer_id", "id")
    last = {}
    for customer_id, of_customer in groupby(records, key=lambda record: record.customer_id):
        scored = set()
        for record in of_customer:
            former = last.get(customer_id)
            assert record.previous_score == (former.score if former else None)
            assert former is None or record.version >= former.version
            assert (record.version, record.scored_by_id) not in scored
            scored.add((record.version, record.scored_by_id))
            last[customer_id] = record
    for customer in Customer.objects.all():
        record = last[customer.pk]
        assert (record.score, record.version) == (customer.churn_risk_score, customer.version)
        assert (record.scored_by_id, record.scored_at) == (customer.scored_by_id, customer.scored_at)
