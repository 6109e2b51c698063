"""The table's bounds follow the settings."""

from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from customers.checks import table_has_the_bounds_of_the_settings
from customers.ml_service.schema import set_bounds
from customers.models import Customer
from customers.models.bounds import WithinBounds, differing_bounds, follow_settings
from tests.factories import make_customer

pytestmark = pytest.mark.django_db


@pytest.fixture
def bounds():
    yield lambda **changes: set_bounds({name: tuple(map(Decimal, ends)) for name, ends in changes.items()})
    set_bounds({})


def found():
    return [
        (it.id, it.msg.partition(" that ")[0]) for it in table_has_the_bounds_of_the_settings(databases=["default"])
    ]


def test_a_migrated_table_has_the_bounds_that_come_with_the_code():
    assert differing_bounds() == found() == []


def test_a_check_tells_of_the_difference_and_migrate_ends_it(bounds):
    bounds(age=("16", "120"), balance=("-50000.5", "1000000"))
    assert found() == [
        ("customers.W005", "The table of customers does not have the bounds of age"),
        ("customers.W005", "The table of customers does not have the bounds of balance"),
    ]
    follow_settings()
    assert found() == []
    make_customer(age=16, balance="-50000.50")
    with pytest.raises(IntegrityError, match="customer_balance_is_possible"), transaction.atomic():
        make_customer(balance="-50000.51")
    with connection.cursor() as cursor:
        cursor.execute("SELECT bool_and(convalidated) FROM pg_constraint WHERE conname LIKE 'customer_%_is_possible'")
        assert cursor.fetchone() == (True,)


def test_bounds_that_customers_violate_are_refused_and_nothing_changes(bounds):
    customer = make_customer(age=100)
    make_customer(age=105)
    bounds(age=("18", "90"))
    with pytest.raises(CommandError) as refused:
        follow_settings()
    assert str(refused.value) == (
        "The bounds of age were not changed to 18 to 90: 2 customers lie outside, "
        f"customer {customer.pk} among them. Correct them, or set other bounds in VIGILPAY_BOUNDS."
    )
    assert differing_bounds() == ["age"]
    assert Customer.objects.count() == 2


def test_no_migration_is_missing_whatever_the_setting_says(bounds):
    bounds(age=("16", "120"))
    anew = WithinBounds("age")
    [installed] = [it for it in Customer._meta.constraints if it.name == "customer_age_is_possible"]
    assert anew == installed == anew.as_migrated()
    assert anew.condition != anew.as_migrated().condition
    call_command("makemigrations", "customers", check=True, dry_run=True, verbosity=0)
