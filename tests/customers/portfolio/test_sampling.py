"""Some customers, whatever their number."""

import pytest
from django.db import connection

from customers.models import Customer
from customers.portfolio.sampling import random_ids
from tests.factories import make_customers

pytestmark = pytest.mark.django_db


def test_a_small_table_is_drawn_from_as_a_whole():
    customers = {customer.pk for customer in make_customers(5)}
    assert set(random_ids(100)) == customers
    assert {random_ids(1)[0] for _ in range(200)} == customers


def test_no_customer_comes_twice():
    make_customers(50)
    drawn = random_ids(20)
    assert len(drawn) == len(set(drawn)) == 20


def test_an_empty_table_has_no_ids():
    assert random_ids(10) == []


def test_of_a_large_table_some_pages_are_read():
    make_customers(2000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE customers_customer")
    asked = []
    with connection.execute_wrapper(lambda execute, *call: asked.append(call[1]) or execute(*call)):
        drawn = random_ids(20)
    assert asked[1] == [20.0, 20]  # percent of the pages, and rows of those
    assert len(drawn) == 20
    assert Customer.objects.filter(pk__in=drawn).count() == 20


def test_a_table_that_has_shrunk_since_it_was_counted_is_read_as_a_whole():
    make_customers(2000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE customers_customer")
    Customer.objects.filter(pk__gt=Customer.objects.order_by("pk")[9].pk).delete()
    assert len(random_ids(10)) == 10
